package check

import (
	"slices"
	"sort"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// facts are what several checks want to know of a history, each found out once. A facts
// belongs to one goroutine.
type facts struct {
	events []history.Event // ascending by Seq

	as       *assignments
	sent     []commit
	late     map[place][]outstanding
	excused  *excuses
	again    *duplicity
	anew     map[holding][]uint64
	finished map[place]uint64
	records  map[observe.TopicPartition][]int64
	left     map[observe.TopicPartition][]int64
	batches  map[term][]*history.Event // what was fetched
}

func newFacts(events []history.Event) *facts { return &facts{events: events} }

func (f *facts) assignments() *assignments {
	if f.as == nil {
		f.as = assignmentsOf(f.events)
	}
	return f.as
}

func (f *facts) commits() []commit {
	if f.sent == nil {
		f.sent = commitsOf(f.events)
	}
	return f.sent
}

func (f *facts) outstanding() map[place][]outstanding {
	if f.late == nil {
		f.late = outstandings(f.commits(), f.assignments())
	}
	return f.late
}

func (f *facts) excuses() *excuses {
	if f.excused == nil {
		f.excused = excusesOf(f.events)
	}
	return f.excused
}

func (f *facts) duplicity() *duplicity {
	if f.again == nil {
		f.again = newDuplicity(f)
	}
	return f.again
}

// renewals are when partitions began anew, with nothing of what they held in memory: after a
// Disturbance, and after a failure of their own supervisor.
func (f *facts) renewals() map[holding][]uint64 {
	if f.anew != nil {
		return f.anew
	}
	f.anew = map[holding][]uint64{}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.Disturbance || e.Kind == history.Escalated && e.Result == history.ResultSupervisor {
			f.anew[holdingOf(e)] = append(f.anew[holdingOf(e)], e.Seq)
		}
	}
	return f.anew
}

func (f *facts) terminals() map[place]uint64 {
	if f.finished == nil {
		f.finished = terminals(f.events)
	}
	return f.finished
}

// existing are the offsets that records are known to have had, ascending: those that
// were acknowledged or found by the final read.
func (f *facts) existing() map[observe.TopicPartition][]int64 {
	if f.records != nil {
		return f.records
	}
	f.records = map[observe.TopicPartition][]int64{}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.Acked || e.Kind == history.RecordObserved {
			f.records[e.TP()] = append(f.records[e.TP()], e.Offset)
		}
	}
	for tp, list := range f.records {
		slices.Sort(list)
		f.records[tp] = slices.Compact(list)
	}
	return f.records
}

// surviving are the existing offsets without those of records that the test removed before
// any behavior got them: they are holes.
func (f *facts) surviving() map[observe.TopicPartition][]int64 {
	if f.left != nil {
		return f.left
	}
	f.left = map[observe.TopicPartition][]int64{}
	entered := map[place]bool{}
	if len(f.excuses().removed) > 0 {
		for i := range f.events {
			if e := &f.events[i]; e.Kind == history.Enter {
				entered[placeOf(e)] = true
			}
		}
	}
	for tp, all := range f.existing() {
		if f.excuses().removed[tp] == nil {
			f.left[tp] = all
			continue
		}
		for _, offset := range all {
			if p := (place{tp, offset}); entered[p] || !f.excuses().removed[tp].has(offset) {
				f.left[tp] = append(f.left[tp], offset)
			}
		}
	}
	return f.left
}

// had are the surviving offsets, and those of records that the test removed when a had
// fetched them already: such a record waits in its lane like any other, and holds the line.
// Of a batch that brought what survived alone they are none. Where a batch goes back, as
// after a rebuild, a has what is fetched from there on.
func (f *facts) had(a *assignment) []int64 {
	surviving, removed := f.surviving()[a.tp], f.excuses().removed[a.tp]
	if removed == nil {
		return surviving
	}
	var gone []int64
	next := a.start
	for _, e := range f.fetched()[term{a.holding, a.epoch}] {
		if e.Offset < next {
			gone = nil
		}
		next = e.To
		if within(surviving, e) >= e.Count {
			continue
		}
		for offset := e.Offset; offset < e.To; offset++ {
			if removed.has(offset) && f.exists(place{a.tp, offset}) {
				gone = append(gone, offset)
			}
		}
	}
	all := slices.Concat(surviving, gone)
	slices.Sort(all)
	return slices.Compact(all)
}

// within counts the offsets, ascending, that a batch spans.
func within(offsets []int64, batch *history.Event) int {
	from, _ := slices.BinarySearch(offsets, batch.Offset)
	to, _ := slices.BinarySearch(offsets, batch.To)
	return to - from
}

// fetched are the batches of each assignment, in order.
func (f *facts) fetched() map[term][]*history.Event {
	if f.batches != nil {
		return f.batches
	}
	f.batches = map[term][]*history.Event{}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.Fetched {
			f.batches[termOf(e)] = append(f.batches[termOf(e)], e)
		}
	}
	return f.batches
}

// exists reports whether a record is known to have had an offset.
func (f *facts) exists(p place) bool {
	_, ok := slices.BinarySearch(f.existing()[p.tp], p.offset)
	return ok
}

// event is the one with a Seq, or nil.
func (f *facts) event(seq uint64) *history.Event {
	i := int(seq) - 1 //nolint:gosec // a Seq counts events
	if i < 0 || i >= len(f.events) || f.events[i].Seq != seq {
		i = sort.Search(len(f.events), func(i int) bool { return f.events[i].Seq >= seq })
	}
	if i < 0 || i >= len(f.events) || f.events[i].Seq != seq {
		return nil
	}
	return &f.events[i]
}
