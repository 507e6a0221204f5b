//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/runtimetest"
)

const group = "g"

// The defaults that times follow from.
const (
	commitEvery  = time.Second
	drainFor     = 10 * time.Second
	commitFor    = 5 * time.Second
	sessionFor   = 45 * time.Second
	shutdownFor  = 25 * time.Second
	heartbeatFor = 3 * time.Second
)

// world is a cluster with everything that is known of a run. It lives in a bubble.
type world struct {
	t        *testing.T
	c        *runtimetest.Cluster
	h        *history.History
	producer *history.Producer
	observer *history.Observer
	topics   []string // inputs, for the final read
	dead     []string // dead letter topics, for the final read
	nodes    []*node
	polling  sync.WaitGroup
	over     chan struct{}
	produced int
}

// scenario runs a test in a bubble and judges it. checks are those that must have
// compared something.
func scenario(t *testing.T, topics, checks []string, run func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, topics...)
		run(w)
		w.judge(checks...)
	})
}

func newWorld(t *testing.T, topics ...string) *world {
	t.Helper()
	h := history.New()
	w := &world{
		t: t, c: runtimetest.New(t, topics...), h: h,
		producer: history.NewProducer(h), observer: history.NewObserver(h), over: make(chan struct{}),
	}
	w.polling.Go(w.poll)
	return w
}

// poll is the independent reader of committed offsets.
func (w *world) poll() {
	for {
		select {
		case <-w.over:
			return
		case <-time.After(time.Second):
			w.observeCommitted()
		}
	}
}

func (w *world) observeCommitted() {
	info := w.c.Broker().GroupInfo(group)
	if info == nil {
		return
	}
	for topic, partitions := range info.Commits {
		for p, c := range partitions {
			w.observer.Committed(observe.TopicPartition{Topic: topic, Partition: p}, c.Offset)
		}
	}
}

// judge ends the runtimes, reads everything back and gives the verdict.
func (w *world) judge(checks ...string) {
	w.t.Helper()
	for _, n := range w.nodes {
		n.dead.Store(n.dead.Load() || n.killed)
		if !n.killed && !n.ended {
			if err := w.c.Stop(n.rt); err != nil && !n.tolerant {
				w.t.Errorf("%s: stop: %v", n.name, err)
			}
		}
	}
	w.observeCommitted()
	close(w.over)
	w.polling.Wait()
	for _, topic := range w.topics {
		for _, r := range w.c.Records(topic) {
			w.observer.Record(tp(r.Topic, r.Partition), r.Offset, r.Key)
		}
		for _, info := range w.c.Broker().PartitionInfos(topic) {
			w.observer.Log(tp(topic, info.Partition), info.LogStartOffset, info.HighWatermark)
		}
	}
	for _, topic := range w.dead {
		w.readDeadLetters(topic)
	}
	if err := check.Judge(w.h.Events(), checks...).Err(); err != nil {
		w.t.Errorf("verdict:\n%v", err)
	}
}

func (w *world) readDeadLetters(topic string) {
	w.t.Helper()
	for _, r := range w.c.Records(topic) {
		var at observe.TopicPartition
		var offset int64
		for _, h := range r.Headers {
			switch h.Key {
			case "__dlq.errors.topic":
				at.Topic = string(h.Value)
			case "__dlq.errors.partition":
				_, _ = fmt.Sscan(string(h.Value), &at.Partition)
			case "__dlq.errors.offset":
				_, _ = fmt.Sscan(string(h.Value), &offset)
			}
		}
		w.observer.DeadLetter(topic, at, offset, r.Timestamp)
	}
}

// produce appends values with a key to a partition.
func (w *world) produce(topic string, partition int32, key string, values ...string) {
	w.t.Helper()
	recs := make([]*actors.Record, len(values))
	for i, v := range values {
		recs[i] = &actors.Record{Topic: topic, Partition: partition, Key: []byte(key), Value: []byte(v)}
	}
	w.produceRecords(recs...)
}

