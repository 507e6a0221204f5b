//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// finished counts how often each record was finished, by the journal.
func (w *world) finished() map[string]int {
	done := map[string]int{}
	for _, e := range w.h.Events() {
		if e.Kind == "leave" && e.Result == "ok" {
			done[fmt.Sprintf("%s/%d:%d", e.Topic, e.Partition, e.Offset)]++
		}
	}
	return done
}

func (w *world) wantNoDuplicates() {
	w.t.Helper()
	for record, n := range w.finished() {
		if n != 1 {
			w.t.Errorf("%s was finished %d times", record, n)
		}
	}
}

func TestACleanStopCausesNoDuplicate(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S6}, func(w *world) {
		a := w.start("a", working())
		w.steady(100, map[int]func(){60: func() {
			if took, err := a.stop(); err != nil || took > time.Second {
				t.Errorf("the stop took %v and returned %v, want a clean one in the time of a few calls", took, err)
			}
		}})
		w.start("b", working())
		w.drained(time.Minute, map[string][]int64{"orders": {100, 100, 100, 100}})
		w.wantNoDuplicates()
	})
}

func TestARollingUpdateCausesNoDuplicate(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		a := w.start("a", working())
		b := w.start("b", working())
		time.Sleep(2 * heartbeatFor)
		next := func(old *node, name string) func() {
			return func() {
				w.start(name, working())
				if _, err := old.stop(); err != nil {
					t.Errorf("%s: %v", old.name, err)
				}
			}
		}
		ends := w.steady(150, map[int]func(){40: next(a, "a2"), 90: next(b, "b2")})
		w.drained(time.Minute, ends)
		w.wantNoDuplicates()
	})
}

// What waits for a retry or its time is left to the next owner, and nothing waits for it.
func TestAStopDoesNotWaitForWhatWaits(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "later"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		topics := []runtime.Topic{
			{Name: "orders", VirtualPartitions: lanes(2), Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if rec.Offset == 0 && time.Now().Before(time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC)) {
					return actors.RetryAfter(time.Minute, errNotYet)
				}
				return nil
			})},
			{Name: "later", Delay: 2 * time.Minute, Behavior: handle(fine)},
		}
		a := w.start("a", topics...)
		w.produce("orders", 0, laneKey(0, 2), "retried")
		w.produce("orders", 0, laneKey(1, 2), "fine")
		w.produce("later", 0, "k", "delayed")
		time.Sleep(time.Second)
		if took, err := a.stop(); err != nil || took != 0 {
			t.Errorf("the stop took %v and returned %v, want nil at once", took, err)
		}
		w.wantCommitted("orders", 0, 0)
		w.start("b", topics...)
		w.drained(3*time.Minute, map[string][]int64{"orders": {2}, "later": {1}})
	})
}

func TestScenario103ShutdownFromEverywhere(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var hooked sync.WaitGroup
		var n *node
		n = w.startWith("a", func(cfg *runtime.Config) {
			cfg.Hooks = append(cfg.Hooks, observe.HookFunc(func(_ time.Time, ev observe.Event) {
				if _, ok := ev.(observe.ShutdownBegan); ok {
					hooked.Go(func() { _ = n.rt.Shutdown(context.Background()) }) // on a goroutine of its own
				}
			}))
		}, runtime.Topic{Name: "orders", Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(3 * time.Second)
			return nil
		})})
		w.produce("orders", 0, "k", "v")
		w.c.Settle()
		begun := time.Now()
		var callers sync.WaitGroup
		for range 10 {
			callers.Go(func() {
				w.hit("shutdown")
				if err := n.rt.Shutdown(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		hooked.Wait()
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("the shutdown took %v, want the 3s of the call", took)
		}
		if err := n.run(); err != nil {
			t.Error(err)
		}
		if err := n.rt.Shutdown(context.Background()); err != nil { // again
			t.Error(err)
		}
		if err := n.rt.Run(context.Background()); !errors.Is(err, runtime.ErrRunTwice) {
			t.Errorf("Run again returned %v, want %v", err, runtime.ErrRunTwice)
		}
		w.wantCommitted("orders", 0, 1)
	})
}

