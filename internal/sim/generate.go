package sim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

const (
	ms  = Duration(time.Millisecond)
	sec = Duration(time.Second)
)

// Inputs of generated plans.
const (
	orders = "orders"
	jobs   = "jobs"
)

// generator draws a plan.
type generator struct {
	*rand.Rand

	plan *Plan
	over Duration // faults begin before this
}

// ModeOf is the mode in which a seed is played: every fourth one for liveness.
func ModeOf(seed uint64) Mode {
	if seed%4 == 0 {
		return Liveness
	}
	return Safety
}

// Generate makes the plan of a seed: G3's size or more, at least 10 faults and 2,000
// records.
func Generate(seed uint64, mode Mode) *Plan {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(len(mode)))), plan: &Plan{Seed: seed, Mode: mode}}
	g.over = g.between(30*sec, 60*sec)
	g.group()
	g.topics()
	g.members()
	g.producers()
	g.faults()
	g.skews()
	g.overtaken()
	g.letters()
	g.handovers()
	slices.SortStableFunc(g.plan.Faults, func(a, b Fault) int { return cmp.Compare(a.At, b.At) })
	g.plan.Settle = 15 * 60 * sec
	return g.plan
}

// between is a duration in [low, high), in whole milliseconds.
func (g *generator) between(low, high Duration) Duration {
	return low + Duration(g.Int64N(int64((high-low)/ms)))*ms
}

// chance is true n times of a hundred.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) group() {
	session := pick(g, 6*sec, 10*sec, 10*sec, 20*sec)
	g.plan.Group = Group{
		Session: session, Rebalance: session + pick(g, 2*sec, 10*sec), Drain: session / 3, Commit: session / 4,
		Interval: pick(g, 200*ms, sec, sec, 5*sec), Shutdown: 15 * sec, FetchWait: pick(g, 500*ms, 2*sec, 5*sec),
	}
}

func (g *generator) topics() {
	first := Topic{Name: orders, Partitions: 12, Lanes: 8, Calls: g.calls()}
	if g.chance(60) {
		first.DeadLetters, first.Attempts = true, 2+g.IntN(4)
	}
	if g.chance(25) {
		first.Timeout = g.between(sec, 10*sec)
	}
	if g.chance(30) {
		first.Buffer = 5 + g.IntN(100)
		first.MaxAhead = first.Buffer * (1 + g.IntN(4))
	}
	first.OnGap = pick(g, "stop", "continue")
	if first.Compact = g.chance(15); first.Compact {
		first.OnGap = "continue" // kfake moves the start of a log that it compacts
	}
	g.plan.Topics = []Topic{first}
	if g.chance(40) {
		g.plan.Topics = append(g.plan.Topics, Topic{
			Name: jobs, Partitions: int32(1 + g.IntN(4)), Lanes: 1 + g.IntN(8), Delay: g.between(sec, 40*sec), Buffer: pick(g, 0, 10+g.IntN(30)), //nolint:gosec // a few
			DeadLetters: g.chance(50), Attempts: 3, OnGap: "continue", Calls: g.calls(),
		})
	}
}

func (g *generator) calls() Calls {
	c := Calls{
		Quick: 300, Slow: 60, Tail: 2 + g.IntN(15), TailMax: g.between(3*sec, 30*sec),
		Error: g.IntN(30), Retry: g.IntN(10), Snooze: g.IntN(10), Panic: g.IntN(10), Goexit: g.IntN(5), Starts: pick(g, 0, 0, 100),
	}
	if g.chance(50) {
		c.Poison, c.Discard = g.IntN(8), g.IntN(8)
	}
	return c
}

func (g *generator) members() {
	n := pick(g, 3, 3, 3, 3, 4, 5, 1, 2)
	static := g.chance(30)
	for i := range n {
		m := Member{Name: fmt.Sprintf("m%d", i+1)}
		if static {
			m.Instance = "static-" + m.Name
		}
		if g.chance(20) {
			m.At = g.between(0, 5*sec)
		}
		g.plan.Members = append(g.plan.Members, m)
	}
}

