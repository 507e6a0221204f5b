package core

import (
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// lane is one virtual partition: a queue, and at most one hand-over from its head.
//
// Invariants: records and notes run in parallel, ascending by offset; 0 <= done <=
// handed, and handed-done records at the head are in flight; handed > 0 only while
// neither hung nor stopped; doomed only with a record at the head.
type lane struct {
	id      LaneID
	records queue[Record]
	notes   queue[note]
	tried   int   // queued records with attempts
	bytes   int64 // of the queued records

	// The hand-over.
	seq    uint64 // of the last one
	handed int    // records of the one in flight; 0: none
	done   int    // of those, complete and out of the queue
	size   int    // of the next one, adapted to how long they take

	// What holds it.
	hung    bool      // a call still runs: quarantined
	hungBy  Call      // which; zero: one of an older assignment
	stopped bool      // until an operator restarts it
	failing bool      // its head failed in a drain: nothing more begins
	until   time.Time // no hand-over before; zero: at once
	place   place

	// Its failures.
	renew    bool                // a new behavior before the next hand-over
	cause    supervision.Failure // of the renewal; zero when it was asked for
	restarts supervision.Budget
	troubled bool                // failure is set
	failure  supervision.Failure // the last one since a record was completed
	first    time.Time           // when the head first failed; zero: it has not
	forward  forward

	// Its head, when that goes to the dead letter topic next.
	doomed    bool
	doomedAt  time.Time
	doomedFor supervision.Failure
	queuing   bool // it waits for one of MaxForwards

	wake  time.Time // while in timers
	timer int       // place in timers, from 1; 0: not there

	handOver HandOver
}

// note is what the machine knows of a queued record besides the record.
type note struct {
	place    uint64 // in the delivered sequence
	due      int64  // nanoseconds since the epoch; 0: at once
	attempts int    // deliveries so far
}

// place is what a lane waits for.
type place uint8

const (
	idle     place = iota // records
	busy                  // its hand-over
	ready                 // its turn: it could begin, but for a pause or a forward
	delayed               // the due time of its head
	retrying              // the end of a backoff or a snooze
	blocked               // its call or an operator; it holds records
	places
)

// serve lets a lane do whatever it can, and files it under what it waits for.
// Whatever changes a lane ends with it.
func (m *Machine) serve(now time.Time, l *lane, out []Effect) []Effect {
	m.condemn(l)
	out = m.renewBehavior(l, out)
	out = m.serveForward(now, l, out)
	p, at := m.standing(now, l)
	if p == ready && !l.doomed {
		// Without a limit nobody has to look at the record, which is out of the cache.
		if limit := m.limit(l); limit == unlimited || l.records.at(0).Offset < limit {
			p = busy
			out = m.begin(now, l, limit, out)
		}
	}
	m.file(l, p)
	if f := &l.forward; f.waits() && (at.IsZero() || f.until.Before(at)) {
		at = f.until
	}
	if m.frozen() {
		at = time.Time{}
	}
	m.timers.set(l, at)
	return out
}

func (m *Machine) serveAll(now time.Time, out []Effect) []Effect {
	for i := range m.lanes {
		out = m.serve(now, &m.lanes[i], out)
	}
	return out
}

// standing is what a lane waits for at now, and until when.
func (m *Machine) standing(now time.Time, l *lane) (place, time.Time) {
	switch {
	case l.handed > 0:
		return busy, time.Time{}
	case l.records.len() == 0:
		return idle, time.Time{}
	case l.hung || l.stopped:
		return blocked, time.Time{}
	case l.doomed:
		return ready, time.Time{}
	case now.Before(l.until):
		return retrying, l.until
	case m.cfg.Delay > 0:
		if at := l.notes.at(0).due; at > now.UnixNano() {
			// Sums keep now's monotonic reading, by which the heap compares it with retries: after
			// a jump of the wall clock a time without one would stand before them for as long.
			return delayed, now.Add(time.Duration(at - now.UnixNano()))
		}
	}
	return ready, time.Time{}
}

func (m *Machine) file(l *lane, p place) {
	m.filed[l.place]--
	m.filed[p]++
	l.place = p
}
