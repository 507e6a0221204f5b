package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/link"
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

	FaultKill      = "kill"   // Member is killed, and starts again after For; 0: never
	FaultFreeze    = "freeze" // Member stands still
	FaultLeave     = "leave"  // Member is shut down, and starts again after For; 0: never
	FaultJoin      = "join"   // a new Member joins, and leaves after For; 0: never
	FaultRebalance = "rebalance"

	FaultPause            = "pause"             // an operator pauses Partition of Topic
	FaultRestartLane      = "restart-lane"      // an operator restarts the lane Count
	FaultForceLane        = "force-lane"        // the same, also while a call runs
	FaultRestartPartition = "restart-partition" // an operator restarts Partition of Topic
)

// Kinds are all kinds of faults.
func Kinds() []string {
	return []string{
		FaultAnswer, FaultSlow, FaultMove, FaultShuffle, FaultRehash, FaultDeleteRecords, FaultCompact, FaultBounce,
		FaultCut, FaultCutAfter, FaultDropResponses, FaultDropRequests, FaultHalfOpen, FaultDelayIn, FaultDelayOut, FaultFlap, FaultHold,
		FaultKill, FaultFreeze, FaultLeave, FaultJoin, FaultRebalance,
		FaultPause, FaultRestartLane, FaultForceLane, FaultRestartPartition,
	}
}

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
		n.w.observer.Fault(f.of, f.Kind, false)
	}
}

func (n *nemesis) begin(f *injected) {
	if node := n.w.current[f.Member]; node != nil {
		f.of = node.name
	}
	n.w.observer.Fault(f.of, f.Kind, true)
	defer func() {
		if f.end == nil { // it is over
			n.w.observer.Fault(f.of, f.Kind, false)
		}
	}()
	switch f.Kind {
	case FaultAnswer, FaultSlow, FaultMove, FaultShuffle, FaultRehash, FaultDeleteRecords, FaultCompact, FaultBounce:
		n.brokers(f)
	case FaultCut, FaultCutAfter, FaultDropResponses, FaultDropRequests, FaultHalfOpen, FaultDelayIn, FaultDelayOut, FaultFlap, FaultHold:
		n.network(f)
	case FaultKill, FaultFreeze, FaultLeave, FaultJoin, FaultRebalance:
		n.membership(f)
	case FaultPause, FaultRestartLane, FaultForceLane, FaultRestartPartition:
		n.operator(f)
	default:
		n.w.broken("fault %d: there is no kind %q", f.index, f.Kind)
	}
}

// brokers are how many there are. Their ids are 0, 1 and 2.
const brokers = 3

const firstPort = 9092

func address(broker int32) string {
	if broker < 0 {
		return ""
	}
	return fmt.Sprintf("localhost:%d", firstPort+broker)
}

func (n *nemesis) brokers(f *injected) {
	k := n.w.kafka
	switch f.Kind {
	case FaultAnswer:
		n.answer(f)
	case FaultSlow:
		n.slow(f)
	case FaultMove:
		n.move(f, f.Topic, f.Partition, f.Broker)
	case FaultShuffle:
		rng := rand.New(rand.NewPCG(n.w.plan.Seed, uint64(f.index))) //nolint:gosec // an index
		for i := range n.w.plan.Topics {
			t := &n.w.plan.Topics[i]
			for p := range t.Partitions {
				n.move(f, t.Name, p, rng.Int32N(brokers))
			}
		}
	case FaultRehash:
		k.RehashCoordinators()
		f.hits.Add(1)
	case FaultDeleteRecords:
		info := k.PartitionInfo(f.Topic, f.Partition)
		to := info.LogStartOffset + (info.LastStableOffset-info.LogStartOffset)*int64(f.Count)/100
		if to > info.LogStartOffset && k.DeleteRecords(f.Topic, f.Partition, to) == nil {
			f.hits.Add(1)
		}
	case FaultCompact:
		k.Compact()
		f.hits.Add(1)
	case FaultBounce:
		n.bounce(f)
	}
}

