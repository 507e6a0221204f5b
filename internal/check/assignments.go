package check

import (
	"slices"
	"sort"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// assignment is the time for which an incarnation has a partition.
type assignment struct {
	holding
	epoch uint64
	begin uint64
	end   uint64 // Seq of its end; never: none
	taken bool   // it ended by a revoke or a loss, not by a stop
	how   ending

	revoking uint64 // Seq of the beginning of its revoke; 0: none

	out expulsion // what had overtaken it: its incarnation was out of the group when it was told

	known bool  // where it began is in the history
	start int64 // the first offset that is fetched
}

// ending is how an assignment ended.
type ending int

const (
	endless ending = iota // it did not, or nobody said so
	drained               // every delivery had ended, and the line was committed
	cut                   // it was revoked, or the runtime ended, and that was not all so
	lost                  // it was lost
)

// assignments are those of a history.
type assignments struct {
	byEpoch   map[holding]map[uint64]*assignment
	byHolding map[holding][]*assignment                // ascending by begin
	byTP      map[observe.TopicPartition][]*assignment // ascending by begin; without those that an expulsion had overtaken
	started   map[uint64]*history.Event                // the runtime's Started, by the Seq of the journal's Enter
	killed    map[string]uint64                        // when an incarnation was, by name
	replaced  map[string]uint64                        // when another one had its instance id, by name
	expelled  map[string][]uint64                      // when an admin took it out of the group, by name
	freezes   map[string][]freeze                      // ascending, by name of the incarnation
	joined    map[string]uint64                        // when it last was, where joins are watched, by name
	out       map[string]expulsion                     // by name
}

// freeze is a time in which a process stands still. It learns nothing then.
type freeze struct {
	begin, end uint64
	faults     int // that hold it still
}

func (as *assignments) freeze(e *history.Event) {
	if e.Text != history.Freeze {
		return
	}
	list := as.freezes[e.Incarnation]
	n := len(list)
	open := n > 0 && list[n-1].end == never
	switch begins := e.Result == history.ResultBegin; {
	case begins && open:
		list[n-1].faults++
	case begins:
		as.freezes[e.Incarnation] = append(list, freeze{e.Seq, never, 1})
	case open:
		if list[n-1].faults--; list[n-1].faults == 0 {
			list[n-1].end = e.Seq
		}
	}
}

// frozen reports whether an incarnation stood still at some time from one event to another.
func (as *assignments) frozen(incarnation string, from, to uint64) bool {
	return slices.ContainsFunc(as.freezes[incarnation], func(x freeze) bool { return x.begin < to && x.end > from })
}

// call is a call of a behavior as both the runtime and the journal know it.
type call struct {
	lane
	offset  int64
	attempt int
}

func callOf(e *history.Event) call { return call{laneOf(e), e.Offset, e.Attempt} }

func assignmentsOf(events []history.Event) *assignments {
	as := &assignments{
		map[holding]map[uint64]*assignment{},
		map[holding][]*assignment{},
		map[observe.TopicPartition][]*assignment{},
		map[uint64]*history.Event{},
		map[string]uint64{},
		map[string]uint64{},
		map[string][]uint64{},
		map[string][]freeze{},
		map[string]uint64{},
		map[string]expulsion{},
	}
	instances := map[string]string{}    // the incarnation that has an instance id
	passed := map[call]*history.Event{} // the last Started that no Enter has followed yet
	for i := range events {
		switch e := &events[i]; e.Kind {
		case history.Assigned:
			as.begin(e)
		case history.RevokeBegan:
			as.known(e).revoking = e.Seq
		case history.RevokeEnded, history.Lost:
			as.end(as.known(e), e.Seq, true, howEnded(e))
		case history.Stopped:
			as.end(as.known(e), e.Seq, false, howEnded(e))
		case history.MemberIs:
			as.rejoined(e)
			as.member(e, instances)
		case history.Fault:
			as.freeze(e)
		case history.Killed:
			as.killed[e.Incarnation] = e.Seq
		case history.Expelling:
			as.expelling(e)
		case history.Expelled:
			as.answered(e)
		case history.ShutdownEnded:
			as.endAll(e)
		case history.Started:
			passed[callOf(e)] = e
		case history.Enter:
			if s := passed[callOf(e)]; s != nil {
				as.started[e.Seq] = s
				delete(passed, callOf(e))
			}
		default:
		}
	}
	return as
}

// member notes that the group knows an instance id as e's incarnation. It forgets at once
// the one that had it, which learns that later. An answer to that one may still be under way.
func (as *assignments) member(e *history.Event, instances map[string]string) {
	before := instances[e.Text]
	if _, gone := as.replaced[e.Incarnation]; e.Text == "" || gone || before == e.Incarnation {
		return
	}
	if before != "" {
		as.replaced[before] = e.Seq
	}
	instances[e.Text] = e.Incarnation
}

// known is the assignment that e is about, also one whose begin is not in the history.
func (as *assignments) known(e *history.Event) *assignment {
	h := holdingOf(e)
	if as.byEpoch[h] == nil {
		as.byEpoch[h] = map[uint64]*assignment{}
	}
	if as.byEpoch[h][e.Epoch] == nil {
		as.byEpoch[h][e.Epoch] = &assignment{holding: h, epoch: e.Epoch, end: never}
	}
	return as.byEpoch[h][e.Epoch]
}

func (as *assignments) begin(e *history.Event) {
	a := as.known(e)
	if a.begin != 0 {
		return // again, after a rebuild of the client
	}
	a.begin, a.known, a.start = e.Seq, true, e.Offset
	as.byHolding[a.holding] = append(as.byHolding[a.holding], a)
	if a.out = as.out[e.Incarnation]; !a.out.sure {
		as.byTP[a.tp] = append(as.byTP[a.tp], a)
	}
}

func (*assignments) end(a *assignment, seq uint64, taken bool, how ending) {
	if a.end == never {
		a.end, a.taken, a.how = seq, taken, how
	}
}

// howEnded is what the runtime says of an end. A revoke of a history that does not tell
// whether it drained is taken as one that was cut.
func howEnded(e *history.Event) ending {
	switch {
	case e.Kind == history.Lost:
		return lost
	case (e.Kind == history.RevokeEnded || e.Kind == history.Stopped) && e.Result == history.ResultDrained, e.Kind == history.ShutdownEnded && e.Text == "":
		return drained
	}
	return cut
}

func (as *assignments) endAll(e *history.Event) {
	for h, epochs := range as.byEpoch {
		if h.incarnation == e.Incarnation {
			for _, a := range epochs {
				as.end(a, e.Seq, false, howEnded(e))
			}
		}
	}
}

// of is the assignment that a call belongs to, and the Seq at which it passed the fence.
// By the time a behavior writes that it was entered the fence may be up already, so the
// runtime's Started counts; without one the journal's own time does.
func (as *assignments) of(enter *history.Event) (*assignment, uint64) {
	if s := as.started[enter.Seq]; s != nil {
		return as.known(s), s.Seq
	}
	return latest(as.byHolding[holdingOf(enter)], enter.Seq), enter.Seq
}

// latest is the last that began before seq; nil: none.
func latest(list []*assignment, seq uint64) *assignment {
	if i := sort.Search(len(list), func(i int) bool { return list[i].begin >= seq }); i > 0 {
		return list[i-1]
	}
	return nil
}
