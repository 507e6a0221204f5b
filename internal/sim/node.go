package sim

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/link"
	"github.com/troupe-go/troupe/internal/probe"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// node is one runtime: a process of the group.
type node struct {
	w      *world
	member Member
	name   string // its incarnation's
	rt     *runtime.Runtime
	link   *link.Link
	gate   link.Gate   // held while the process is frozen
	dead   atomic.Bool // it was killed, and says nothing any more
	probe  *probe.Probe
	heldUp atomic.Int64 // nanoseconds that failpoints stalled it for

	frozen  time.Time     // when it was, last
	stalled bool          // it stood still once: what it does in time is not judged
	stats   runtime.Stats // as they were sampled last

	ended chan struct{} // closed when Run has returned
	err   error         // of Run; to be read when ended is closed
	asked bool          // it was told to end

	memberID atomic.Value // string: the group's last answer to a join

	mu       sync.Mutex
	off      time.Duration // guarded by mu: what its wall clock is ahead by
	offMost  time.Duration // guarded by mu: the most that it ever was
	offLeast time.Duration // guarded by mu: the least
}

// ahead says that the node's wall clock jumped.
func (n *node) ahead(by time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.off += by
	n.offMost, n.offLeast = max(n.offMost, n.off), min(n.offLeast, n.off)
}

// due is when the node may begin a record of a delayed topic at the earliest. A call that
// was handed over may begin when its clock goes right again, so the most counts that it was
// ahead by. MaxSkew runs from when a record is first seen, which is not before it was
// written, but for a clock that was behind: by one that was so by more than that, each
// record lies too far ahead.
func (n *node) due(t *Topic, r *actors.Record) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	from, written := r.Timestamp, r.Timestamp
	if time.Until(written) > century/2 {
		written = written.Add(-century)
	}
	if limit := written.Add(n.offLeast + cmp.Or(time.Duration(t.MaxSkew), usualSkew)); from.After(limit) {
		from = limit
	}
	return from.Add(time.Duration(t.Delay) - n.offMost)
}

// usualSkew is MaxSkew of a topic without one.
const usualSkew = time.Hour

// start runs a member anew.
func (w *world) start(m Member) *node {
	n := &node{w: w, member: m, name: history.NewIncarnation(m.Name), ended: make(chan struct{})}
	n.link = link.New(w.network.DialContext, (&wire{w, n}).tap)
	n.link.Latency, n.link.Refuses = latency, w.isDown
	rt, err := runtime.New(n.config())
	if err != nil {
		w.broken("%s: %v", m.Name, err)
		close(n.ended)
		return n
	}
	n.rt = rt
	w.owners.Store(rt, n)
	w.calm.change(0)
	w.mu.Lock()
	w.nodes = append(w.nodes, n)
	w.mu.Unlock()
	w.current[m.Name] = n
	go func() { // ends with Run, which the end of the run waits for
		defer close(n.ended)
		n.err = rt.Run(context.Background())
	}()
	return n
}

func (n *node) config() runtime.Config {
	g := &n.w.plan.Group
	n.probe = n.watched()
	cfg := runtime.Config{
		Brokers: n.w.kafka.ListenAddrs(), Group: group, InstanceID: n.member.Instance,
		SessionTimeout: time.Duration(g.Session), RebalanceTimeout: time.Duration(g.Rebalance), DrainTimeout: time.Duration(g.Drain),
		CommitTimeout: time.Duration(g.Commit), CommitInterval: time.Duration(g.Interval), ShutdownTimeout: time.Duration(g.Shutdown),
		Logger: n.logger(), Hooks: []observe.Hook{history.NewHook(n.w.history, n.name).While(func() bool { return !n.dead.Load() }), n.probe},
		KafkaOptions: []kgo.Opt{kgo.Dialer(n.link.Dial), kgo.FetchMaxWait(time.Duration(g.FetchWait)), kgo.RequestTimeoutOverhead(requestFor)},
	}
	for i := range n.w.plan.Topics {
		cfg.Topics = append(cfg.Topics, n.topic(&n.w.plan.Topics[i]))
	}
	return cfg
}

