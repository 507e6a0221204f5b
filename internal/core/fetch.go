package core

import "time"

// fetched takes records in. Control records, and those that a Handoff names as
// finished, enter finished.
func (m *Machine) fetched(now time.Time, ev *Fetched, out []Effect) []Effect {
	if ev.Gen != m.gen {
		return out
	}
	m.led(ev)
	for i := range ev.Records {
		r := &ev.Records[i]
		place := m.offsets.add(r.Offset)
		if r.Control || m.carried.finished(r.Offset) {
			m.offsets.finish(place)
			if !r.Control {
				m.top = r.Offset
			}
			continue
		}
		n := note{place: place, attempts: m.carried.attempt(r.Offset)}
		if m.cfg.Delay > 0 {
			n.due, out = m.due(now, r, out)
		}
		m.enqueue(r, n)
	}
	m.lookAhead()
	m.reached = m.horizon
	for i, l := range m.touched {
		m.touched[i] = nil
		out = m.serve(now, l, out)
	}
	m.touched = m.touched[:0]
	return out
}

// led notes the leader of what was fetched. Leaders follow each other with ascending
// offsets, so behind the first record of one that was not known yet everything was written
// after what was carried here was found out: where the log had been cut off, other records
// stand at the offsets of finished ones.
func (m *Machine) led(ev *Fetched) {
	if ev.LeaderEpoch > m.leader && len(ev.Records) > 0 {
		m.leader = ev.LeaderEpoch
		m.carried.endAt(ev.Records[0].Offset)
	}
}

// enqueue appends a record to its lane. An idle lane is touched: it has to be served.
func (m *Machine) enqueue(r *Record, n note) {
	l := &m.lanes[r.Lane]
	l.records.push(*r)
	l.notes.push(n)
	if n.attempts > 0 {
		l.tried++
	}
	m.buffered++
	m.bytes += int64(r.Bytes)
	l.bytes += int64(r.Bytes)
	if l.place == idle {
		m.file(l, ready)
		m.touched = append(m.touched, l)
	}
}

func (m *Machine) repositioned(ev *Repositioned) {
	m.gen = ev.Gen
	m.offsets.skip(ev.To)
}
