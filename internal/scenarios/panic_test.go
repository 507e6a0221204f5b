//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

var errPoison = errors.New("poison")

// poisoned panics on one record of lane 0, and counts the others.
func poisoned(done *tape, rec *actors.Record) error {
	if string(rec.Value) == "poison" {
		panic(errPoison)
	}
	done.add("%s", rec.Value)
	return nil
}

// patient spaces restarts and retries by at most d: jitter takes a part of it.
func patient(d time.Duration) supervision.Backoff { return supervision.Backoff{Min: d, Max: d} }

func TestPanicLoopLeavesTheOtherLanesAlone(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S6}, func(w *world) {
		var done tape
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(3),
			Supervision: supervision.Policy{MaxRestarts: supervision.Unlimited, Backoff: patient(time.Second)},
			Retry:       runtime.Retry{Backoff: patient(time.Second)},
			Buffer:      runtime.Buffer{Records: 100}, MaxAhead: 200,
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { return poisoned(&done, rec) }),
		})
		w.produce("orders", 0, laneKey(0, 3), "poison")
		for range 75 { // as fast as they come
			w.produce("orders", 0, laneKey(1, 3), "fine")
			w.produce("orders", 0, laneKey(2, 3), "fine")
		}
		w.c.Settle()
		if got := len(done.lines()); got != 150 {
			t.Errorf("%d records of the other lanes are done, want 150", got)
		}
		if reasons := n.partition("orders", 0).PauseReasons; len(reasons) != 0 {
			t.Errorf("paused for %v before the window is full", reasons)
		}
		w.produce("orders", 0, laneKey(1, 3), numbers(0, 100)...) // past MaxAhead
		w.c.Settle()
		s := n.partition("orders", 0)
		if !slices.Equal(s.PauseReasons, []string{"ahead"}) || s.Ahead < 200 {
			t.Errorf("paused for %v with %d ahead, want ahead at 200", s.PauseReasons, s.Ahead)
		}
		if p := find[observe.Paused](n); len(p) == 0 || p[len(p)-1].Reason != "ahead" {
			t.Errorf("told of the pauses %+v, want ahead as the last", p)
		}
		time.Sleep(time.Minute)
		w.wantCommitted("orders", 0, 0)
		if s := n.partition("orders", 0); s.Restarts == 0 || s.Lag != 251 {
			t.Errorf("%d restarts and a lag of %d, want some and 251", s.Restarts, s.Lag)
		}
		if _, err := n.stop(); err != nil {
			t.Error(err)
		}
		w.heal(map[string][]int64{"orders": {251}})
	})
}

func TestRestartsFollowBackoffAndBudget(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S5}, func(w *world) {
		var tries tape
		n := w.start("a", runtime.Topic{
			Name:        "orders",
			Supervision: supervision.Policy{MaxRestarts: 3, Within: time.Hour, Backoff: supervision.Backoff{Min: time.Second, Max: time.Minute}},
			Retry:       runtime.Retry{Backoff: patient(time.Nanosecond)},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				tries.add("%d", rec.Attempt)
				panic(errPoison)
			}),
		})
		w.produce("orders", 0, "k", "poison")
		err := n.run()
		if !errors.Is(err, errPoison) {
			t.Errorf("Run returned %v, want the panic's error", err)
		}
		// 1 + 3 restarts, then a rebuild with a fresh lane: 3 rebuilds without progress are
		// the partition's budget, and each has 1 + 3 deliveries.
		got := tries.lines()
		if want := numbers(1, 17); !slices.Equal(got, want) {
			t.Errorf("attempts %v, want %v", got, want)
		}
		if got := count[observe.Restarted](n); got != 4*3 {
			t.Errorf("%d restarts, want 12", got)
		}
		if got := count[observe.Escalated](n); got != 4 {
			t.Errorf("%d escalations, want 4: one for each rebuild, and the last", got)
		}
		at := tries.times()
		for i := 1; i < len(at); i++ {
			step := i % 4 // 1, 2 and 3: a restart; 0: a rebuild, the i/4th
			if step == 0 {
				step = i / 4
			}
			most := min(time.Second<<(step-1), time.Minute)
			if gap := at[i] - at[i-1]; gap <= 0 || gap > most {
				t.Errorf("delivery %d came %v after the one before, want at most %v", i+1, gap, most)
			}
		}
		w.heal(map[string][]int64{"orders": {1}})
	})
}

func TestEscalationRebuildsThePartitionAndOthersRunOn(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S4, check.S5, check.S6}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders",
			Supervision: supervision.Policy{
				Backoff: patient(time.Second),
				Decide:  func(supervision.Failure) supervision.Directive { return supervision.Escalate },
			},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				seen.add("%d:%d/%d", rec.Partition, rec.Offset, rec.Attempt)
				if rec.Partition == 0 && rec.Offset == 1 && rec.Attempt == 1 {
					return errPoison
				}
				return nil
			}),
		})
		w.produce("orders", 0, "k", "0", "1", "2")
		w.c.Settle()
		w.produce("orders", 1, "k", "0")
		w.c.Settle()
		seen.want(t, "0:0/1", "0:1/1", "1:0/1")
		time.Sleep(2 * time.Second)
		seen.want(t, "0:0/1", "0:1/1", "1:0/1", "0:1/2", "0:2/1")
		if got := count[observe.Escalated](n); got != 1 {
			t.Errorf("%d escalations, want 1", got)
		}
		w.drained(2*time.Second, map[string][]int64{"orders": {3, 1}})
	})
}

// Without a dead letter topic a discarded record is never dropped.
func TestDiscardWithoutADeadLetterTopicEndsRun(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.start("a", runtime.Topic{
			Name: "orders", Supervision: supervision.Policy{MaxRestarts: 1, Backoff: patient(time.Second)},
			Behavior: handle(func(context.Context, *actors.Record) error { return actors.Discard(errPoison) }),
		})
		w.produce("orders", 0, "k", "poison")
		if err := n.run(); !errors.Is(err, errPoison) {
			t.Errorf("Run returned %v, want %v", err, errPoison)
		}
		w.wantCommitted("orders", 0, 0)
		w.heal(map[string][]int64{"orders": {1}})
	})
}
