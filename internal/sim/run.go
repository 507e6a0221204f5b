package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/kfakefix"
	"github.com/troupe-go/troupe/internal/link"
	"github.com/troupe-go/troupe/internal/probe"
	"github.com/troupe-go/troupe/runtime"
)

const group = "sim"

// Tags are the build tags that a run needs.
const Tags = "synctests failpoints"

// Play plays a plan in a bubble of its own.
func Play(t *testing.T, p *Plan) *Result {
	t.Helper()
	begun := time.Now()
	r := inBubble(t, p)
	r.Real = time.Since(begun)
	return r
}

func inBubble(t *testing.T, p *Plan) (r *Result) { //nolint:nonamedreturns // a panic leaves it
	t.Helper()
	defer func() {
		// A bubble whose goroutines stay panics; that is what L7 has said of it already.
		if why := recover(); why != nil && !r.violates(probe.L7) {
			panic(why)
		}
	}()
	synctest.Test(t, func(*testing.T) { r = run(p) })
	return r
}

// world is a run under way.
type world struct {
	plan     *Plan
	kafka    *kfake.Cluster
	network  kfake.VirtualNetwork
	ids      map[[16]byte]string // topics
	history  *history.History
	producer *history.Producer
	observer *history.Observer

	coordinator *coordinator
	corrected   func()     // ends the corrections of kfake
	clients     *link.Link // of those that are no members

	calm    calm
	stable  bool                                   // the group is, as the reader of committed offsets last saw it
	commits map[string]map[int32]kfake.GroupCommit // likewise

	nodes      []*node          // one goroutine appends, under mu
	current    map[string]*node // by member
	owners     sync.Map         // *runtime.Runtime to its *node
	deliveries deliveries
	background sync.WaitGroup
	calls      sync.WaitGroup // of behaviors: some outlive their runtime

	mu     sync.Mutex
	down   map[string]bool // guarded by mu: addresses of brokers
	result Result          // guarded by mu until the end
}

// broken says that the simulator itself does not work, or that the plan is none.
func (w *world) broken(format string, args ...any) { w.violated("SIM", format, args...) }

func (w *world) violated(name, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result.Violations = append(w.result.Violations, name+": "+fmt.Sprintf(format, args...))
}

func (w *world) noted(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.result.Notes = append(w.result.Notes, fmt.Sprintf(format, args...))
}

func newWorld(p *Plan) *world {
	h := history.New()
	w := &world{
		result: Result{Plan: p, Compared: map[string]int{}},
		plan:   p, ids: map[[16]byte]string{}, history: h, producer: history.NewProducer(h), observer: history.NewObserver(h),
		down: map[string]bool{}, current: map[string]*node{}, deliveries: deliveries{counts: map[string]int{}},
	}
	w.clients = link.New(w.network.DialContext, nil)
	w.clients.Latency, w.clients.Refuses = latency, w.isDown
	w.coordinator = &coordinator{w: w, last: map[string]time.Time{}, waits: map[string]int32{}}
	return w
}

func run(p *Plan) *Result {
	w := newWorld(p)
	begun := time.Now()
	if err := w.build(); err != nil {
		w.broken("%v", err)
		return &w.result
	}
	w.play()
	w.stop()
	w.finalRead()
	w.kafka.Close()
	w.clients.Wait()
	w.judge()
	w.result.Virtual = time.Since(begun)
	return &w.result
}

// build starts the brokers with their topics.
func (w *world) build() error {
	var err error
	w.kafka, err = kfake.NewCluster(kfake.ListenFn(w.network.Listen), kfake.Ports(firstPort, firstPort+1, firstPort+2),
		kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		return fmt.Errorf("cluster: %w", err)
	}
	w.corrected, err = kfakefix.Install(w.kafka, kfakefix.Options{Dial: w.clients.Dial, Session: time.Duration(w.plan.Group.Session)})
	if err != nil {
		return fmt.Errorf("corrections: %w", err)
	}
	for i := range w.plan.Topics {
		t := &w.plan.Topics[i]
		if err := w.kafka.CreateTopic(t.Name, t.Partitions, w.settings(t)); err != nil {
			return fmt.Errorf("topic %s: %w", t.Name, err)
		}
		w.ids[w.kafka.TopicInfo(t.Name).TopicID] = t.Name
		dead := t.deadLetters()
		if !t.DeadLetters || t.Create || w.topic(dead) != nil {
			continue
		}
		if err := w.kafka.CreateTopic(dead, 1, w.settings(&Topic{Name: dead})); err != nil {
			return fmt.Errorf("topic %s: %w", dead, err)
		}
	}
	return nil
}

// settings are those that a topic has at the brokers.
func (w *world) settings(t *Topic) map[string]string {
	out := map[string]string{}
	if t.Compact {
		out["cleanup.policy"] = "compact"
	}
	for i := range w.plan.Topics {
		if from := &w.plan.Topics[i]; from.deadLetters() == t.Name && from.LetterBytes > 0 {
			out["max.message.bytes"] = strconv.Itoa(from.LetterBytes)
		}
	}
	return out
}

// client is a Kafka client that no fault of the network concerns.
func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	opts = append([]kgo.Opt{kgo.SeedBrokers(w.kafka.ListenAddrs()...), kgo.Dialer(w.clients.Dial)}, opts...)
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		w.broken("client: %v", err)
		return nil
	}
	return cl
}