func (g *generator) producers() {
	for i := range g.plan.Topics {
		t := &g.plan.Topics[i]
		records := 2000 + g.IntN(500)
		if t.Name != orders {
			records = 100 + g.IntN(300)
		}
		n := 1 + g.IntN(2)
		tx := g.chance(40) && !t.Compact
		for j := range n {
			p := Producer{Topic: t.Name, Records: records / n, Batch: 5 + g.IntN(60), Keys: 1000, NoKey: pick(g, 0, 0, 20)}
			p.Every = max(ms, g.over*Duration(p.Batch)/Duration(p.Records))
			if g.chance(20) {
				p.Every = 10 * ms // a backlog at once
			}
			if tx && j == 0 {
				p.Tx, p.Aborts, p.OpenFor = true, 200, pick(g, 0, 100*ms, 2*sec)
			}
			if t.Compact {
				p.NoKey = 0 // the broker refuses a record without one
			}
			g.plan.Producers = append(g.plan.Producers, p)
		}
		g.plan.Producers[len(g.plan.Producers)-1].Records += records - records/n*n
	}
}

func (g *generator) faults() {
	n := 10 + g.IntN(15)
	for range n {
		f := g.fault()
		f.At = g.between(sec, g.over)
		g.plan.Faults = append(g.plan.Faults, f)
	}
	if len(g.plan.Members) > 1 && g.chance(30) {
		g.expulsions()
	}
	if g.plan.Mode == Liveness {
		g.plan.Faults = append(g.plan.Faults, g.forever()...)
	}
}

func (g *generator) anyMember() string { return g.plan.Members[g.IntN(len(g.plan.Members))].Name }

// fault is one that ends by itself, without its time.
func (g *generator) fault() Fault {
	switch n := g.IntN(100); {
	case n < 30:
		return g.answer()
	case n < 47:
		return g.brokers()
	case n < 64:
		return g.network()
	case n < 84:
		return g.membership()
	case n < 88:
		return g.operator()
	case n < 97:
		return g.point()
	default:
		return g.clock()
	}
}

// answer is what a request may be refused with.
type answer struct {
	request string
	errors  []string
}

// answers are errors that brokers give and clients get over.
var answers = []answer{ //nolint:gochecknoglobals // a table
	{"OffsetCommit", []string{
		"REQUEST_TIMED_OUT", "REQUEST_TIMED_OUT", "NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS",
		"REBALANCE_IN_PROGRESS", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION",
	}},
	{"Heartbeat", []string{"REBALANCE_IN_PROGRESS", "NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION"}},
	{"JoinGroup", []string{"NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS", "UNKNOWN_MEMBER_ID"}},
	{"SyncGroup", []string{"REBALANCE_IN_PROGRESS", "NOT_COORDINATOR", "UNKNOWN_MEMBER_ID", "ILLEGAL_GENERATION"}},
	{"OffsetFetch", []string{"COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR", "UNSTABLE_OFFSET_COMMIT"}},
	{"Fetch", []string{"NOT_LEADER_FOR_PARTITION", "UNKNOWN_LEADER_EPOCH", "FENCED_LEADER_EPOCH", "KAFKA_STORAGE_ERROR"}},
	{"ListOffsets", []string{"NOT_LEADER_FOR_PARTITION", "LEADER_NOT_AVAILABLE"}},
	{"Produce", []string{"NOT_ENOUGH_REPLICAS_AFTER_APPEND", "NOT_LEADER_FOR_PARTITION", "REQUEST_TIMED_OUT", "NOT_ENOUGH_REPLICAS"}},
	{"FindCoordinator", []string{"COORDINATOR_NOT_AVAILABLE", "COORDINATOR_LOAD_IN_PROGRESS"}},
	{"Metadata", []string{"LEADER_NOT_AVAILABLE"}},
}

func (g *generator) answer() Fault {
	a := answers[g.IntN(len(answers))]
	f := Fault{Kind: FaultAnswer, Request: a.request, Error: pick(g, a.errors...), Count: 1 + g.IntN(3), For: g.between(5*sec, 20*sec)}
	if f.Error == "UNKNOWN_MEMBER_ID" && g.plan.Members[0].Instance != "" {
		f.Error = "NOT_COORDINATOR" // a broker that says so has forgotten the instance, too
	}
	if g.chance(15) {
		f.Count = 30
	}
	if t := &g.plan.Topics[g.IntN(len(g.plan.Topics))]; a.request == "Produce" && t.DeadLetters {
		// Of these kgo tries none again, so that the runtime has to.
		f.Topic, f.Error = deadLetters(t.Name), pick(g, "TOPIC_AUTHORIZATION_FAILED", "MESSAGE_TOO_LARGE")
	}
	return f
}

