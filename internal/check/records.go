package check

import (
	"sort"
	"time"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Loss judges S1: every acknowledged record was finished, or nobody had to.
func Loss(events []history.Event) Verdict { return loss(newFacts(events)) }

func loss(f *facts) Verdict {
	v := Verdict{Check: S1}
	excused, finished := f.excuses(), f.terminals()
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Acked || excused.has(placeOf(e)) {
			continue
		}
		v.Compared++
		if _, ok := finished[placeOf(e)]; !ok {
			v.add([]uint64{e.Seq}, "%s offset %d (record %q) was acknowledged and never finished", e.TP(), e.Offset, e.ID)
		}
	}
	return v
}

// CommitLine judges S2: no commit passes a record that was not finished when the commit
// was issued. A commit that was refused does not count; one of unknown outcome does. What
// an observer saw is judged by the time at which it was seen, which is later. The offset
// that an admin has set is no runtime's: it is not judged where it is seen.
func CommitLine(events []history.Event) Verdict { return commitLine(newFacts(events)) }

func commitLine(f *facts) Verdict {
	v := Verdict{Check: S2}
	lines := linesOf(f)
	judge := func(e *history.Event, how string) {
		line := lines[e.TP()]
		if line == nil || e.Offset <= line.offsets[0] {
			return
		}
		v.Compared++
		if offset, at, ok := line.passed(e.Offset, e.Seq); ok {
			seqs := []uint64{e.Seq}
			if at != never {
				seqs = append(seqs, at)
			}
			v.add(seqs, "%s: %s %d passes %d, which was not finished", e.TP(), how, e.Offset, offset)
		}
	}
	for _, c := range f.commits() {
		if c.result != history.ResultRefused {
			judge(c.sent, "commit of "+c.sent.Incarnation+" at")
		}
	}
	set := map[observe.TopicPartition]int64{} // by an admin, and not seen since
	for i := range f.events {
		switch e := &f.events[i]; {
		case e.Kind == history.Reset:
			set[e.TP()] = e.Offset
		case e.Kind == history.CommittedObserved:
			if at, ok := set[e.TP()]; ok && at == e.Offset {
				continue
			}
			judge(e, "committed offset")
		case e.Kind == history.CommitOnWire && e.Result == history.ResultOK:
			judge(e, "commit of member "+e.Member+" at")
		default:
		}
	}
	return v
}

// line is what a partition holds: the offsets that exist and have to be finished, and
// when the last of those up to each was.
type line struct {
	offsets  []int64 // ascending
	finished []uint64
}

// linesOf lists what was acknowledged or found by the final read.
func linesOf(f *facts) map[observe.TopicPartition]*line {
	excused, finished := f.excuses(), f.terminals()
	lines := map[observe.TopicPartition]*line{}
	for tp, all := range f.existing() {
		var list []int64
		for _, offset := range all {
			if !excused.has(place{tp, offset}) {
				list = append(list, offset)
			}
		}
		if len(list) == 0 {
			continue
		}
		l := &line{list, make([]uint64, len(list))}
		high := uint64(0)
		for i, offset := range list {
			at, ok := finished[place{tp, offset}]
			if !ok {
				at = never
			}
			high = max(high, at)
			l.finished[i] = high
		}
		lines[tp] = l
	}
	return lines
}

// passed is the lowest offset below next that was not finished before seq, and when it
// was.
func (l *line) passed(next int64, seq uint64) (offset int64, at uint64, ok bool) { //nolint:nonamedreturns // tells them apart
	i := sort.Search(len(l.finished), func(i int) bool { return l.finished[i] >= seq })
	if i == len(l.offsets) || l.offsets[i] >= next {
		return 0, 0, false
	}
	return l.offsets[i], l.finished[i], true
}

// Delay judges S8: no call begins before the record is due, as the journal knows it.
func Delay(events []history.Event) Verdict { return delay(newFacts(events)) }

func delay(f *facts) Verdict {
	v := Verdict{Check: S8}
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Enter || e.Due == 0 {
			continue
		}
		v.Compared++
		if e.Wall < e.Due {
			v.add([]uint64{e.Seq}, "%s offset %d began %v before it was due", e.TP(), e.Offset, time.Duration(e.Due-e.Wall))
		}
	}
	return v
}
