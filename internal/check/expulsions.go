package check

import (
	"slices"

	"github.com/troupe-go/troupe/internal/history"
)

// expulsion is that an admin took an incarnation out of its group, which has not joined since.
type expulsion struct {
	asked uint64 // Seq of when the admin asked for it; 0: none
	sure  bool   // the group has said that it was done
}

// expelling notes that an admin asks for e's incarnation to be taken out of the group, which
// may be done from here on. An assignment whose answer was under way is told of later, when
// the partition may be another one's. Whether it joined since is known where joins are
// watched.
func (as *assignments) expelling(e *history.Event) {
	as.expelled[e.Incarnation] = append(as.expelled[e.Incarnation], e.Seq)
	if as.joined[e.Incarnation] > 0 && as.out[e.Incarnation].asked == 0 {
		as.out[e.Incarnation] = expulsion{asked: e.Seq}
	}
}

// answered notes what the group said to an admin.
func (as *assignments) answered(e *history.Event) {
	asked := e.Ref
	if asked == 0 { // nobody told when it was asked for
		asked = e.Seq
		as.expelling(e)
	}
	switch {
	case e.Result == history.ResultRefused:
		as.expelled[e.Incarnation] = slices.DeleteFunc(as.expelled[e.Incarnation], func(at uint64) bool { return at == asked })
		if as.out[e.Incarnation] == (expulsion{asked: asked}) {
			delete(as.out, e.Incarnation)
		}
	case as.joined[e.Incarnation] > 0 && as.joined[e.Incarnation] < asked && !as.out[e.Incarnation].sure:
		as.out[e.Incarnation] = expulsion{asked, true}
	}
}

// rejoined notes that the group has e's incarnation as a member.
func (as *assignments) rejoined(e *history.Event) {
	as.joined[e.Incarnation] = e.Seq
	delete(as.out, e.Incarnation)
}

// orders are the orders in which the group may have given a partition to two assignments,
// the older one first. It is the order in which they are told of, but for one that an
// expulsion had overtaken when the other began: the group gave the partition away behind its
// back, also where it is told of that one later.
func orders(a, b *assignment) [][2]*assignment {
	if a.begin > b.begin {
		a, b = b, a
	}
	told, turned := [2]*assignment{a, b}, [2]*assignment{b, a}
	switch {
	case b.out.asked == 0 || a.begin < b.out.asked:
		return [][2]*assignment{told}
	case b.out.sure && a.out.asked == 0:
		return [][2]*assignment{turned}
	default: // nobody can tell
		return [][2]*assignment{told, turned}
	}
}

// owner is the assignment that has own's partition at seq. One that an expulsion may have
// overtaken counts for its own commits alone: the group took them, so it was not done.
func (as *assignments) owner(own *assignment, seq uint64) *assignment {
	list := as.byTP[own.tp]
	for {
		a := latest(list, seq)
		if a == nil || a == own || a.out.asked == 0 {
			return a
		}
		seq = a.begin
	}
}

// dropped is when an admin took a's incarnation out of the group, if that was before seq;
// 0: it was not. Its session lives on as far as it can know.
func (as *assignments) dropped(a *assignment, seq uint64) uint64 {
	if a.out.asked > 0 {
		return a.out.asked
	}
	for _, at := range as.expelled[a.incarnation] {
		if a.begin < at && at < seq {
			return at
		}
	}
	return 0
}
