package check

import (
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Committed judges S3: what is committed never falls, both in what a poller reads and in
// what the broker accepts on the wire. A fall is excused when an admin set that offset,
// or to the line of a commit of unknown outcome that was outstanding. That one is to
// be made good: where the harness says that the run has settled (history.Settled), the
// committed offset is at or above every line that was acknowledged until then. Besides,
// within an epoch no commit is below one that was sent before; that counts as nothing
// compared. Where the partition's supervisor failed in between, one that had been refused by
// then does not count: the next supervisor begins at the line that was acknowledged.
func Committed(events []history.Event) Verdict { return committed(newFacts(events)) }

func committed(f *facts) Verdict {
	v := Verdict{Check: S3}
	late := f.outstanding()
	polled, wire := newRegister(&v, late), newRegister(&v, late)
	for i := range f.events {
		switch e := &f.events[i]; {
		case e.Kind == history.Reset:
			polled.reset(e)
			wire.reset(e)
		case e.Kind == history.CommittedObserved:
			polled.observe(e)
		case e.Kind == history.Assigned:
			wire.found(e)
		case e.Kind == history.CommitOnWire && e.Result == history.ResultOK:
			wire.observe(e)
		default:
		}
	}
	madeGood(f, &v)
	ascends(f, &v)
	return v
}

// ascends looks for commits that are below an earlier one of their epoch.
func ascends(f *facts, v *Verdict) {
	anew := map[holding][]uint64{}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.Escalated && e.Result == history.ResultSupervisor {
			anew[holdingOf(e)] = append(anew[holdingOf(e)], e.Seq)
		}
	}
	sent := map[term][]commit{} // ascending
	for _, c := range f.commits() {
		t := termOf(c.sent)
		list := sent[t]
		for n := len(list); n > 0 && list[n-1].result == history.ResultRefused && between(anew[t.holding], list[n-1].answered, c.sent.Seq); n-- {
			list = list[:n-1]
		}
		if n := len(list); n > 0 && c.sent.Offset < list[n-1].sent.Offset {
			v.add([]uint64{list[n-1].sent.Seq, c.sent.Seq}, "%s: %s epoch %d: commit of %d sent after one of %d",
				t.incarnation, t.tp, t.epoch, c.sent.Offset, list[n-1].sent.Offset)
			continue
		}
		sent[t] = append(list, c)
	}
}

// madeGood holds what is committed in the end against what was acknowledged, since an admin
// moved the group if one did.
func madeGood(f *facts, v *Verdict) {
	moved, settled := map[observe.TopicPartition]uint64{}, uint64(never)
	last := map[observe.TopicPartition]*history.Event{}
	for i := range f.events {
		switch e := &f.events[i]; {
		case e.Kind == history.Reset:
			moved[e.TP()] = e.Seq
		case e.Kind == history.Settled:
			settled = e.Seq
			clear(last)
		case e.Kind == history.CommittedObserved && e.Seq > settled:
			last[e.TP()] = e
		default:
		}
	}
	highest := map[observe.TopicPartition]*history.Event{}
	for _, c := range f.commits() {
		tp := c.sent.TP()
		if c.result != history.ResultOK || c.answered > settled || c.sent.Seq < moved[tp] {
			continue
		}
		if h := highest[tp]; h == nil || h.Offset < c.sent.Offset {
			highest[tp] = c.sent
		}
	}
	for tp, e := range last {
		h := highest[tp]
		if h == nil {
			continue
		}
		if v.Compared++; e.Offset < h.Offset {
			v.add([]uint64{h.Seq, e.Seq}, "%s: the committed offset is %d in the end, and %d was acknowledged", tp, e.Offset, h.Offset)
		}
	}
}

// register follows committed offsets through one window on the broker.
type register struct {
	verdict *Verdict
	late    map[place][]outstanding
	last    map[observe.TopicPartition]*history.Event
	resets  map[observe.TopicPartition][]int64 // set by an admin and not seen yet
}

func newRegister(v *Verdict, late map[place][]outstanding) *register {
	return &register{v, late, map[observe.TopicPartition]*history.Event{}, map[observe.TopicPartition][]int64{}}
}

func (r *register) reset(e *history.Event) { r.resets[e.TP()] = append(r.resets[e.TP()], e.Offset) }

func (r *register) observe(e *history.Event) {
	before := r.last[e.TP()]
	r.last[e.TP()] = e
	if before == nil {
		return
	}
	r.verdict.Compared++
	if e.Offset >= before.Offset || r.isReset(e) || r.isLate(before, e) {
		return
	}
	r.verdict.add([]uint64{before.Seq, e.Seq}, "%s: the committed offset fell from %d to %d", e.TP(), before.Offset, e.Offset)
}

// found takes a line at which an assignment begins, where a commit of unknown outcome has
// brought it back: nobody has seen the answer of that one. Any other is judged by what is
// committed next.
func (r *register) found(e *history.Event) {
	if before := r.last[e.TP()]; before != nil && e.Offset < before.Offset && r.isLate(before, e) {
		r.last[e.TP()] = e
	}
}

// isReset reports whether an admin explains a fall; each does so once.
func (r *register) isReset(e *history.Event) bool {
	resets := r.resets[e.TP()]
	for i, offset := range resets {
		if e.Offset >= offset {
			r.resets[e.TP()] = append(resets[:i:i], resets[i+1:]...)
			return true
		}
	}
	return false
}

// isLate reports whether a commit of unknown outcome explains a fall: it was outstanding
// at some time between the two observations.
func (r *register) isLate(before, e *history.Event) bool {
	for _, o := range r.late[placeOf(e)] {
		if o.from < e.Seq && o.to > before.Seq {
			return true
		}
	}
	return false
}

// Owner judges S4: an accepted commit was issued within an assignment of its sender that
// no other one followed. One that an expulsion had overtaken does not count: its member is
// told of it when the group has given the partition away. Where nobody knows whether the
// expulsion was done, it counts for its own commits, which the group took. Where the wire was watched, the
// member that sent the commit is the one that the group says has the partition.
func Owner(events []history.Event) Verdict { return owner(newFacts(events)) }

func owner(f *facts) Verdict {
	v := Verdict{Check: S4}
	as := f.assignments()
	for _, c := range f.commits() {
		if c.result != history.ResultOK {
			continue
		}
		v.Compared++
		e := c.sent
		own := as.byEpoch[holdingOf(e)][e.Epoch]
		if own == nil || own.begin == 0 || e.Seq < own.begin || e.Seq > own.end {
			v.add([]uint64{e.Seq}, "%s: commit of %d by %s, epoch %d, outside of its assignment", e.TP(), e.Offset, e.Incarnation, e.Epoch)
			continue
		}
		if newest := as.owner(own, e.Seq); newest != own {
			v.add([]uint64{e.Seq, newest.begin}, "%s: commit of %d by %s, epoch %d, when %s, epoch %d, had it",
				e.TP(), e.Offset, e.Incarnation, e.Epoch, newest.incarnation, newest.epoch)
		}
	}
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.CommitOnWire || e.Result != history.ResultOK || e.Owner == "" {
			continue
		}
		v.Compared++
		if e.Member != e.Owner {
			v.add([]uint64{e.Seq}, "%s: the broker took a commit of %d from member %q, but %q is the owner", e.TP(), e.Offset, e.Member, e.Owner)
		}
	}
	return v
}