// play is the run itself, until everything is finished or had its time.
func (w *world) play() {
	over := make(chan struct{})
	var watching, producing sync.WaitGroup
	defer w.gates()()
	defer w.forget()
	watching.Go(func() { w.watch(over) })
	watching.Go(func() { w.coordinator.run(over) })
	for i := range w.plan.Producers {
		producing.Go(func() { w.produce(i) })
	}
	n := newNemesis(w)
	n.play()
	if w.plan.Mode == Safety {
		n.heal()
		w.fill()
	}
	producing.Wait()
	w.settle()
	n.heal()
	close(over)
	watching.Wait()
	for _, f := range n.faults {
		w.result.Hits = append(w.result.Hits, f.Hits())
	}
	if len(n.faults) > 0 && w.result.hit() == 0 {
		w.violated("VACUOUS", "none of %d faults had an effect", len(n.faults))
	}
}

// fill starts the members that are not there any more.
func (w *world) fill() {
	for _, m := range w.plan.Members {
		if n := w.current[m.Name]; n == nil || !n.running() || n.asked {
			w.start(m)
		}
	}
}

// watch is the independent reader of committed offsets.
func (w *world) watch(over <-chan struct{}) {
	w.canaries()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	seen := map[string]map[int32]int64{}
	for {
		select {
		case <-over:
			w.observe(w.kafka.GroupInfo(group), map[string]map[int32]int64{}) // all of it, behind Settled
			return
		case <-ticker.C:
			info := w.kafka.GroupInfo(group)
			w.observe(info, seen)
			w.sample(info)
		}
	}
}

// observe writes down what has changed.
func (w *world) observe(info *kfake.GroupInfo, seen map[string]map[int32]int64) {
	if info == nil {
		return
	}
	for topic, partitions := range info.Commits {
		if seen[topic] == nil {
			seen[topic] = map[int32]int64{}
		}
		for p, c := range partitions {
			if before, ok := seen[topic][p]; !ok || before != c.Offset {
				seen[topic][p] = c.Offset
				w.observer.Committed(tp(topic, p), c.Offset)
			}
		}
	}
}

// settle waits until everything is committed, and then until a commit that the brokers
// store late would have been made good: L1.
func (w *world) settle() {
	defer w.observer.Settled()
	g := &w.plan.Group
	// The runtime's doubt, the tick behind it, and a commit that is tried twice.
	late := time.Duration(g.Session + 2*g.Interval + 2*g.Commit)
	w.result.Compared[probe.L1]++
	until := time.Now().Add(time.Duration(w.plan.Settle))
	waited := false
	for {
		behind := w.behind()
		if len(behind) == 0 && waited {
			return
		}
		if waited = len(behind) == 0; waited {
			time.Sleep(late)
			continue
		}
		if time.Now().After(until) {
			w.violated(probe.L1, "not drained within %s: %s; %s", w.plan.Settle, strings.Join(behind, ", "), w.describe())
			return
		}
		time.Sleep(time.Second)
	}
}

// behind are the partitions whose committed offset is not the end.
func (w *world) behind() []string {
	var behind []string
	info := w.kafka.GroupInfo(group)
	for i := range w.plan.Topics {
		t := &w.plan.Topics[i]
		for _, p := range w.kafka.PartitionInfos(t.Name) {
			committed := int64(0)
			if info != nil {
				committed = info.Commits[t.Name][p.Partition].Offset
			}
			if committed < p.HighWatermark && !w.looped(t, p.Partition, committed) {
				behind = append(behind, fmt.Sprintf("%s/%d at %d of %d", t.Name, p.Partition, committed, p.HighWatermark))
			}
		}
	}
	return behind
}

// describe is the state of the group.
func (w *world) describe() string {
	info := w.kafka.GroupInfo(group)
	if info == nil {
		return "there is no group"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the group is %s in generation %d", info.State, info.Epoch)
	for i := range info.Members {
		m := &info.Members[i]
		fmt.Fprintf(&b, ", %s has %d", m.MemberID, m.NumAssigned())
	}
	return b.String()
}

// leave shuts a node down, without waiting for it.
func (w *world) leave(n *node) {
	if n.asked {
		return
	}
	n.asked = true
	w.calm.change(0)
	w.background.Go(func() { w.shut(n) })
}

// shut ends a node, and judges how: L4. A process that is frozen gets its signal when it
// thaws, and may take longer by what failpoints stall it for.
func (w *world) shut(n *node) {
	n.gate.Wait(n.link.Done(), nil)
	begun, heldUp := time.Now(), n.heldUp.Load()
	_ = n.rt.Shutdown(context.Background()) // which has no error
	<-n.ended
	if took := time.Since(begun) - time.Duration(n.heldUp.Load()-heldUp); took > time.Duration(w.plan.Group.Shutdown)+time.Second && !n.dead.Load() {
		w.violated(probe.L4, "%s took %v to stop, of %s", n.name, took, w.plan.Group.Shutdown)
	}
}

// stop ends all that still runs.
func (w *world) stop() {
	for _, n := range w.nodes {
		if n.running() {
			w.leave(n)
		}
	}
	w.background.Wait()
	for _, n := range w.nodes {
		<-n.ended
		n.link.Wait()
		if n.err != nil && !n.dead.Load() && !errors.Is(n.err, runtime.ErrNotDrained) {
			w.violated("RUN", "%s: Run returned %v", n.name, n.err)
		}
	}
	w.calls.Wait()
	w.corrected()
	synctest.Wait()
	w.probed()
	w.leaks()
}

// judge gives the verdict, from the history alone but for what the clock says.
func (w *world) judge() {
	r := &w.result
	r.Events = w.history.Events()
	r.Reached = reached(r.Events)
	r.Report = check.Judge(r.Events)
	for _, v := range r.Report.Verdicts {
		r.Compared[v.Check] += v.Compared
		for _, x := range v.Violations {
			r.Violations = append(r.Violations, v.Check+": "+x.String())
		}
	}
}
