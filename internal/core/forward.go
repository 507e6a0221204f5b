package core

import (
	"time"

	"github.com/troupe-go/troupe/internal/invariant"
	"github.com/troupe-go/troupe/supervision"
)

// forward is the record of a lane that the dead letter topic has not acknowledged. It
// is out of the queue, and unfinished.
type forward struct {
	effect *Forward // nil: none
	note   note
	flying bool      // sent and not answered
	tries  int       // that failed
	until  time.Time // of the next try, when not flying
}

func (f *forward) waits() bool { return f.effect != nil && !f.flying }

// forwards are those of all lanes.
//
// Invariant: 0 <= flying <= unacked <= MaxForwards.
type forwards struct {
	unacked int
	flying  int
	count   uint64       // begun so far
	waiting queue[*lane] // for one of MaxForwards, in the order in which they came
}

// doom sends the head to the dead letter topic before anything else of the lane.
func (l *lane) doom(now time.Time, f supervision.Failure) {
	l.doomed, l.doomedAt, l.doomedFor = true, now, f
	l.restarts.Refill()
}

// serveForward sends a lane's forward: the one that waits for another try, or a new
// one of a doomed head. An operator's pause holds new ones alone.
func (m *Machine) serveForward(now time.Time, l *lane, out []Effect) []Effect {
	f := &l.forward
	switch {
	case m.frozen():
	case f.waits():
		if now.Before(f.until) {
			return out
		}
		m.send(f)
		out = append(out, f.effect)
	case !l.doomed || f.effect != nil || m.held():
	case m.forwards.unacked < m.cfg.MaxForwards:
		m.beginForward(l)
		out = append(out, f.effect)
	case !l.queuing:
		l.queuing = true
		m.forwards.waiting.push(l)
	}
	return out
}

// beginForward takes the doomed head out of the queue and sends it.
func (m *Machine) beginForward(l *lane) {
	m.forwards.count++
	l.forward = forward{
		note: *l.notes.at(0),
		effect: &Forward{
			Epoch:   m.epoch,
			Seq:     m.forwards.count*uint64(len(m.lanes)) + uint64(l.id),
			Lane:    l.id,
			Record:  *l.records.at(0),
			Failure: l.doomedFor,
			First:   l.first,
			Last:    l.doomedAt,
		},
	}
	l.tried--
	l.bytes -= int64(l.forward.effect.Record.Bytes)
	l.drop(1)
	l.doomed, l.doomedFor = false, supervision.Failure{}
	l.relieve()
	m.condemn(l)
	m.forwards.unacked++
	m.send(&l.forward)
}

func (m *Machine) send(f *forward) {
	f.flying = true
	m.forwards.flying++
}

// forwarded answers a try. Only the acknowledgment completes the record; a failed
// forward is sent again for ever, and the line holds. In a frozen machine it is not
// sent again.
func (m *Machine) forwarded(now time.Time, ev *Forwarded, out []Effect) []Effect {
	l := &m.lanes[ev.Seq%uint64(len(m.lanes))] // the other half of Seq's making
	f := &l.forward
	if ev.Epoch != m.epoch || !f.flying || f.effect.Seq != ev.Seq {
		return out
	}
	m.forwards.flying--
	if ev.Err != nil {
		f.flying = false
		f.tries++
		f.until = now.Add(m.cfg.ForwardRetry.Delay(f.tries, ev.Jitter))
		return m.serve(now, l, out)
	}
	m.offsets.finish(f.note.place)
	m.top = max(m.top, f.effect.Record.Offset)
	m.commit.changed = true
	m.buffered--
	m.bytes -= int64(f.effect.Record.Bytes)
	m.forwards.unacked--
	*f = forward{}
	out = m.serveWaiting(now, out) // before l, which may be doomed again
	return m.serve(now, l, out)
}

// serveWaiting lets the lanes that waited for one of MaxForwards go on.
func (m *Machine) serveWaiting(now time.Time, out []Effect) []Effect {
	w := &m.forwards.waiting
	for w.len() > 0 && m.forwards.unacked < m.cfg.MaxForwards && !m.held() {
		l := *w.at(0)
		w.drop(1)
		l.queuing = false
		out = m.serve(now, l, out)
	}
	if m.forwards.flying < 0 || m.forwards.flying > m.forwards.unacked {
		invariant.Always(false, "%d forwards fly of %d", m.forwards.flying, m.forwards.unacked)
	}
	return out
}
