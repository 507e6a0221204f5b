package check

import (
	"github.com/troupe-go/troupe/internal/history"
)

// Order judges S5: within an incarnation, partition, epoch, virtual partition and key
// calls begin by ascending offset; the same offset again is a redelivery. A Disturbance
// begins anew.
func Order(events []history.Event) Verdict {
	type window struct {
		lane
		epoch  uint64
		spell  int // counts disturbances
		key    string
		hasKey bool
	}
	v := Verdict{Check: S5}
	as := assignmentsOf(events)
	spells := map[holding]int{}
	last := map[window]*history.Event{}
	for i := range events {
		e := &events[i]
		if e.Kind == history.Disturbance {
			spells[holdingOf(e)]++
		}
		if e.Kind != history.Enter {
			continue
		}
		w := window{laneOf(e), 0, spells[holdingOf(e)], string(e.Key), e.Key != nil}
		if a, _ := as.of(e); a != nil {
			w.epoch = a.epoch
		}
		before := last[w]
		if before == nil {
			last[w] = e
			continue
		}
		v.Compared++
		if e.Offset < before.Offset {
			v.add([]uint64{before.Seq, e.Seq}, "%s: %s lane %d epoch %d key %q: offset %d began after offset %d",
				e.Incarnation, e.TP(), e.Lane, w.epoch, e.Key, e.Offset, before.Offset)
			continue
		}
		last[w] = e
	}
	return v
}

// Overlap judges S6: within an incarnation no two calls of a virtual partition overlap,
// over all its epochs. A call that was under way when an operator forced a restart is
// out of the count from then on.
func Overlap(events []history.Event) Verdict {
	v := Verdict{Check: S6}
	running := map[lane][]*history.Event{} // ascending; from the back, those that left are taken off
	left := map[uint64]bool{}
	for i := range events {
		e := &events[i]
		l := laneOf(e)
		switch e.Kind {
		case history.Enter:
			calls, used := running[l]
			if used {
				v.Compared++
			}
			for len(calls) > 0 && left[calls[len(calls)-1].Seq] {
				calls = calls[:len(calls)-1]
			}
			if n := len(calls); n > 0 {
				v.add([]uint64{calls[n-1].Seq, e.Seq}, "%s: %s lane %d: offset %d began while offset %d ran",
					e.Incarnation, e.TP(), e.Lane, e.Offset, calls[n-1].Offset)
			}
			running[l] = append(calls, e)
		case history.Leave:
			left[e.Ref] = true
		case history.Forced:
			if calls := running[l]; calls != nil {
				running[l] = calls[:0]
			}
		default:
		}
	}
	return v
}