func (w *world) produceRecords(recs ...*actors.Record) {
	w.t.Helper()
	sent := make([]*history.Attempted, len(recs))
	for i, r := range recs {
		w.produced++
		w.consumes(r.Topic)
		sent[i] = w.producer.Sent(r.Topic, fmt.Sprint("r", w.produced), r.Key)
	}
	w.c.ProduceRecords(recs...)
	for i, r := range recs {
		sent[i].Acked(r.Partition, r.Offset)
	}
}

func (w *world) consumes(topic string) {
	if !slices.Contains(w.topics, topic) {
		w.topics = append(w.topics, topic)
	}
}

// node is a runtime of the world.
type node struct {
	w        *world
	name     string
	rt       *runtime.Runtime
	dead     atomic.Bool // says nothing any more
	killed   bool
	ended    bool // by the test
	tolerant bool // it need not drain at the end

	mu     sync.Mutex
	events []timed // guarded by mu
}

type timed struct {
	at time.Time
	ev observe.Event
}

// OnEvent is observe.Hook's.
func (n *node) OnEvent(at time.Time, ev observe.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, timed{at, ev})
}

// silenced passes on what a node says of itself while it lives.
type silenced struct {
	node *node
	hook *history.Hook
}

// OnEvent is observe.Hook's.
func (s silenced) OnEvent(at time.Time, ev observe.Event) {
	if !s.node.dead.Load() {
		s.hook.OnEvent(at, ev)
	}
}

// OnRecord is observe.RecordHook's.
func (s silenced) OnRecord(at time.Time, ev observe.Event) {
	if !s.node.dead.Load() {
		s.hook.OnRecord(at, ev)
	}
}

// start runs a member of the group until the end of the test.
func (w *world) start(name string, topics ...runtime.Topic) *node {
	w.t.Helper()
	return w.startWith(name, nil, topics...)
}

func (w *world) startWith(name string, change func(*runtime.Config), topics ...runtime.Topic) *node {
	w.t.Helper()
	n := &node{w: w, name: history.NewIncarnation(name)}
	cfg := runtime.Config{
		Group: group, Topics: slices.Clone(topics),
		Hooks: []observe.Hook{silenced{n, history.NewHook(w.h, n.name)}, n},
	}
	for i := range topics {
		t := &cfg.Topics[i]
		w.consumes(t.Name)
		j := history.NewJournal(w.h, n.name)
		if t.VirtualPartitions.KeyBy != nil {
			j.KeyBy = t.VirtualPartitions.KeyBy
		}
		if delay := t.Delay; delay > 0 {
			j.Due = func(r *actors.Record) time.Time { return due(r, delay) }
		}
		t.Behavior = j.Wrap(t.Behavior)
	}
	if change != nil {
		change(&cfg)
	}
	n.rt = w.c.Start(cfg)
	w.nodes = append(w.nodes, n)
	w.c.Settle()
	return n
}

// due is when a record may be handed over, where its timestamp is a plain one.
func due(r *actors.Record, delay time.Duration) time.Time {
	if r.Timestamp.IsZero() || r.Timestamp.After(time.Now().Add(time.Hour)) {
		return time.Time{}
	}
	return r.Timestamp.Add(delay)
}

// kill ends a node as SIGKILL would.
func (n *node) kill() {
	n.dead.Store(true)
	n.killed = true
	n.w.c.Kill(n.rt)
}

// stop shuts a node down and returns what Run returned, and how long it took.
func (n *node) stop() (time.Duration, error) {
	n.w.t.Helper()
	begun := time.Now()
	n.ended = true
	err := n.w.c.Stop(n.rt)
	return time.Since(begun), err
}

// run waits for the end of Run.
func (n *node) run() error {
	n.w.t.Helper()
	n.ended = true
	return n.w.c.Wait(n.rt)
}

