//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

func fine(context.Context, *actors.Record) error { return nil }

func TestKeyByThatPanicsIsItsRecordsFailure(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "dlq.g.orders"}, []string{check.S2, check.S1}, func(w *world) {
		w.dead = []string{"dlq.g.orders"}
		w.startWith("a", func(cfg *runtime.Config) {
			cfg.Topics[0].VirtualPartitions.KeyBy = func(rec *actors.Record) []byte {
				if string(rec.Value) == "bad" {
					panic("KeyBy")
				}
				return rec.Key
			}
		}, runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(3), Behavior: handle(fine),
			Retry:      runtime.Retry{MaxAttempts: 2, Backoff: patient(time.Second)},
			DeadLetter: runtime.DeadLetter{Topic: "auto"},
		})
		w.produce("orders", 0, "k", "good", "bad", "good")
		w.drained(5*time.Second, map[string][]int64{"orders": {3}})
		if dead := w.c.Records("dlq.g.orders"); len(dead) != 1 || string(dead[0].Value) != "bad" {
			t.Errorf("dead letters %v, want the bad one", dead)
		}
	})
}

func TestKeyByThatHangsHoldsItsPartitionVisibly(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2}, func(w *world) {
		open := make(chan struct{})
		n := w.startWith("a", func(cfg *runtime.Config) {
			cfg.Topics[0].VirtualPartitions.KeyBy = func(rec *actors.Record) []byte {
				if rec.Partition == 0 {
					<-open
				}
				return rec.Key
			}
		}, runtime.Topic{Name: "orders", Behavior: handle(fine)})
		w.produce("orders", 0, "k", "held")
		w.produce("orders", 1, "k", "fine")
		time.Sleep(3 * commitEvery)
		w.wantCommitted("orders", 1, 1)
		if s := n.partition("orders", 0); !slices.Equal(s.PauseReasons, []string{"key-by"}) {
			t.Errorf("paused for %v, want key-by", s.PauseReasons)
		}
		close(open)
		time.Sleep(commitEvery)
		w.wantCommitted("orders", 0, 1)
	})
}

func TestDecideThatPanicsEscalates(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.start("a", runtime.Topic{
			Name: "orders",
			Supervision: supervision.Policy{
				Backoff: patient(time.Second),
				Decide:  func(supervision.Failure) supervision.Directive { panic("Decide") },
			},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if rec.Attempt == 1 {
					return errNotYet
				}
				return nil
			}),
		})
		w.produce("orders", 0, "k", "v")
		w.drained(5*time.Second, map[string][]int64{"orders": {1}})
		if count[observe.Escalated](n) != 1 {
			t.Errorf("%d escalations, want 1", count[observe.Escalated](n))
		}
	})
}

func TestDecideThatHangsHoldsItsOwnLaneAlone(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		open := make(chan struct{})
		w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Supervision: supervision.Policy{Decide: func(supervision.Failure) supervision.Directive {
				<-open
				return supervision.Resume
			}},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if string(rec.Value) == "fail" && rec.Attempt == 1 {
					return errNotYet
				}
				return nil
			}),
		})
		w.produce("orders", 0, laneKey(0, 2), "fine")
		w.produce("orders", 0, laneKey(1, 2), "fail")
		w.produce("orders", 0, laneKey(0, 2), "fine")
		time.Sleep(10 * time.Second)
		w.wantCommitted("orders", 0, 1)
		close(open)
		w.drained(5*time.Second, map[string][]int64{"orders": {3}})
	})
}