// A hook that calls Shutdown itself waits for the runtime, which waits for it no longer
// than for any hook.
func TestShutdownWithinAHookIsNoDeadlock(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := &node{}
		called := make(chan struct{})
		n = w.startWith("a", func(cfg *runtime.Config) {
			cfg.Hooks = append(cfg.Hooks, observe.HookFunc(func(_ time.Time, ev observe.Event) {
				if c, ok := ev.(observe.CommitAnswered); ok && c.Next == 1 {
					<-called
					_ = n.rt.Shutdown(context.Background())
				}
			}))
		}, runtime.Topic{Name: "orders", Behavior: handle(fine)})
		close(called)
		begun := time.Now()
		w.produce("orders", 0, "k", "v")
		if err := n.run(); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > shutdownFor {
			t.Errorf("the shutdown took %v, want at most %v", took, shutdownFor)
		}
	})
}

// A hook calls Shutdown from within a membership event.
func TestScenario019ShutdownWithinAHook(t *testing.T) {
	t.Parallel()
	for name, wanted := range map[string]func(observe.Event) bool{
		"assigned": func(ev observe.Event) bool { _, ok := ev.(observe.Assigned); return ok },
		"revoked":  func(ev observe.Event) bool { _, ok := ev.(observe.RevokeBegan); return ok },
		"let go":   func(ev observe.Event) bool { _, ok := ev.(observe.RevokeEnded); return ok },
		"lost":     func(ev observe.Event) bool { _, ok := ev.(observe.Lost); return ok },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:2"}, []string{check.S1, check.S2}, func(w *world) {
				n := &node{}
				called, returned := make(chan struct{}), make(chan time.Duration, 1)
				asked := false
				n = w.startWith("a", func(cfg *runtime.Config) {
					cfg.Hooks = append(cfg.Hooks, observe.HookFunc(func(_ time.Time, ev observe.Event) {
						if !asked && wanted(ev) {
							asked = true
							<-called
							w.hit("shutdown in a hook")
							begun := time.Now()
							if err := n.rt.Shutdown(context.Background()); err != nil {
								t.Errorf("Shutdown returned %v", err)
							}
							returned <- time.Since(begun)
						}
					}))
				}, runtime.Topic{Name: "orders", Behavior: handle(fine)})
				close(called)
				w.produce("orders", 0, "k", "v")
				w.produce("orders", 1, "k", "v")
				switch name {
				case "revoked", "let go":
					time.Sleep(2 * commitEvery)
					w.start("b", runtime.Topic{Name: "orders", Behavior: handle(fine)})
				case "lost":
					time.Sleep(2 * commitEvery)
					w.expel()
				}
				if err := n.run(); err != nil {
					t.Error(err)
				}
				// The hook has a second; then its event is left behind, and the stop goes on.
				if took := <-returned; took > 2*time.Second {
					t.Errorf("Shutdown took %v, want the second that a hook has", took)
				}
				w.heal(map[string][]int64{"orders": {1, 1}})
			})
		})
	}
}

func TestShutdownBeforeRunEndsItAtOnce(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, nil, func(w *world) {
		rt, err := runtime.New(w.c.Config(runtime.Config{Group: group, Topics: []runtime.Topic{{Name: "orders", Behavior: handle(fine)}}}))
		if err != nil {
			t.Fatal(err)
		}
		if err := rt.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		begun := time.Now()
		if err := rt.Run(context.Background()); err != nil || time.Since(begun) != 0 {
			t.Errorf("Run returned %v after %v, want nil at once", err, time.Since(begun))
		}
	})
}