// find is every event of a kind that the node told of.
func find[T observe.Event](n *node) []T {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []T
	for _, e := range n.events {
		if ev, ok := e.ev.(T); ok {
			found = append(found, ev)
		}
	}
	return found
}

func count[T observe.Event](n *node) int { return len(find[T](n)) }

// partition is the node's snapshot of one.
func (n *node) partition(topic string, partition int32) runtime.PartitionStats {
	n.w.t.Helper()
	for _, p := range n.rt.Stats().Partitions {
		if p.Topic == topic && p.Partition == partition {
			return p
		}
	}
	n.w.t.Fatalf("%s/%d is not assigned to %s", topic, partition, n.name)
	return runtime.PartitionStats{}
}

// owned are the partitions that the node has, sorted.
func (n *node) owned() []string {
	var tps []string
	for _, p := range n.rt.Stats().Partitions {
		tps = append(tps, fmt.Sprintf("%s/%d", p.Topic, p.Partition))
	}
	return tps
}

func (w *world) wantCommitted(topic string, partition int32, want int64) {
	w.t.Helper()
	w.c.Settle()
	if got := w.c.Committed(topic, partition); got != want {
		w.t.Errorf("committed of %s/%d: got %d, want %d", topic, partition, got, want)
	}
}

// drained waits, for the bubble's limit at most, until the group committed everything.
func (w *world) drained(limit time.Duration, ends map[string][]int64) {
	w.t.Helper()
	begun := time.Now()
	for {
		w.c.Settle()
		if w.isDrained(ends) {
			return
		}
		if time.Since(begun) > limit {
			w.t.Errorf("not drained after %v: want %v, group %+v", limit, ends, w.c.Broker().GroupInfo(group))
			return
		}
		time.Sleep(max(100*time.Millisecond, limit/500))
	}
}

// heal starts a member that takes everything, and waits until it has. A scenario whose
// records could not be finished ends so: the next start gets them.
func (w *world) heal(ends map[string][]int64) {
	w.t.Helper()
	var topics []runtime.Topic
	for name := range ends {
		topics = append(topics, runtime.Topic{
			Name: name, VirtualPartitions: lanes(3), Behavior: handle(func(context.Context, *actors.Record) error { return nil }),
		})
	}
	w.start("healer", topics...)
	w.drained(time.Minute, ends)
}

func (w *world) isDrained(ends map[string][]int64) bool {
	info := w.c.Broker().GroupInfo(group)
	for topic, list := range ends {
		for p, end := range list {
			if info == nil || info.Commits[topic][int32(p)].Offset != end {
				return false
			}
		}
	}
	return true
}

// tape is what behaviors write down.
type tape struct {
	mu   sync.Mutex
	said []string
	at   []time.Time
}

func (p *tape) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, fmt.Sprintf(format, args...))
	p.at = append(p.at, time.Now())
}

func (p *tape) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said)
}

// times are when lines were said, since the first one.
func (p *tape) times() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]time.Duration, len(p.at))
	for i := range p.at {
		out[i] = p.at[i].Sub(p.at[0])
	}
	return out
}

func (p *tape) want(t *testing.T, want ...string) {
	t.Helper()
	if got := p.lines(); !slices.Equal(got, want) {
		t.Errorf("the behaviors said:\n got %q\nwant %q", got, want)
	}
}

func handle(f func(ctx context.Context, rec *actors.Record) error) actors.Factory {
	return actors.Func(f)
}

func tp(topic string, partition int32) observe.TopicPartition {
	return observe.TopicPartition{Topic: topic, Partition: partition}
}

// laneKey is a key of lane i of n, by the mapping that package actors documents.
func laneKey(i, n int) string {
	for k := 0; ; k++ {
		key := fmt.Sprint("k", k)
		if hi, _ := bits.Mul64(xxhash.Sum64String(key), uint64(n)); int(hi) == i {
			return key
		}
	}
}

func lanes(n int) runtime.VirtualPartitions { return runtime.VirtualPartitions{Max: n} }

// numbers is from, from+1, … below to, as text.
func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}
