package check

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

const never = math.MaxUint64 // a Seq that no event has

// place is a record's.
type place struct {
	tp     observe.TopicPartition
	offset int64
}

func placeOf(e *history.Event) place { return place{e.TP(), e.Offset} }

// holding is a partition within an incarnation.
type holding struct {
	incarnation string
	tp          observe.TopicPartition
}

func holdingOf(e *history.Event) holding { return holding{e.Incarnation, e.TP()} }

// lane is a virtual partition within an incarnation.
type lane struct {
	holding
	index int32
}

func laneOf(e *history.Event) lane { return lane{holdingOf(e), e.Lane} }

// span is a range of offsets, [from, to).
type span struct{ from, to int64 }

// spans are ranges that are asked about after all were added.
type spans struct {
	all    []span
	merged bool
}

func (s *spans) add(from, to int64) {
	if from < to {
		s.all, s.merged = append(s.all, span{from, to}), false
	}
}

func (s *spans) has(offset int64) bool {
	if s == nil {
		return false
	}
	if !s.merged {
		s.merge()
	}
	i := sort.Search(len(s.all), func(i int) bool { return s.all[i].to > offset })
	return i < len(s.all) && s.all[i].from <= offset
}

func (s *spans) merge() {
	slices.SortFunc(s.all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	out := s.all[:0]
	for _, x := range s.all {
		if n := len(out); n > 0 && x.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, x.to)
		} else {
			out = append(out, x)
		}
	}
	s.all, s.merged = out, true
}

// excuses say which records nobody has to handle.
type excuses struct {
	start    map[observe.TopicPartition]int64
	removed  map[observe.TopicPartition]*spans // by the test
	gaps     map[observe.TopicPartition]*spans // by the runtime's word
	logStart map[observe.TopicPartition]int64  // the highest that was observed
}

func excusesOf(events []history.Event) *excuses {
	x := &excuses{map[observe.TopicPartition]int64{}, map[observe.TopicPartition]*spans{}, map[observe.TopicPartition]*spans{}, map[observe.TopicPartition]int64{}}
	for i := range events {
		e := &events[i]
		switch e.Kind {
		case history.GroupStart:
			x.start[e.TP()] = max(x.start[e.TP()], e.Offset)
		case history.LogObserved:
			x.logStart[e.TP()] = max(x.logStart[e.TP()], e.Offset)
		case history.Removed:
			addSpan(x.removed, e)
		case history.Gap:
			addSpan(x.gaps, e)
		default:
		}
	}
	return x
}

func addSpan(m map[observe.TopicPartition]*spans, e *history.Event) {
	if m[e.TP()] == nil {
		m[e.TP()] = &spans{}
	}
	m[e.TP()].add(e.Offset, e.To)
}

// has reports whether p need not be handled: it lies before the group's start, the test
// removed it, or the runtime told of a gap there and the broker's log bears it out.
func (x *excuses) has(p place) bool {
	return p.offset < x.start[p.tp] || x.removed[p.tp].has(p.offset) ||
		p.offset < x.logStart[p.tp] && x.gaps[p.tp].has(p.offset)
}

// terminals says when each record was finished first: by a call of a behavior that
// returned nil, or by a copy that was read back from a dead letter topic. When the copy
// came to be is the runtime's word, and without it the copy's own timestamp.
func terminals(events []history.Event) map[place]uint64 {
	first := map[place]uint64{}
	note := func(p place, seq uint64) {
		if old, ok := first[p]; !ok || seq < old {
			first[p] = seq
		}
	}
	forwarded := map[place]uint64{}
	for i := range events {
		switch e := &events[i]; {
		case e.Kind == history.Leave && e.Result == history.ResultOK:
			note(placeOf(e), e.Seq)
		case e.Kind == history.Foreign: // the policy of a topic that groups share: the test looks at whose it was
			note(placeOf(e), e.Seq)
		case e.Kind == history.Forwarded:
			if _, ok := forwarded[placeOf(e)]; !ok {
				forwarded[placeOf(e)] = e.Seq
			}
		default:
		}
	}
	seqAt := clock(events)
	for i := range events {
		e := &events[i]
		if e.Kind != history.DeadLetterObserved {
			continue
		}
		seq, told := forwarded[placeOf(e)]
		switch {
		case told:
		case e.Due != 0:
			seq = min(seqAt(e.Due), e.Seq)
		default:
			seq = e.Seq
		}
		note(placeOf(e), seq)
	}
	return first
}

// clock turns a time into the Seq of the first event at or after it.
func clock(events []history.Event) func(wall int64) uint64 {
	latest := make([]int64, len(events))
	high := int64(math.MinInt64)
	for i := range events {
		high = max(high, events[i].Wall)
		latest[i] = high
	}
	return func(wall int64) uint64 {
		if i := sort.Search(len(latest), func(i int) bool { return latest[i] >= wall }); i < len(events) {
			return events[i].Seq
		}
		return never
	}
}