// bounce takes a broker away: its partitions move, its connections are cut, and it takes
// no new ones. One that does not come back takes the coordinators that it was with it. One
// that does is not removed and added: kfake would go on serving, as a broker that leads
// nothing, connections that it had.
func (n *nemesis) bounce(f *injected) {
	to := address(f.Broker)
	if n.w.isDown(to) {
		return
	}
	n.w.setDown(to, true)
	f.hits.Add(1)
	if f.For == 0 {
		if err := n.w.kafka.RemoveNode(f.Broker); err != nil {
			n.w.broken("broker %d does not go: %v", f.Broker, err)
		}
	} else {
		n.evacuate(f)
		f.end = func() { n.w.setDown(to, false) }
	}
	n.w.clients.Cut(to)
	for _, node := range n.w.nodes {
		node.link.Cut(to)
	}
}

// evacuate moves what a broker leads.
func (n *nemesis) evacuate(f *injected) {
	for i := range n.w.plan.Topics {
		for _, topic := range []string{n.w.plan.Topics[i].Name, deadLetters(n.w.plan.Topics[i].Name)} {
			for _, p := range n.w.kafka.PartitionInfos(topic) {
				if n.w.kafka.LeaderFor(topic, p.Partition) == f.Broker {
					n.move(f, topic, p.Partition, (f.Broker+1+p.Partition%2)%brokers)
				}
			}
		}
	}
}

func (w *world) isDown(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down[address]
}

func (w *world) setDown(address string, down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[address] = down
}

// move fails where the broker is away.
func (n *nemesis) move(f *injected, topic string, partition, broker int32) {
	if n.w.kafka.LeaderFor(topic, partition) != broker && n.w.kafka.MoveTopicPartition(topic, partition, broker) == nil {
		f.hits.Add(1)
	}
}

func keyOf(request string) (kmsg.Key, bool) {
	for key := range kmsg.Key(kmsg.MaxKey + 1) {
		if key.Name() == request {
			return key, true
		}
	}
	return 0, false
}

// topLevel are the requests whose answers have one error.
var topLevel = []string{"Heartbeat", "JoinGroup", "SyncGroup"} //nolint:gochecknoglobals // a table

func (n *nemesis) answer(f *injected) {
	key, ok := keyOf(f.Request)
	err, known := errorOf(f.Error)
	if !ok || !known {
		n.w.broken("fault %d: request %q, error %q: unknown", f.index, f.Request, f.Error)
		return
	}
	h := n.w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: f.Topic, Err: err, Count: max(f.Count, 1), TopLevel: slices.Contains(topLevel, f.Request), When: members})
	f.count, f.end = h.Hits, h.Remove
}

// members are the requests that are no corrections of kfake.
func members(req kmsg.Request) bool { return !kept(req) }

func errorOf(name string) (*kerr.Error, bool) {
	for code := range int16(200) {
		if err := kerr.TypedErrorForCode(code); err != nil && err.Message == name {
			return err, true
		}
	}
	return nil, false
}

// slow lets a request sleep at its broker, which goes on with others. One sleeps at a time
// in the whole cluster: with several kfake's loop never rests. One that waited behind it
// comes at the instant at which it goes on, and does not sleep: kfake has a data race there.
func (n *nemesis) slow(f *injected) {
	key, ok := keyOf(f.Request)
	if !ok {
		n.w.broken("fault %d: request %q: unknown", f.index, f.Request)
		return
	}
	var over atomic.Bool
	left := max(f.Count, 1)
	n.w.kafka.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if left == 0 || over.Load() {
			n.w.kafka.DropControl()
			return nil, nil, false
		}
		if kept(req) || time.Now().UnixNano() <= n.rested.Load() || !n.sleeping.CompareAndSwap(false, true) {
			return nil, nil, false
		}
		left--
		f.hits.Add(1)
		n.w.kafka.SleepControl(func() { time.Sleep(time.Duration(f.Lag)) })
		n.rested.Store(time.Now().UnixNano())
		n.sleeping.Store(false)
		return nil, nil, false
	})
	f.end = func() { over.Store(true) }
}

