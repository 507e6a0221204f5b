package check

import (
	"slices"
	"sort"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Holes judges S12: offsets that hold no record, such as transaction markers, aborted and
// compacted records, hold no line. Where an assignment ended with everything drained and
// committed, its last commit is behind the records that it finished in a row from its
// start, whatever lies between them. What it had fetched before it was removed is no hole
// to it. And where the harness says that the run has settled
// (history.Settled), the group has committed up to the end of the log, behind its last
// hole, unless a record is not finished or the partition is stopped. Compared are holes.
func Holes(events []history.Event) Verdict { return holes(newFacts(events)) }

func holes(f *facts) Verdict {
	h := &holed{Verdict{Check: S12}, f}
	h.ends()
	h.tails()
	return h.verdict
}

type holed struct {
	verdict Verdict
	f       *facts
}

// ends looks at assignments that ended well.
func (h *holed) ends() {
	d := newDuplicity(h.f)
	reached := map[term]*history.Event{} // the highest commit with an acknowledgment
	for _, c := range h.f.commits() {
		t := termOf(c.sent)
		if c.result == history.ResultOK && (reached[t] == nil || reached[t].Offset < c.sent.Offset) {
			reached[t] = c.sent
		}
	}
	var as []*assignment
	for a := range d.counted {
		if a.known && a.how == drained {
			as = append(as, a)
		}
	}
	slices.SortFunc(as, func(a, b *assignment) int { return int(a.begin) - int(b.begin) }) //nolint:gosec // they count events
	for _, a := range as {
		passed, first, last := h.row(a, d.line(a))
		h.verdict.Compared += passed
		to := reached[term{a.holding, a.epoch}]
		if passed == 0 || to != nil && to.Offset > last {
			continue
		}
		line := a.start
		if to != nil {
			line = to.Offset
		}
		h.verdict.add([]uint64{a.begin, a.end}, "%s: %s epoch %d finished all records up to %d and ended at the line %d: a hole begins at %d",
			a.incarnation, a.tp, a.epoch, last, line, first)
	}
}

// row counts the holes between the records that an assignment finished below its line,
// and tells where the first one begins and which record is the last.
func (h *holed) row(a *assignment, line int64) (passed int, first, last int64) { //nolint:nonamedreturns // tells them apart
	existing := h.f.surviving()[a.tp]
	next := a.start
	i, _ := slices.BinarySearch(existing, a.start)
	for ; i < len(existing) && existing[i] < line; i++ {
		if existing[i] > next {
			if passed == 0 {
				first = next
			}
			passed++
		}
		last = existing[i]
		next = last + 1
	}
	return passed, first, last
}

// tails looks at the partitions of a run that has settled.
func (h *holed) tails() {
	var settled uint64
	logs := map[observe.TopicPartition]*history.Event{}
	committed := map[observe.TopicPartition]*history.Event{}
	stopped := map[holding]map[string]bool{}
	produced := map[observe.TopicPartition]uint64{}
	for i := range h.f.events {
		switch e := &h.f.events[i]; e.Kind {
		case history.Settled:
			settled = e.Seq
		case history.LogObserved:
			logs[e.TP()] = e
		case history.CommittedObserved:
			committed[e.TP()] = e
		case history.Acked:
			produced[e.TP()] = e.Seq
		case history.Assigned:
			delete(stopped, holdingOf(e))
		case history.Paused, history.Resumed:
			if stopped[holdingOf(e)] == nil {
				stopped[holdingOf(e)] = map[string]bool{}
			}
			stopped[holdingOf(e)][e.Text] = e.Kind == history.Paused
		default:
		}
	}
	if settled == 0 {
		return
	}
	still := map[observe.TopicPartition]bool{} // an operator or a gap holds it
	for at, reasons := range stopped {
		still[at.tp] = still[at.tp] || reasons["operator"] || reasons["gap"]
	}
	for _, tp := range h.partitions() {
		log, line := logs[tp], committed[tp]
		if log == nil || line == nil || line.Seq < settled || produced[tp] > settled || still[tp] || h.unfinished(tp) {
			continue
		}
		n := h.holesIn(tp, log)
		h.verdict.Compared += n
		if n > 0 && line.Offset < log.To {
			h.verdict.add([]uint64{settled, line.Seq, log.Seq}, "%s: everything is finished, and the committed offset stays at %d of %d", tp, line.Offset, log.To)
		}
	}
}

// partitions are those that records are known of and a runtime has had, sorted.
func (h *holed) partitions() []observe.TopicPartition {
	var tps []observe.TopicPartition
	for tp := range h.f.surviving() {
		if len(h.f.assignments().byTP[tp]) > 0 {
			tps = append(tps, tp)
		}
	}
	slices.SortFunc(tps, compareTP)
	return tps
}

// unfinished reports whether a record that somebody has to handle is not finished.
func (h *holed) unfinished(tp observe.TopicPartition) bool {
	finished, excused := h.f.terminals(), h.f.excuses()
	for _, offset := range h.f.surviving()[tp] {
		if _, ok := finished[place{tp, offset}]; !ok && !excused.has(place{tp, offset}) {
			return true
		}
	}
	return false
}

// holesIn counts the holes of a log, the one at its end among them.
func (h *holed) holesIn(tp observe.TopicPartition, log *history.Event) int {
	existing, next, n := h.f.surviving()[tp], log.Offset, 0
	for i := sort.Search(len(existing), func(i int) bool { return existing[i] >= next }); i < len(existing); i++ {
		if existing[i] > next {
			n++
		}
		next = existing[i] + 1
	}
	if next < log.To {
		n++
	}
	return n
}
