package check

import (
	"slices"

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
	running := map[lane][]*history.Event{} // those that have not left, ascending
	for i := range events {
		e := &events[i]
		l := laneOf(e)
		switch e.Kind {
		case history.Enter:
			before, used := running[l]
			if used {
				v.Compared++
			}
			if n := len(before); n > 0 {
				other := before[n-1]
				v.add([]uint64{other.Seq, e.Seq}, "%s: %s lane %d: offset %d began while offset %d ran",
					e.Incarnation, e.TP(), e.Lane, e.Offset, other.Offset)
			}
			running[l] = append(before, e)
		case history.Leave:
			if i := slices.IndexFunc(running[l], func(o *history.Event) bool { return o.Seq == e.Ref }); i >= 0 {
				running[l] = slices.Delete(running[l], i, i+1)
			}
		case history.Forced:
			running[l] = running[l][:0]
		default:
		}
	}
	return v
}