func (n *nemesis) network(f *injected) {
	node := n.w.current[f.Member]
	if node == nil || !node.running() {
		return
	}
	to := address(f.Broker)
	switch f.Kind {
	case FaultCut:
		f.hits.Add(int64(node.link.Cut(to)))
	case FaultFlap:
		n.flap(f, node)
	case FaultHold:
		f.end = node.link.Hold()
		f.hits.Add(1)
	default:
		rule := &link.Rule{Address: to, In: true, Out: true}
		switch f.Kind {
		case FaultCutAfter:
			rule.CutAfter = max(f.Count, 1)
		case FaultDropResponses:
			rule.Drop, rule.Out = true, false
		case FaultDropRequests:
			rule.Drop, rule.In = true, false
		case FaultHalfOpen:
			rule.Drop = true
		case FaultDelayIn:
			rule.Delay, rule.Out = time.Duration(f.Lag), false
		case FaultDelayOut:
			rule.Delay, rule.In = time.Duration(f.Lag), false
		}
		f.count, f.end = rule.Hits, node.link.Add(rule)
	}
}

// flap cuts connections every 500 to 1,500 ms.
func (n *nemesis) flap(f *injected, node *node) {
	over := make(chan struct{})
	rng := rand.New(rand.NewPCG(n.w.plan.Seed, uint64(f.index))) //nolint:gosec // an index
	n.w.background.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(500*time.Millisecond + time.Duration(rng.Int64N(int64(time.Second)))):
				f.hits.Add(int64(node.link.Cut(address(f.Broker))))
			}
		}
	})
	f.end = func() { close(over) }
}

func (n *nemesis) membership(f *injected) {
	node := n.w.current[f.Member]
	switch f.Kind {
	case FaultRebalance:
		h := n.w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: group, TopLevel: true, Err: kerr.RebalanceInProgress, Count: 5, When: members})
		f.count, f.end = h.Hits, h.Remove
		return
	case FaultJoin:
		if node != nil && node.running() {
			return
		}
		node = n.w.start(Member{Name: f.Member})
		f.hits.Add(1)
		f.end = func() { n.w.leave(node) }
		return
	default:
	}
	if node == nil || !node.running() || node.asked {
		return
	}
	f.hits.Add(1)
	switch f.Kind {
	case FaultKill:
		node.kill()
		f.end = func() { n.again(node) }
	case FaultLeave:
		n.w.leave(node)
		f.end = func() { n.again(node) }
	case FaultFreeze:
		n.freeze(f, node)
	}
}

// thawing is how much later than the process its connections go on: what was sent to it
// meanwhile is on its way.
const thawing = 50 * time.Millisecond

// freeze stops a process: connections and gates stall, while the clock goes on.
func (n *nemesis) freeze(f *injected, node *node) {
	open, pass := node.gate.Hold(), node.link.Hold()
	f.end = func() {
		open()
		n.w.background.Go(func() {
			time.Sleep(thawing)
			pass()
		})
	}
}

// again starts the member of a node that was told to end.
func (n *nemesis) again(node *node) {
	if n.w.current[node.member.Name] == node {
		n.w.start(node.member)
	}
}

func (n *nemesis) operator(f *injected) {
	for _, node := range n.w.nodes {
		if !node.running() || !node.owns(f.Topic, f.Partition) {
			continue
		}
		var err error
		switch f.Kind {
		case FaultPause:
			err = node.rt.PausePartition(f.Topic, f.Partition)
			f.end = func() { _ = node.rt.ResumePartition(f.Topic, f.Partition) } // it may have gone elsewhere
		case FaultRestartPartition:
			err = node.rt.RestartPartition(f.Topic, f.Partition)
		default:
			vp := actors.VirtualPartition{Topic: f.Topic, Partition: f.Partition, Index: int32(f.Count)} //nolint:gosec // a lane
			err = node.rt.RestartLane(vp, f.Kind == FaultForceLane)
		}
		if err == nil {
			f.hits.Add(1)
		}
	}
}

func (n *node) owns(topic string, partition int32) bool {
	for _, p := range n.rt.Stats().Partitions {
		if p.Topic == topic && p.Partition == partition {
			return true
		}
	}
	return false
}
