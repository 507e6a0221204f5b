package check

import (
	"sort"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// PollOrder judges what enters a partition within an assignment (guarantees 6.4.10): the
// offsets ascend, from batch to batch, beginning where the assignment does, and no record
// that is known to have been there is left out. A rebuild of the partition reads again
// from its line. What is left out behind a gap that was told of, or was removed, is not
// judged here: see Gaps. Compared are batches.
func PollOrder(events []history.Event) Verdict { return pollOrder(newFacts(events)) }

func pollOrder(f *facts) Verdict {
	p := &polled{Verdict{Check: Poll}, f, map[term]*reading{}}
	for i := range f.events {
		e := &f.events[i]
		switch e.Kind {
		case history.Assigned:
			if t := termOf(e); p.readings[t] == nil {
				p.readings[t] = &reading{next: e.Offset, known: true}
			}
		case history.Escalated:
			p.of(e).back = true
		case history.Disturbance:
			for t, r := range p.readings {
				if t.holding == holdingOf(e) {
					r.back = true
				}
			}
		case history.Fetched:
			p.fetched(e)
		default:
		}
	}
	return p.verdict
}

// term is an assignment of a partition within an incarnation.
type term struct {
	holding
	epoch uint64
}

func termOf(e *history.Event) term { return term{holdingOf(e), e.Epoch} }

// reading is how far a partition has been read in an assignment.
type reading struct {
	next  int64
	known bool // next is
	back  bool // it may go back once
}

type polled struct {
	verdict  Verdict
	f        *facts
	readings map[term]*reading
}

func (p *polled) of(e *history.Event) *reading {
	t := termOf(e)
	if p.readings[t] == nil {
		p.readings[t] = &reading{}
	}
	return p.readings[t]
}

func (p *polled) fetched(e *history.Event) {
	r := p.of(e)
	next := r.next
	if !r.known {
		next = e.Offset
	}
	if e.Offset < next && !r.back {
		p.verdict.add([]uint64{e.Seq}, "%s: %s epoch %d: a batch begins at %d, and %d was reached before", e.Incarnation, e.TP(), e.Epoch, e.Offset, next)
	}
	p.verdict.Compared++
	r.back = r.back && e.Offset >= next // used up by the batch that goes back
	r.next, r.known = e.To, true
	if offset, ok := p.missing(e.TP(), next, e.Offset); ok {
		p.verdict.add([]uint64{e.Seq}, "%s: %s epoch %d: offset %d was skipped between %d and %d", e.Incarnation, e.TP(), e.Epoch, offset, next, e.Offset)
	}
	if e.Count > 0 && p.count(e.TP(), e.Offset, e.To) > e.Count {
		p.verdict.add([]uint64{e.Seq}, "%s: %s epoch %d: of [%d, %d) only %d records came in", e.Incarnation, e.TP(), e.Epoch, e.Offset, e.To, e.Count)
	}
}

// missing is a record in [from, to) that has to be delivered.
func (p *polled) missing(tp observe.TopicPartition, from, to int64) (int64, bool) {
	offsets := p.f.existing()[tp]
	for i := sort.Search(len(offsets), func(i int) bool { return offsets[i] >= from }); i < len(offsets) && offsets[i] < to; i++ {
		if !p.excused(place{tp, offsets[i]}) {
			return offsets[i], true
		}
	}
	return 0, false
}

// count is how many records in [from, to) have to be delivered.
func (p *polled) count(tp observe.TopicPartition, from, to int64) int {
	offsets, n := p.f.existing()[tp], 0
	for i := sort.Search(len(offsets), func(i int) bool { return offsets[i] >= from }); i < len(offsets) && offsets[i] < to; i++ {
		if !p.excused(place{tp, offsets[i]}) {
			n++
		}
	}
	return n
}

// excused reports whether nobody has to read a record, or it may have been gone by then.
func (p *polled) excused(at place) bool {
	x := p.f.excuses()
	return x.has(at) || x.gone(at) || x.gaps[at.tp].has(at.offset)
}