func (g *generator) brokers() Fault {
	t := &g.plan.Topics[g.IntN(len(g.plan.Topics))]
	broker := int32(g.IntN(brokers)) //nolint:gosec // a few
	f := Fault{Topic: t.Name, Partition: g.Int32N(t.Partitions), Broker: broker}
	switch n := g.IntN(10); {
	case n < 2:
		f.Kind = FaultMove
	case n < 4:
		return Fault{Kind: FaultShuffle}
	case n < 6:
		return Fault{Kind: FaultRehash}
	case n < 8:
		return g.slow()
	case n < 9 && t.OnGap == "continue" && !t.Compact:
		f.Kind, f.Count = FaultDeleteRecords, 10+g.IntN(90)
	case t.Compact:
		return Fault{Kind: FaultCompact}
	default:
		return Fault{Kind: FaultBounce, Broker: broker, For: g.between(sec, 8*sec)}
	}
	return f
}

// slow has a lag below the shortest session: what a real broker takes later than that is of
// another generation. The runtime counts on it where a commit's outcome is unknown.
func (g *generator) slow() Fault {
	f := Fault{
		Kind: FaultSlow, Request: pick(g, "OffsetCommit", "Fetch", "SyncGroup", "JoinGroup", "Heartbeat", "OffsetFetch"),
		Count: 1 + g.IntN(3), Lag: g.between(100*ms, 4*sec), For: 15 * sec,
	}
	if f.Request == "JoinGroup" && g.plan.Members[0].Instance != "" {
		// When its connection breaks meanwhile a static member joins again, and is fenced by its
		// own first join: a broker that takes the two in this order is not slow but wrong.
		f.Request = "SyncGroup"
	}
	return f
}

func (g *generator) network() Fault {
	f := Fault{
		Kind:   pick(g, FaultCut, FaultCut, FaultCutAfter, FaultDropResponses, FaultDropRequests, FaultHalfOpen, FaultDelayIn, FaultDelayOut, FaultFlap, FaultHold),
		Member: g.anyMember(), For: g.between(500*ms, 3*g.plan.Group.Session/2), Broker: -1,
	}
	if g.chance(40) {
		f.Broker = int32(g.IntN(brokers)) //nolint:gosec // a few
	}
	switch f.Kind {
	case FaultCutAfter:
		f.Count = 1 + g.IntN(5000)
	case FaultDelayIn, FaultDelayOut:
		f.Lag = g.between(10*ms, sec)
	case FaultCut:
		f.For = 0
	default:
	}
	return f
}

func (g *generator) membership() Fault {
	session := g.plan.Group.Session
	switch n := g.IntN(12); {
	case n < 3:
		return Fault{Kind: FaultKill, Member: g.anyMember(), For: g.between(500*ms, 2*session)}
	case n < 5:
		return Fault{Kind: FaultFreeze, Member: g.anyMember(), For: g.between(session/2, 2*session)}
	case n < 7:
		return Fault{Kind: FaultLeave, Member: g.anyMember(), For: g.between(500*ms, session)}
	case n < 9 && len(g.plan.Members) < 5:
		return Fault{Kind: FaultJoin, Member: fmt.Sprintf("x%d", 1+g.IntN(5-len(g.plan.Members))), For: g.between(3*sec, 20*sec)}
	case n < 11:
		return g.expel()
	default:
		return Fault{Kind: FaultRebalance}
	}
}

func (g *generator) operator() Fault {
	t := &g.plan.Topics[g.IntN(len(g.plan.Topics))]
	f := Fault{
		Kind:  pick(g, FaultPause, FaultRestartLane, FaultForceLane, FaultRestartPartition),
		Topic: t.Name, Partition: g.Int32N(t.Partitions), Count: g.IntN(t.Lanes),
	}
	if f.Kind == FaultPause {
		f.For = g.between(sec, 10*sec)
	}
	return f
}

// forever is what never ends in liveness mode. The first member is the healthy core.
func (g *generator) forever() []Fault {
	var faults []Fault
	for _, m := range g.plan.Members[1:] {
		f := Fault{At: g.over + g.between(0, 5*sec), Kind: pick(g, FaultHalfOpen, FaultDropResponses, FaultDropRequests, FaultHold, FaultKill, FaultFreeze, FaultFlap), Member: m.Name, Broker: -1}
		faults = append(faults, f)
	}
	return append(faults, Fault{At: g.over + g.between(0, 5*sec), Kind: FaultBounce, Broker: int32(g.IntN(brokers))}) //nolint:gosec // a few
}
