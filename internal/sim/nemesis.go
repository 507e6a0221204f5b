package sim

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/history"
)

// The kinds of faults.
const (
	FaultAnswer        = "answer"         // Request (of Topic, if it is set) is answered with Error, Count times
	FaultSlow          = "slow"           // Request waits for Lag at the broker, Count times
	FaultMove          = "move"           // Partition of Topic moves to Broker
	FaultShuffle       = "shuffle"        // all partitions move
	FaultRehash        = "rehash"         // all coordinators move
	FaultDeleteRecords = "delete-records" // Count percent of Partition of Topic are deleted
	FaultCompact       = "compact"        // compacted topics are compacted
	FaultBounce        = "bounce"         // Broker is away for For; 0: for ever

	FaultCut           = "cut"            // Member's connections to Broker are cut
	FaultCutAfter      = "cut-after"      // the same after Count bytes on each
	FaultDropResponses = "drop-responses" // what Broker answers vanishes
	FaultDropRequests  = "drop-requests"  // what Member sends vanishes
	FaultHalfOpen      = "half-open"      // both vanish
	FaultDelayIn       = "delay-in"       // what Broker answers comes Lag late
	FaultDelayOut      = "delay-out"      // what Member sends comes Lag late
	FaultFlap          = "flap"           // connections live for about a second
	FaultHold          = "hold"           // nothing passes, and goes on then

	FaultKill      = "kill"         // Member is killed, and starts again after For; 0: never
	FaultFreeze    = history.Freeze // Member stands still
	FaultLeave     = "leave"        // Member is shut down, and starts again after For; 0: never
	FaultJoin      = "join"         // a new Member joins, and leaves after For; 0: never
	FaultExpel     = "expel"        // an admin takes Member out of the group; with Lag: in a join that takes so long
	FaultRebalance = "rebalance"

	FaultPause            = "pause"             // an operator pauses Partition of Topic
	FaultRestartLane      = "restart-lane"      // an operator restarts the lane Count
	FaultForceLane        = "force-lane"        // the same, also while a call runs; a lane that is quarantined, if there is one
	FaultRestartPartition = "restart-partition" // an operator restarts Partition of Topic
)

// Failpoints and clocks.
const (
	FaultPointFails  = "point-fails"  // Member's step at Point is refused, Count times
	FaultPointStalls = "point-stalls" // it waits for Lag, Count times
	FaultPointPanics = "point-panics" // it panics, Count times
	FaultClockJumps  = "clock-jumps"  // Member's wall clock jumps by Lag, and back after For
)

// Kinds are all kinds of faults.
func Kinds() []string {
	return []string{
		FaultAnswer, FaultSlow, FaultMove, FaultShuffle, FaultRehash, FaultDeleteRecords, FaultCompact, FaultBounce,
		FaultCut, FaultCutAfter, FaultDropResponses, FaultDropRequests, FaultHalfOpen, FaultDelayIn, FaultDelayOut, FaultFlap, FaultHold,
		FaultKill, FaultFreeze, FaultLeave, FaultJoin, FaultExpel, FaultRebalance,
		FaultPause, FaultRestartLane, FaultForceLane, FaultRestartPartition,
		FaultPointFails, FaultPointStalls, FaultPointPanics, FaultClockJumps,
	}
}

// stalling are the faults behind which a process may end later than it promises.
var stalling = []string{FaultFreeze, FaultPointFails, FaultPointStalls, FaultPointPanics} //nolint:gochecknoglobals // a table

// injected is a fault at work.
type injected struct {
	Fault

	index int
	of    string // the incarnation that it works on; empty: any
	hits  atomic.Int64
	count func() int // hits that somebody else counts; nil: none
	end   func()     // ends it; nil: it has no end
}

// Hits is how often it has had an effect.
func (f *injected) Hits() int {
	n := int(f.hits.Load())
	if f.count != nil {
		n += f.count()
	}
	return n
}

// nemesis plays the faults of a plan.
type nemesis struct {
	w      *world
	faults []*injected

	sleeping atomic.Bool  // a request sleeps at its broker
	rested   atomic.Int64 // when the last one that did went on, nanoseconds since the epoch

	mu    sync.Mutex
	ended map[*injected]bool // guarded by mu
}

func newNemesis(w *world) *nemesis {
	n := &nemesis{w: w, ended: map[*injected]bool{}}
	for i, f := range w.plan.Faults {
		n.faults = append(n.faults, &injected{Fault: f, index: i})
	}
	return n
}

// step is something to be done at a time of the run.
type step struct {
	at time.Duration
	do func()
}

// play starts the members, and begins and ends faults, at their times. Faults without an
// end go on.
func (n *nemesis) play() {
	var steps []step
	for _, m := range n.w.plan.Members {
		steps = append(steps, step{time.Duration(m.At), func() { n.w.start(m) }})
	}
	for _, f := range n.faults {
		steps = append(steps, step{time.Duration(f.At), func() { n.begin(f) }})
		if f.For > 0 {
			steps = append(steps, step{time.Duration(f.At + f.For), func() { n.end(f) }})
		}
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	begun := time.Now()
	for _, s := range steps {
		time.Sleep(s.at - time.Since(begun))
		s.do()
	}
}

// heal ends every fault.
func (n *nemesis) heal() {
	for _, f := range n.faults {
		n.end(f)
	}
}

func (n *nemesis) end(f *injected) {
	n.mu.Lock()
	over := n.ended[f]
	n.ended[f] = true
	n.mu.Unlock()
	if !over && f.end != nil {
		f.end()
		n.w.calm.ends()
		n.w.observer.Fault(f.of, f.Kind, false)
	}
}

func (n *nemesis) begin(f *injected) {
	if node := n.w.current[f.Member]; node != nil {
		f.of = node.name
		node.stalled = node.stalled || slices.Contains(stalling, f.Kind)
	}
	n.w.observer.Fault(f.of, f.Kind, true)
	n.w.calm.begins()
	defer func() {
		if f.end == nil { // it is over
			n.w.calm.ends()
			n.w.observer.Fault(f.of, f.Kind, false)
		}
	}()
	switch f.Kind {
	case FaultAnswer, FaultSlow, FaultMove, FaultShuffle, FaultRehash, FaultDeleteRecords, FaultCompact, FaultBounce:
		n.brokers(f)
	case FaultCut, FaultCutAfter, FaultDropResponses, FaultDropRequests, FaultHalfOpen, FaultDelayIn, FaultDelayOut, FaultFlap, FaultHold:
		n.network(f)
	case FaultKill, FaultFreeze, FaultLeave, FaultJoin, FaultExpel, FaultRebalance:
		n.membership(f)
	case FaultPause, FaultRestartLane, FaultForceLane, FaultRestartPartition:
		n.operator(f)
	case FaultPointFails, FaultPointStalls, FaultPointPanics:
		n.point(f)
	case FaultClockJumps:
		n.jump(f)
	default:
		n.w.broken("fault %d: there is no kind %q", f.index, f.Kind)
	}
}