func TestShutdownsOwnContextCutsTheDrainShort(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var causes tape
		n := w.start("a", runtime.Topic{Name: "orders", Behavior: handle(func(ctx context.Context, _ *actors.Record) error {
			<-ctx.Done()
			causes.add("%v", errors.Is(context.Cause(ctx), actors.ErrShutdown))
			return context.Cause(ctx)
		})})
		w.produce("orders", 0, "k", "v")
		w.c.Settle()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		begun := time.Now()
		if err := n.rt.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := n.run(); !errors.Is(err, runtime.ErrNotDrained) {
			t.Errorf("Run returned %v, want %v", err, runtime.ErrNotDrained)
		}
		if took := time.Since(begun); took < 2*time.Second || took > 3*time.Second {
			t.Errorf("the shutdown took %v, want the 2s of its context", took)
		}
		causes.want(t, "true")
		w.heal(map[string][]int64{"orders": {1}})
	})
}

func TestAStopWhileTheBrokerIsAwayEndsWithinItsBudget(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.start("a", runtime.Topic{Name: "orders", Behavior: handle(fine)})
		w.produce("orders", 0, "k", "v")
		w.c.Settle()
		n.freeze(time.Hour)
		took, err := n.stop()
		if !errors.Is(err, runtime.ErrNotDrained) || took > shutdownFor {
			t.Errorf("the stop took %v and returned %v, want ErrNotDrained within %v", took, err, shutdownFor)
		}
		w.heal(map[string][]int64{"orders": {1}})
	})
}

// A member leaves also while the join of another one is pending.
func TestAStopWhileAnotherMembersJoinIsPendingEndsAtOnce(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S4}, func(w *world) {
		a := w.start("a", working())
		b := w.start("b", working())
		time.Sleep(2 * heartbeatFor)
		ends := w.steady(20, nil)
		b.freeze(20 * time.Second) // it joins no rebalance meanwhile, and the others wait for it
		joined := make(chan *node)
		go func() { joined <- w.start("c", working()) }()
		time.Sleep(4 * time.Second) // a has joined again, and waits
		if info := w.c.Broker().GroupInfo(group); info.State != "PreparingRebalance" || len(info.Members) != 3 {
			t.Errorf("the group is %s with %d members, want PreparingRebalance with 3", info.State, len(info.Members))
		}
		if took, err := a.stop(); err != nil || took > 2*time.Second {
			t.Errorf("the stop took %v and returned %v, want nil within 2s", took, err)
		}
		<-joined
		w.drained(2*time.Minute, ends)
	})
}

func TestStopsLeaveTheGroup(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*runtime.Config)
		left   int
	}{
		"dynamic":              {func(*runtime.Config) {}, 0},
		"static":               {func(cfg *runtime.Config) { cfg.InstanceID = "one" }, 1},
		"static, for scale-in": {func(cfg *runtime.Config) { cfg.InstanceID, cfg.LeaveOnShutdown = "one", true }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, nil, func(w *world) {
				n := w.startWith("a", c.change, runtime.Topic{Name: "orders", Behavior: handle(fine)})
				if _, err := n.stop(); err != nil {
					t.Error(err)
				}
				if got := len(w.c.Broker().GroupInfo(group).Members); got != c.left {
					t.Errorf("%d members are left in the group, want %d", got, c.left)
				}
			})
		})
	}
}

// The end of Run's context while it still looks for the brokers.
func TestAStopDuringTheStartIsNoError(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, nil, func(w *world) {
		w.c.Broker().ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) {
			w.c.Broker().KeepControl()
			return nil, errors.New("cut"), true
		})
		rt, err := runtime.New(w.c.Config(runtime.Config{Group: group, Topics: []runtime.Topic{{Name: "orders", Behavior: handle(fine)}}}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 45*time.Second)
		defer cancel()
		begun := time.Now()
		if err := rt.Run(ctx); err != nil {
			t.Errorf("Run returned %v, want nil", err)
		}
		if took := time.Since(begun); took < 45*time.Second || took > 47*time.Second {
			t.Errorf("Run took %v, want 45s and the stop", took)
		}
	})
}
