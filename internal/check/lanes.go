package check

import (
	"slices"

	"github.com/troupe-go/troupe/internal/history"
)

// Order judges S5: within an incarnation, partition, epoch, virtual partition and key
// calls begin by ascending offset; the same offset again is a redelivery. A Disturbance
// and a failure of the partition's own supervisor begin anew: what it held in memory, and
// with it what was finished above the line that the broker may have, is not trusted (scenario 86).
// Besides, a key has one virtual partition of a partition for as long as the incarnation
// lives: a call that goes on over a revoke holds that one, and in another a later record of
// the key would run beside it. That counts as nothing compared.
func Order(events []history.Event) Verdict { return order(newFacts(events)) }

func order(f *facts) Verdict {
	type window struct {
		lane
		epoch  uint64
		spell  int // of the beginnings anew, which one it is
		key    string
		hasKey bool
	}
	v := Verdict{Check: S5}
	as := f.assignments()
	anew := f.renewals()
	last := map[window]*history.Event{}
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Enter {
			continue
		}
		a, at := as.of(e)
		spell, _ := slices.BinarySearch(anew[holdingOf(e)], at)
		w := window{laneOf(e), 0, spell, string(e.Key), e.Key != nil}
		if a != nil {
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
	oneLane(f, &v)
	return v
}

// oneLane looks for keys that change their virtual partition.
func oneLane(f *facts, v *Verdict) {
	type owner struct {
		holding
		key string
	}
	last := map[owner]*history.Event{}
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Enter || e.Key == nil {
			continue
		}
		o := owner{holdingOf(e), string(e.Key)}
		if before := last[o]; before != nil && before.Lane != e.Lane {
			v.add([]uint64{before.Seq, e.Seq}, "%s: %s key %q: offset %d began in lane %d, and offset %d in lane %d",
				e.Incarnation, e.TP(), e.Key, before.Offset, before.Lane, e.Offset, e.Lane)
		}
		last[o] = e
	}
}

// Overlap judges S6: within an incarnation no two calls of a virtual partition overlap,
// over all its epochs. A call that was under way when an operator forced a restart is
// out of the count from then on.
//
// Across incarnations two calls of a record overlap only where the older assignment was
// over by then, so that its call goes on in quarantine, or is lost or killed without
// knowing it yet. So it is with a static member while another process takes its instance
// id: the group drops it then, and it may end by a revoke or a stop before it learns that.
// One that an admin took out of its group may end by a stop, too, or by a revoke that was
// under way. It is the older one also where it is told of its assignment later.
// A process that was frozen meanwhile may do so, too: when it thaws it learns nothing
// before the calls that it had under way go on, and a revoke may end then that began
// before (guarantees 1.5). A call that never ended is not judged.
func Overlap(events []history.Event) Verdict { return overlap(newFacts(events)) }

func overlap(f *facts) Verdict {
	v := Verdict{Check: S6}
	running := map[lane][]*history.Event{} // ascending; from the back, those that left are taken off
	left := map[uint64]bool{}
	for i := range f.events {
		e := &f.events[i]
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
	across(f, &v)
	return v
}

// across looks at calls of a record by several incarnations.
func across(f *facts, v *Verdict) {
	as := f.assignments()
	ended := map[uint64]uint64{} // the Seq of the Leave, by that of its Enter
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.Leave {
			ended[e.Ref] = e.Seq
		}
	}
	last := map[place]*history.Event{} // the call that ends last
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Enter || ended[e.Seq] == 0 {
			continue
		}
		before := last[placeOf(e)]
		if before == nil || ended[before.Seq] < ended[e.Seq] {
			last[placeOf(e)] = e
		}
		if before == nil || before.Incarnation == e.Incarnation || ended[before.Seq] < e.Seq {
			continue
		}
		v.Compared++
		held, _ := as.of(before)
		holds, at := as.of(e)
		if held == nil || holds == nil {
			continue
		}
		still := func(o [2]*assignment) bool {
			began := at
			if o[1] == held {
				began = before.Seq
			}
			return as.still(o[0], before.Seq, began, min(ended[before.Seq], ended[e.Seq]))
		}
		if all := orders(held, holds); !slices.ContainsFunc(all, func(o [2]*assignment) bool { return !still(o) }) {
			v.add([]uint64{before.Seq, e.Seq}, "%s offset %d: calls of %s and %s overlap, and %s still had the partition",
				e.TP(), e.Offset, before.Incarnation, e.Incarnation, all[0][0].incarnation)
		}
	}
}

// still reports whether a had its partition, and could know that it was to lose it, when the
// next one's call began. The two calls overlap until until, and the first began at first.
func (as *assignments) still(a *assignment, first, began, until uint64) bool {
	if _, dead := as.killed[a.incarnation]; dead || a.how == lost || a.end <= began {
		return false
	}
	if as.frozen(a.incarnation, first, began) {
		return false
	}
	if at := as.dropped(a, until); at > 0 && (!a.taken || a.revoking > 0 && a.revoking < at) {
		return false
	}
	replaced, ok := as.replaced[a.incarnation]
	return !ok || replaced > until
}
