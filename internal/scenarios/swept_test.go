//go:build synctests && failpoints

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// swept is the world of a crash sweep: two members with all that can happen to a record,
// an expulsion and a stop.
type swept struct {
	*world

	over chan struct{} // closed at the end: what stands still at a failpoint goes on
	ends map[string][]int64

	mu     sync.Mutex
	mine   map[*runtime.Runtime]*node // guarded by mu
	next   *node                      // guarded by mu: it is starting
	first  map[string]bool            // guarded by mu: what has happened that happens once
	victim *node                      // guarded by mu: it was killed
}

const (
	sweptSession = 15 * time.Second
	sweptDrain   = 4 * time.Second
	sweptCommit  = 2 * time.Second
	past         = 2 * sweptSession
	waves        = 4
)

func newSwept(t *testing.T) *swept {
	t.Helper()
	w := &swept{
		world: newWorld(t, "in:3", "late", "dead"), over: make(chan struct{}),
		ends: map[string][]int64{"in": {0, 0, 0}, "late": {0}},
		mine: map[*runtime.Runtime]*node{}, first: map[string]bool{},
	}
	w.dead = []string{"dead"}
	t.Cleanup(func() { close(w.over) })
	return w
}

// run is the whole story, but for the healing.
func (w *swept) run() {
	w.t.Helper()
	w.member("a")
	w.wave(1)
	time.Sleep(3 * time.Second)
	b := w.member("b")
	w.wave(2)
	time.Sleep(4 * time.Second)
	w.commits(kerr.UnknownMemberID, 1)
	w.wave(3)
	time.Sleep(8 * time.Second)
	w.wave(waves)
	time.Sleep(time.Second)
	w.leave(b)
	time.Sleep(past)
}

// member starts one.
func (w *swept) member(name string) *node {
	w.t.Helper()
	n := w.startWith(name, func(cfg *runtime.Config) {
		cfg.SessionTimeout, cfg.DrainTimeout, cfg.CommitTimeout = sweptSession, sweptDrain, sweptCommit
		cfg.ShutdownTimeout = sweptSession
		w.mu.Lock()
		defer w.mu.Unlock()
		w.next = cfg.Hooks[len(cfg.Hooks)-1].(*node)
	}, w.input(), w.delayed())
	w.mu.Lock()
	defer w.mu.Unlock()
	w.mine[n.rt], w.next = n, nil
	return n
}

func (w *swept) input() runtime.Topic {
	return runtime.Topic{
		Name: "in", VirtualPartitions: lanes(3), Timeout: time.Second, Buffer: runtime.Buffer{Records: 10},
		Retry:      runtime.Retry{MaxAttempts: 2, Backoff: patient(100 * time.Millisecond)},
		DeadLetter: runtime.DeadLetter{Topic: "dead"},
		Supervision: supervision.Policy{
			MaxRestarts: supervision.Unlimited, Backoff: patient(100 * time.Millisecond), Decide: decideSwept,
		},
		Behavior: func(actors.VirtualPartition) actors.Behavior { return &sweptBehavior{w} },
	}
}

func (w *swept) delayed() runtime.Topic {
	return runtime.Topic{
		Name: "late", VirtualPartitions: lanes(3), Delay: 3 * time.Second,
		Supervision: supervision.Policy{MaxRestarts: supervision.Unlimited, Backoff: patient(100 * time.Millisecond)},
		Behavior:    handle(func(context.Context, *actors.Record) error { return nil }),
	}
}

var errEscalates = errors.New("escalates")

func decideSwept(f supervision.Failure) supervision.Directive {
	if errors.Is(f.Err, errEscalates) {
		return supervision.Escalate
	}
	return supervision.Default(f)
}

// wave produces a record of every kind, and fine ones around them.
func (w *swept) wave(n int) {
	w.t.Helper()
	for p := range int32(3) {
		w.add("in", p, 0, "fine", fmt.Sprint("poison-", n, "-", p), "fine", "fine", fmt.Sprint("panic-", n, "-", p), "fine", "fine")
		w.add("in", p, 1, "fine", hang(n, p), "fine", "fine", "fine", "fine", "fine", "fine")
		w.add("in", p, 2, "fine", "fine", "fine", "fine", fmt.Sprint("escalate-", n, "-", p), "fine", "fine", "fine")
	}
	w.add("late", 0, 0, "late", "late")
	w.add("late", 0, 1, "late", "late")
}