// A hook is the user's: one that panics or never returns stops neither the records nor
// the group.
func TestHooksThatPanicOrHangStopNothing(t *testing.T) {
	t.Parallel()
	for name, misbehave := range map[string]func(open chan struct{}){
		"panic": func(chan struct{}) { panic("hook") },
		"hang":  func(open chan struct{}) { <-open },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S4}, func(w *world) {
				open := make(chan struct{})
				var calls atomic.Int64
				core, logged := observer.New(zap.ErrorLevel)
				w.startWith("a", func(cfg *runtime.Config) {
					cfg.Logger = zap.New(core)
					cfg.Hooks = append(cfg.Hooks, observe.HookFunc(func(time.Time, observe.Event) {
						calls.Add(1)
						misbehave(open)
					}))
				}, runtime.Topic{Name: "orders", Behavior: handle(fine)})
				w.produce("orders", 0, "k", "v")
				w.drained(10*time.Second, map[string][]int64{"orders": {1}})
				w.c.Rebalance()
				w.produce("orders", 0, "k", "v")
				w.drained(10*time.Second, map[string][]int64{"orders": {2}})
				if named := logged.FilterField(zap.String("hook", "observe.HookFunc")).Len(); named == 0 {
					t.Errorf("the log does not name the hook: %v", logged.All())
				}
				close(open)
				w.c.Settle()
				before := calls.Load()
				w.produce("orders", 0, "k", "v")
				w.drained(10*time.Second, map[string][]int64{"orders": {3}})
				if calls.Load() == before {
					t.Error("the hook gets no events any more")
				}
			})
		})
	}
}

// fragile is a behavior whose Start and Stop do what the test wants.
type fragile struct{ start, stop func() error }

func (f *fragile) Receive(context.Context, *actors.Record) error { return nil }

func (f *fragile) Start(context.Context, actors.VirtualPartition) error { return f.start() }

func (f *fragile) Stop(context.Context, error) error { return f.stop() }

func nothing() error { return nil }

func TestScenario085AStartThatFails(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var starts tape
		n := w.start("a", runtime.Topic{
			Name: "orders", Supervision: supervision.Policy{Backoff: patient(time.Second)},
			Behavior: func(actors.VirtualPartition) actors.Behavior {
				return &fragile{stop: nothing, start: func() error {
					starts.add("start")
					w.hit("start")
					switch len(starts.lines()) {
					case 1:
						return errNotYet
					case 2:
						panic(errNotYet)
					}
					return nil
				}}
			},
		})
		w.produce("orders", 0, "k", "v")
		w.drained(5*time.Second, map[string][]int64{"orders": {1}})
		starts.want(t, "start", "start", "start")
		for _, r := range find[observe.Restarted](n) {
			if !r.Failure.Starting || r.Failure.Attempt != 0 {
				t.Errorf("restarted for %+v, want a failed start without an attempt", r.Failure)
			}
		}
	})
}

func TestStartThatHangsHoldsItsLaneAlone(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		open := make(chan struct{})
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: func(vp actors.VirtualPartition) actors.Behavior {
				return &fragile{stop: nothing, start: func() error {
					if vp.Index == 1 {
						<-open
					}
					return nil
				}}
			},
		})
		w.produce("orders", 0, laneKey(0, 2), "fine")
		w.produce("orders", 0, laneKey(1, 2), "held")
		time.Sleep(time.Minute)
		w.wantCommitted("orders", 0, 1)
		if took, err := n.stop(); !errors.Is(err, runtime.ErrNotDrained) || took > shutdownFor {
			t.Errorf("the stop took %v and returned %v, want ErrNotDrained within %v", took, err, shutdownFor)
		}
		close(open)
		w.heal(map[string][]int64{"orders": {2}})
	})
}

func TestScenario085StopsThatPanicOrHang(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		open := make(chan struct{})
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: func(vp actors.VirtualPartition) actors.Behavior {
				return &fragile{start: nothing, stop: func() error {
					w.hit("stop")
					if vp.Index == 1 {
						panic("in Stop")
					}
					<-open
					return nil
				}}
			},
		})
		w.produce("orders", 0, laneKey(0, 2), "fine")
		w.produce("orders", 0, laneKey(1, 2), "fine")
		w.c.Settle()
		took, err := n.stop()
		if err != nil || took > commitFor+time.Second {
			t.Errorf("the stop took %v and returned %v, want nil within %v", took, err, commitFor+time.Second)
		}
		w.wantCommitted("orders", 0, 2)
		if count[observe.Warned](n) == 0 {
			t.Error("nobody was told of the hooks")
		}
		close(open)
	})
}
