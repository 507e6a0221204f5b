//go:build synctests

package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/link"
	"github.com/troupe-go/troupe/internal/probe"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// node is a runtime of the world.
type node struct {
	w       *world
	name    string
	rt      *runtime.Runtime
	cfg     runtime.Config
	watcher *probe.Probe
	link    *link.Link  // of one that startLinked started
	done    chan error  // of one that startLinked started
	dead    atomic.Bool // says nothing any more
	killed  bool
	stalled bool // a step of it stood still, or failed below its group supervisor: it does nothing in time
	ended   bool // by the test

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

// start runs a member of the group until the end of the test.
func (w *world) start(name string, topics ...runtime.Topic) *node {
	w.t.Helper()
	return w.startWith(name, nil, topics...)
}

func (w *world) startWith(name string, change func(*runtime.Config), topics ...runtime.Topic) *node {
	w.t.Helper()
	n := w.prepare(name, change, topics...)
	w.run(n)
	return n
}

// prepare makes a member that does not run yet.
func (w *world) prepare(name string, change func(*runtime.Config), topics ...runtime.Topic) *node {
	w.t.Helper()
	n := &node{w: w, name: history.NewIncarnation(name)}
	cfg := runtime.Config{
		Group: group, Topics: slices.Clone(topics),
		Hooks: []observe.Hook{history.NewHook(w.h, n.name).While(func() bool { return !n.dead.Load() }), n},
	}
	defer func() { n.watch() }() // when all is set
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
	if cfg.Logger == nil {
		cfg.Logger = w.logger(n)
	}
	n.cfg = cfg
	return n
}

func (w *world) run(n *node) {
	w.t.Helper()
	joins := w.anyAlive()
	n.rt = w.c.Start(n.cfg)
	if joins && len(n.rt.Stats().Partitions) > 0 {
		w.hit("join")
	}
	w.add(n)
	w.c.Settle()
}

// logger writes warnings and errors to the test's log, and everything to the history.
func (w *world) logger(n *node) *zap.Logger {
	all := zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(history.NewLog(w.h, n.name)), zap.DebugLevel)
	return zaptest.NewLogger(w.t, zaptest.Level(zap.WarnLevel), zaptest.WrapOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewTee(c, all)
	})))
}

// watch adds the probe. What it samples counts while the world is calm; ends that are
// overdue count always.
func (n *node) watch() {
	c := &n.cfg
	n.watcher = probe.New(probe.SourceFunc(func() runtime.Stats { return n.rt.Stats() }), probe.Config{
		CommitInterval: cmp.Or(c.CommitInterval, commitEvery), DrainTimeout: cmp.Or(c.DrainTimeout, drainFor),
		CommitTimeout: cmp.Or(c.CommitTimeout, commitFor), ShutdownTimeout: cmp.Or(c.ShutdownTimeout, shutdownFor), Stall: time.Minute,
		Committed: func(topic string, partition int32) (int64, error) {
			if info := n.w.c.Broker().GroupInfo(group); info != nil {
				if c, ok := info.Commits[topic][partition]; ok {
					return c.Offset, nil
				}
			}
			return -1, nil
		},
		Stable: n.w.calm.Load,
	})
	c.Hooks = append(slices.Clip(c.Hooks), n.watcher)
}

// sample writes down what the node's Stats say of its partitions.
func (n *node) sample() {
	for _, p := range n.rt.Stats().Partitions {
		if p.Unresponsive {
			continue
		}
		s := &history.Sample{Next: p.Next, LogEnd: p.LogEnd, Buffered: p.Buffered, Bytes: p.BufferedBytes, Ahead: p.Ahead, Reasons: p.PauseReasons}
		for i := range n.cfg.Topics {
			if t := &n.cfg.Topics[i]; t.Name == p.Topic {
				s.MaxBuffered, s.MaxBytes, s.MaxAhead = cmp.Or(t.Buffer.Records, 10_000), cmp.Or(t.Buffer.Bytes, 64<<20), cmp.Or(t.MaxAhead, 100_000)
				s.BatchBytes = 512<<10 + int64(cmp.Or(n.cfg.MaxDecompressedBatch, 64<<20))
			}
		}
		n.w.observer.Sampled(n.name, tp(p.Topic, p.Partition), s)
	}
	n.watcher.Sample(time.Now())
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
	n.dies()
	n.w.c.Kill(n.rt)
	n.w.observer.Killed(n.name)
	n.w.hit("kill")
}

// freeze holds up everything between a node and the brokers.
func (n *node) freeze(d time.Duration) {
	n.w.c.Freeze(n.rt, d)
	n.w.hit("freeze")
}

// add makes a node one of the world's. Members may be started by any goroutine.
func (w *world) add(n *node) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = append(w.nodes, n)
}

func (w *world) anyAlive() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.nodes, (*node).alive)
}

func (n *node) leaves() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.ended = true
}

func (n *node) dies() {
	n.w.mu.Lock()
	defer n.w.mu.Unlock()
	n.killed = true
}

func (n *node) alive() bool { return !n.killed && !n.ended }

// stop shuts a node down and returns what Run returned, and how long it took.
func (n *node) stop() (time.Duration, error) {
	n.w.t.Helper()
	begun := time.Now()
	n.leaves()
	if n.w.anyAlive() {
		n.w.hit("leave")
	}
	err := n.shutDown()
	return time.Since(begun), err
}

// run waits for the end of Run.
func (n *node) run() error {
	n.w.t.Helper()
	n.leaves()
	if n.done != nil {
		return n.wait()
	}
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