// logger writes everything to the history.
func (n *node) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(history.NewLog(n.w.history, n.name)), zap.DebugLevel))
}

// latency is that of the network.
const latency = time.Millisecond

// requestFor is how long kgo waits for an answer beyond what the request itself allows.
const requestFor = 5 * time.Second

func (n *node) topic(t *Topic) runtime.Topic {
	backoff := supervision.Backoff{Min: 50 * time.Millisecond, Max: time.Second}
	out := runtime.Topic{
		Name: t.Name, VirtualPartitions: runtime.VirtualPartitions{Max: t.Lanes},
		Delay: time.Duration(t.Delay), MaxSkew: time.Duration(t.MaxSkew), Timeout: time.Duration(t.Timeout),
		Retry: runtime.Retry{Backoff: backoff}, MaxAhead: t.MaxAhead, Buffer: runtime.Buffer{Records: t.Buffer},
		Supervision: supervision.Policy{MaxRestarts: restartsMax, Backoff: backoff},
	}
	if t.OnGap == "continue" {
		out.OnGap = runtime.GapContinue
	}
	if t.DeadLetters {
		out.DeadLetter = runtime.DeadLetter{Topic: t.deadLetters(), Form: runtime.DeadLetterForm(t.Form), Create: t.Create}
		out.Retry.MaxAttempts = t.Attempts
	}
	j := history.NewJournal(n.w.history, n.name)
	if t.Delay > 0 {
		j.Due = func(r *actors.Record) time.Time { return n.due(t, r) }
	}
	journaled := j.Wrap(func(vp actors.VirtualPartition) actors.Behavior { return &behavior{n, t, vp} })
	out.Behavior = func(vp actors.VirtualPartition) actors.Behavior { return &mortal{journaled(vp), n} }
	return out
}

// restartsMax is more than a plan's failures can use up.
const restartsMax = 1000

func deadLetters(topic string) string { return lettersOf + topic }

// deadLetters is where the topic's go.
func (t *Topic) deadLetters() string {
	if t.Loop {
		return t.Name
	}
	return deadLetters(t.Name)
}

// lettersOf is what the name of a dead letter topic begins with.
const lettersOf = "dlq." + group + "."

var errDead = errors.New("sim: the process is dead")

// alive waits while the process is frozen, and reports whether it lives.
func (n *node) alive() bool {
	n.gate.Wait(n.link.Done(), nil)
	return !n.dead.Load()
}

// kill ends the process as SIGKILL would: at this instant its connections are cut, and
// nothing that it does from now on is told, or reaches a broker.
func (n *node) kill() {
	n.dead.Store(true)
	n.link.Kill()
	n.w.observer.Killed(n.name)
	n.asked = true
	n.w.background.Go(func() { // what is left of it in this process
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = n.rt.Shutdown(over) // which says that over is over
		<-n.ended
	})
}

// running reports whether Run has not returned.
func (n *node) running() bool {
	select {
	case <-n.ended:
		return false
	default:
		return !n.dead.Load()
	}
}

// mortal begins no call in a process that was killed, and waits in one that is frozen.
type mortal struct {
	actors.Behavior

	node *node
}

// Receive is the behavior's, while its process lives.
func (b *mortal) Receive(ctx context.Context, rec *actors.Record) error {
	if !b.node.alive() {
		return errDead
	}
	b.node.w.calls.Add(1)
	defer b.node.w.calls.Done()
	return b.Behavior.Receive(ctx, rec)
}

// Start is the behavior's, if it has one.
func (b *mortal) Start(ctx context.Context, vp actors.VirtualPartition) error {
	s, ok := b.Behavior.(actors.Starter)
	switch {
	case !b.node.alive():
		return errDead
	case ok:
		return s.Start(ctx, vp)
	}
	return nil
}
