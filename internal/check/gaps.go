package check

import (
	"cmp"
	"slices"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Gaps judges S13. A gap that a runtime tells of lies below a log start that was observed:
// those that say what else is wrong, a log that was cut off or a batch too large, are not
// judged. And of records that were deleted before anybody finished them the runtime tells,
// once a commit or an assignment has gone past them; what the test removed was a hole, where
// it was compacted away before the log began behind it. Compared are gaps, and records that
// were skipped. Records before the lowest position that the group ever had, and what an admin's reset went past, are
// skipped by those who set it up.
func Gaps(events []history.Event) Verdict { return gaps(newFacts(events)) }

func gaps(f *facts) Verdict {
	v := Verdict{Check: S13}
	excused := f.excuses()
	low := map[observe.TopicPartition]int64{}           // where the group was first
	past := map[observe.TopicPartition]*history.Event{} // the highest that was reached
	resets := map[observe.TopicPartition]int64{}
	reach := func(e *history.Event) {
		if at, ok := low[e.TP()]; e.Offset >= 0 && (!ok || e.Offset < at) {
			low[e.TP()] = e.Offset
		}
		if past[e.TP()] == nil || past[e.TP()].Offset < e.Offset {
			past[e.TP()] = e
		}
	}
	for i := range f.events {
		switch e := &f.events[i]; {
		case e.Kind == history.Gap && e.Text == "":
			start, observed := excused.logStart[e.TP()]
			if !observed {
				continue
			}
			v.Compared++
			if e.To > start {
				v.add([]uint64{e.Seq}, "%s: %s epoch %d tells of a gap [%d, %d), and the log begins at %d", e.Incarnation, e.TP(), e.Epoch, e.Offset, e.To, start)
			}
		case e.Kind == history.CommitAnswered && e.Result == history.ResultOK, e.Kind == history.CommittedObserved, e.Kind == history.Assigned:
			reach(e)
		case e.Kind == history.Reset:
			resets[e.TP()] = max(resets[e.TP()], e.Offset)
		default:
		}
	}
	finished := f.terminals()
	for _, tp := range sorted(f.existing()) {
		for _, offset := range f.existing()[tp] {
			p := place{tp, offset}
			if offset >= excused.logStart[tp] || past[tp] == nil || offset >= past[tp].Offset {
				break // they ascend
			}
			if _, ok := finished[p]; ok || excused.removed[tp].has(offset) || offset < max(excused.start[tp], resets[tp], low[tp]) {
				continue
			}
			v.Compared++
			if !excused.gaps[tp].has(offset) {
				v.add([]uint64{past[tp].Seq}, "%s offset %d was deleted and is passed, and nobody told of a gap", tp, offset)
			}
		}
	}
	return v
}

func sorted[T any](m map[observe.TopicPartition]T) []observe.TopicPartition {
	tps := make([]observe.TopicPartition, 0, len(m))
	for tp := range m {
		tps = append(tps, tp)
	}
	slices.SortFunc(tps, compareTP)
	return tps
}

func compareTP(a, b observe.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
