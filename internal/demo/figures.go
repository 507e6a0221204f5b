package demo

import (
	"slices"
	"time"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// figures are what a report tells beside the verdict, from the same history.
type figures struct {
	finished map[string]int // records by topic, each once
	byMember map[string]int // calls that finished a record
	began    time.Time      // the first order was sent
	ended    time.Time      // the last order was finished
	repeated int            // records that were finished more than once
	retried  int            // calls that failed
	panicked int

	// Of each delayed record's first delivery, ascending: those that fell due while their
	// member had the partition, and those that fell due before, between two members.
	lateness, moved []time.Duration
}

func figuresOf(events []history.Event, orders string) figures {
	events = placed(events)
	f := figures{finished: map[string]int{}, byMember: map[string]int{}}
	finished, late := map[string]int{}, lateness{entered: map[string]bool{}, spells: map[observe.TopicPartition]spell{}}
	for i := range events {
		switch e := &events[i]; e.Kind {
		case history.Sent:
			if f.began.IsZero() && e.Topic == orders {
				f.began = time.Unix(0, e.Wall)
			}
		case history.Enter:
			f.enter(e, &late)
		case history.Leave:
			f.leave(e, finished, orders)
		case history.Disturbance:
			if s := late.spells[e.TP()]; s.member == e.Incarnation {
				late.spells[e.TP()] = spell{}
			}
		default:
		}
	}
	slices.Sort(f.lateness)
	slices.Sort(f.moved)
	return f
}

// lateness is what is known while the delayed records are gone through.
type lateness struct {
	entered map[string]bool
	spells  map[observe.TopicPartition]spell
}

// spell is since when a member works on a partition; empty: nobody does.
type spell struct {
	member string
	since  int64
}

func (f *figures) enter(e *history.Event, l *lateness) {
	if e.Due == 0 || l.entered[e.ID] {
		return
	}
	l.entered[e.ID] = true
	s, known := l.spells[e.TP()]
	if s.member != e.Incarnation {
		s = spell{member: e.Incarnation}
		if known {
			s.since = e.Wall
		}
		l.spells[e.TP()] = s
	}
	if late := time.Duration(e.Wall - e.Due); e.Due < s.since {
		f.moved = append(f.moved, late)
	} else {
		f.lateness = append(f.lateness, late)
	}
}

func (f *figures) leave(e *history.Event, finished map[string]int, orders string) {
	switch e.Result {
	case history.ResultOK:
		finished[e.ID]++
		f.byMember[e.Incarnation]++
		switch finished[e.ID] {
		case 1:
			f.finished[e.Topic]++
			if e.Topic == orders {
				f.ended = time.Unix(0, e.Wall)
			}
		case 2:
			f.repeated++
		}
	case history.ResultError:
		f.retried++
	case history.ResultPanic:
		f.panicked++
	default:
	}
}

// percentile is what a share q does not exceed.
func percentile(ascending []time.Duration, q float64) time.Duration {
	n := len(ascending)
	if n == 0 {
		return 0
	}
	return ascending[min(int(q*float64(n)), n-1)]
}

// took is how long the orders took, from the first sent to the last finished.
func (f *figures) took() time.Duration { return max(f.ended.Sub(f.began), 0) }

func rate(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