// hang is a record whose call hangs, but in the last wave: what hangs in a stop is another
// story.
func hang(n int, p int32) string {
	if n == waves {
		return "fine"
	}
	return fmt.Sprint("hang-", n, "-", p)
}

func (w *swept) add(topic string, p int32, lane int, values ...string) {
	w.t.Helper()
	w.produce(topic, p, laneKey(lane, 3), values...)
	w.ends[topic][p] += int64(len(values))
}

// once reports true the first time, whoever asks.
func (w *swept) once(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.first[what]
	w.first[what] = true
	return !seen
}

type sweptBehavior struct{ w *swept }

// Receive does what the record says.
func (b *sweptBehavior) Receive(_ context.Context, rec *actors.Record) error {
	time.Sleep(20 * time.Millisecond)
	what := string(rec.Value)
	kind, _, _ := strings.Cut(what, "-")
	switch {
	case kind == "poison":
		return errPoison
	case kind == "panic" && b.w.once(what):
		panic(errPoison)
	case kind == "hang" && b.w.once(what):
		time.Sleep(2 * time.Second) // past the Timeout, deaf to its context
	case kind == "escalate" && b.w.once(what):
		return errEscalates
	}
	return nil
}

// Stop has something to do.
func (*sweptBehavior) Stop(context.Context, error) error { return nil }

// whose is the member that a runtime is, also of one that is starting.
func (w *swept) whose(rt *runtime.Runtime) *node {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.mine[rt]; n != nil {
		return n
	}
	return w.next
}

// kill ends a member from within one of its steps.
func (w *swept) kill(rt *runtime.Runtime) {
	n := w.whose(rt)
	w.mu.Lock()
	w.victim = n
	w.mu.Unlock()
	n.dead.Store(true)
	w.c.Kill(rt)
	w.observer.Killed(n.name)
}

// ending says that a member's group supervisor fails: Run ends, and commits nothing of what
// is finished until then.
func (w *swept) ending(rt *runtime.Runtime) {
	n := w.whose(rt)
	n.dead.Store(true)
	w.observer.Killed(n.name)
}

// forgets says for a while that a member's supervisors are cut off from its lanes: what
// those finish is in no commit line, and done again by whoever comes next.
func (w *swept) forgets(name string, p failpoint.Point) {
	const step = 100 * time.Millisecond
	say := func() {
		for topic, list := range w.ends {
			for i := range list {
				w.observer.Disturbance(name, tp(topic, int32(i)), string(p))
			}
		}
	}
	say()
	w.polling.Go(func() {
		for range past / step {
			select {
			case <-time.After(step):
				say()
			case <-w.world.over:
				return
			}
		}
	})
}

// leave stops a member as an operator would, and does not wait for one that stands still.
func (w *swept) leave(n *node) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*past)
	defer cancel()
	_ = n.rt.Shutdown(ctx) // what came of it is seen when it has ended
}

// healed looks at what has become of the members, starts a fresh one and waits until all
// is done. b is what broke; nil: nothing.
func (w *swept) healed(b *broken) {
	w.t.Helper()
	w.mu.Lock()
	victim := w.victim
	w.mu.Unlock()
	for _, n := range slices.Clone(w.nodes) {
		n.stalled = b != nil && n.rt == b.whose && (b.on != onGroup || b.way != panics)
		switch {
		case n == victim:
			n.killed = true
		case b != nil && b.on == onGroup && b.way == panics && n.rt == b.whose:
			if err := n.run(); !errors.Is(err, errSwept) {
				w.t.Errorf("the group supervisor of %s panicked, and Run returned %v", n.name, err)
			}
		case count[observe.ShutdownEnded](n) > 0:
			// Of calls that hang, some outlive the stop.
			if err := n.run(); err != nil && !errors.Is(err, runtime.ErrNotDrained) && (b == nil || n.rt != b.whose) {
				w.t.Errorf("%s ended, and nothing broke in it: %v", n.name, err)
			}
		case n.name[0] == 'b':
			w.t.Errorf("%s was stopped, and has not ended", n.name)
		}
	}
	w.member("fresh")
	w.drained(5*time.Minute, w.ends)
}
