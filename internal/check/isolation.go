package check

import (
	"sort"
	"time"

	"github.com/troupe-go/troupe/internal/history"
)

// patience is how long a record that is ready may wait for its call while there is trouble
// elsewhere. In virtual time it is called at once; on a busy machine it takes a while.
const patience = 10 * time.Second

// Isolation judges S16 as far as a history tells. A record is ready once it was fetched,
// its due time is there and the call before it in its virtual partition has returned nil.
// From the first trouble of a runtime on, such as a quarantine, a stop, a retry, a rebuild
// or a failed dead letter, no record that is ready in another virtual partition or in
// another partition waits longer than patience. And a partition that is at the horizon,
// with its buffer full or MaxAhead reached, is paused and says so (samples).
//
// Not judged are waits that have a reason of their own: the first record of a virtual
// partition after its assignment or a restart, for which a Start runs; one behind a call
// that failed; and those in which the partition drains, is rebuilt or is held by an
// operator, or in which a fault or a disturbance of the runtime begins or ends, such as a
// freeze. Compared are records that were ready with trouble elsewhere, and samples at the
// horizon.
func Isolation(events []history.Event) Verdict { return isolation(newFacts(events)) }

func isolation(f *facts) Verdict {
	s := &separation{
		verdict: Verdict{Check: S16}, f: f,
		before: map[lane]*history.Event{}, batches: map[term]*batches{},
		trouble: map[string][]lane{}, breaks: map[holding]uint64{}, upsets: map[string]uint64{},
	}
	for i := range f.events {
		s.event(&f.events[i])
	}
	return s.verdict
}

type separation struct {
	verdict Verdict
	f       *facts
	before  map[lane]*history.Event // the Leave that the next Enter follows; nil: not to be judged
	batches map[term]*batches
	trouble map[string][]lane  // by incarnation: the first two that differ
	breaks  map[holding]uint64 // when a partition was last held up by itself
	upsets  map[string]uint64  // when an incarnation last was; "": all
}

// everywhere is the lane of trouble that concerns a whole partition.
const everywhere = -1

func (s *separation) event(e *history.Event) {
	switch e.Kind {
	case history.Enter:
		s.enter(e)
		delete(s.before, laneOf(e))
	case history.Leave:
		if e.Result == history.ResultOK {
			s.before[laneOf(e)] = e
		}
	case history.Fetched:
		s.fetched(e)
	case history.Sampled:
		s.horizon(e)
	case history.Quarantined, history.Halted, history.RetryScheduled:
		s.troubled(e, e.Lane)
		delete(s.before, laneOf(e))
	case history.Restarted, history.Freed, history.Forced:
		delete(s.before, laneOf(e))
	case history.Gap, history.ForwardFailed:
		s.troubled(e, everywhere)
	case history.Escalated, history.Lost:
		s.troubled(e, everywhere)
		s.breaks[holdingOf(e)] = e.Seq
	case history.Assigned, history.RevokeBegan, history.RevokeEnded:
		s.breaks[holdingOf(e)] = e.Seq
	case history.Paused, history.Resumed:
		if e.Text == "operator" {
			s.breaks[holdingOf(e)] = e.Seq
		}
	case history.Fault, history.Disturbance, history.ShutdownBegan, history.Rejoined:
		s.upsets[e.Incarnation] = e.Seq
	default:
	}
}

func (s *separation) troubled(e *history.Event, index int32) {
	at := lane{holdingOf(e), index}
	if list := s.trouble[e.Incarnation]; len(list) == 0 || len(list) == 1 && list[0] != at {
		s.trouble[e.Incarnation] = append(list, at)
	}
}

// elsewhere reports whether there was trouble that does not concern l.
func (s *separation) elsewhere(l lane) bool {
	for _, at := range s.trouble[l.incarnation] {
		if at != l && at != (lane{l.holding, everywhere}) {
			return true
		}
	}
	return false
}

// batches are what was fetched, from where it last went back on.
type batches struct {
	events []*history.Event
}

func (s *separation) fetched(e *history.Event) {
	b := s.batches[termOf(e)]
	if b == nil {
		b = &batches{}
		s.batches[termOf(e)] = b
	}
	if n := len(b.events); n > 0 && e.Offset < b.events[n-1].To {
		b.events = b.events[:0]
	}
	b.events = append(b.events, e)
}

// of is the batch that an offset came in, or nil.
func (b *batches) of(offset int64) *history.Event {
	if b == nil {
		return nil
	}
	i := sort.Search(len(b.events), func(i int) bool { return b.events[i].To > offset })
	if i == len(b.events) || b.events[i].Offset > offset {
		return nil
	}
	return b.events[i]
}

func (s *separation) enter(e *history.Event) {
	l := laneOf(e)
	previous := s.before[l]
	started := s.f.assignments().started[e.Seq]
	if previous == nil || started == nil || !s.elsewhere(l) {
		return
	}
	batch := s.batches[termOf(started)].of(e.Offset)
	if batch == nil || e.Attempt > 1 {
		return
	}
	ready := max(previous.Wall, batch.Wall, started.Due)
	since := max(previous.Seq, batch.Seq)
	if s.breaks[l.holding] > since || s.upsets[l.incarnation] > since || s.upsets[""] > since {
		return
	}
	s.verdict.Compared++
	if waited := time.Duration(e.Wall - ready); waited > patience {
		s.verdict.add([]uint64{previous.Seq, batch.Seq, e.Seq}, "%s: %s lane %d: offset %d was ready and waited %v, with trouble elsewhere",
			e.Incarnation, e.TP(), e.Lane, e.Offset, waited)
	}
}

func (s *separation) horizon(e *history.Event) {
	x := e.Sample
	if x == nil {
		return
	}
	reached := x.MaxBuffered > 0 && x.Buffered >= x.MaxBuffered || x.MaxBytes > 0 && x.Bytes >= x.MaxBytes || x.MaxAhead > 0 && x.Ahead >= x.MaxAhead
	if !reached {
		return
	}
	s.verdict.Compared++
	if len(x.Reasons) == 0 {
		s.verdict.add([]uint64{e.Seq}, "%s: %s is at its horizon (%d records, %d bytes, %d ahead) and is not paused",
			e.Incarnation, e.TP(), x.Buffered, x.Bytes, x.Ahead)
	}
}
