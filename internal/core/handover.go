package core

import (
	"time"

	"github.com/troupe-go/troupe/internal/invariant"
)

// firstSize is the size of a lane's first hand-over.
const firstSize = 16

// begin hands records below limit over from the head of a lane that is ready.
func (m *Machine) begin(now time.Time, l *lane, limit Offset, out []Effect) []Effect {
	if l.renew { // in a drain it was put off
		out = l.sendRenewal(out)
	}
	n := m.reach(now, l, limit)
	head := l.notes.at(0)
	m.seq++
	m.calls++
	l.seq, l.handed, l.done, l.until = m.seq, n, 0, time.Time{}
	l.handOver = HandOver{
		Call:     Call{Epoch: m.epoch, Lane: l.id, Seq: m.seq},
		Records:  l.records.front(n),
		Due:      head.due,
		Attempt:  head.attempts + 1,
		Restarts: l.restarts.Spent(now, m.cfg.Supervision.Within),
	}
	return append(out, &l.handOver)
}

// reach is how many records from the head one hand-over takes: all are below limit and
// due, and but for the first none was delivered before.
func (m *Machine) reach(now time.Time, l *lane, limit Offset) int {
	n := min(l.size, l.records.len())
	for limit < unlimited && l.records.at(n-1).Offset >= limit {
		n-- // not below 1: the head is below it
	}
	if m.cfg.Delay == 0 && l.tried == 0 {
		return n
	}
	for i, note := range l.notes.front(n) {
		if i > 0 && (note.attempts > 0 || note.due > now.UnixNano()) {
			return i
		}
	}
	return n
}

func (m *Machine) progress(ev *Progress) {
	if l := m.called(ev.Call); l != nil && ev.Done > l.done {
		m.complete(l, ev.Done)
	}
}

func (m *Machine) succeeded(now time.Time, ev *Succeeded, out []Effect) []Effect {
	l := m.called(ev.Call)
	if l == nil {
		return out
	}
	m.complete(l, l.handed)
	l.resize(ev.Took, m.cfg)
	m.end(l)
	return m.serve(now, l, out)
}

// complete finishes the records of a hand-over up to its record done, and takes them
// out of the queue.
func (m *Machine) complete(l *lane, done int) {
	n := done - l.done
	if n < 0 || done > l.handed {
		invariant.Always(false, "lane %d: %d of %d records complete, %d before", l.id, done, l.handed, l.done)
	}
	if n == 0 {
		return
	}
	bytes := int64(0)
	notes, records := l.notes.front(n), l.records.front(n)
	for i := range notes {
		m.offsets.finish(notes[i].place)
		bytes += int64(records[i].Bytes)
		if notes[i].attempts > 0 {
			l.tried--
		}
	}
	m.top = max(m.top, records[n-1].Offset)
	m.commit.changed = true
	m.buffered -= n
	m.bytes -= bytes
	l.bytes -= bytes
	l.done = done
	l.drop(n)
	l.relieve()
}

// end closes the hand-over.
func (m *Machine) end(l *lane) {
	l.handed, l.done = 0, 0
	l.handOver.Records = nil
	m.calls--
}

// drop takes records off the head.
func (l *lane) drop(n int) {
	l.records.drop(n)
	l.notes.drop(n)
}

// relieve forgets the failures of a record that the lane got past.
func (l *lane) relieve() {
	l.restarts.Refill()
	l.first = time.Time{}
	if l.troubled {
		l.troubled = false
		l.failure.Err, l.failure.Stack = nil, nil
	}
}

// resize adapts the next hand-over to how long a whole one took.
func (l *lane) resize(took time.Duration, cfg Config) {
	switch {
	case took > cfg.HandOverTime:
		l.size = max(1, l.size/2)
	case took < cfg.HandOverTime/2 && l.handed == l.size:
		l.size = min(2*l.size, cfg.HandOverMax)
	}
}
