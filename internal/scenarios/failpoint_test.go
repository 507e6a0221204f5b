//go:build synctests && failpoints

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/internal/wallclock"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// once breaks a point at its first hit by the member's runtime, and counts that.
func (w *world) once(p failpoint.Point, n *node, f func() error) func() {
	var done atomic.Bool
	return failpoint.SetOf(p, func(of any) error {
		if of != n.rt || done.Swap(true) {
			return nil
		}
		w.observer.Fault(n.name, string(p), true)
		defer w.observer.Fault(n.name, string(p), false)
		w.hit(string(p))
		return f()
	})
}

// Our clock of the wall jumps while a partition waits for due times. Forward, the wait is
// over by that clock, which is looked at with every commit tick; back, it begins anew. The
// session that an hour has passed over is taken for one of a machine that was suspended.
func TestScenario070TheWallClockJumps(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"later"}, []string{check.S1, check.S2}, func(w *world) {
				var early atomic.Int64
				var n *node
				// The delay is set past the journal, which judges by a clock that goes right.
				n = w.startWith("a", func(cfg *runtime.Config) { cfg.Topics[0].Delay = 30 * time.Minute }, runtime.Topic{
					Name: "later", Behavior: handle(func(_ context.Context, rec *actors.Record) error {
						if wallclock.Until(n.rt, rec.Timestamp.Add(30*time.Minute)) > 0 {
							early.Add(1)
						}
						return nil
					}),
				})
				w.produce("later", 0, "k", "v")
				time.Sleep(time.Minute)
				wallclock.Jump(n.rt, by)
				defer wallclock.Forget(n.rt)
				w.hit("wall clock")
				begun := time.Now()
				w.drained(2*time.Hour, map[string][]int64{"later": {1}})
				took := time.Since(begun)
				if early.Load() != 0 {
					t.Error("handed over early, by the runtime's clock")
				}
				switch {
				case by > 0 && took > time.Minute:
					t.Errorf("the due time was passed by, and the record took %v", took)
				case by < 0 && (took < 89*time.Minute || took > 90*time.Minute):
					t.Errorf("the record took %v, want what was left and the hour", took)
				}
			})
		})
	}
}

// The wake-up of a delay is lost. The commit tick finds it: nothing waits for longer than
// a commit interval.
func TestScenario073AWakeUpIsLost(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		seen := newStamps()
		n := w.start("a", delayed(10500*time.Millisecond, handle(seen.receive)))
		defer w.once(failpoint.WakeUp, n, func() error { return errSwept })()
		w.produce("later", 0, "k", "v")
		w.drained(20*time.Second, map[string][]int64{"later": {1}})
		if late := seen.after(0) - 10500*time.Millisecond; late <= 0 || late > commitEvery {
			t.Errorf("handed over %v late, want some, and at most a commit interval", late)
		}
	})
}

// A partition's supervisor panics with a report in its hands: the partition is rebuilt from
// the line that the broker has.
func TestScenario086ASupervisorPanics(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3, check.S6}, func(w *world) {
		n := w.start("a", working())
		w.produce("orders", 0, "k", numbers(0, 20)...)
		w.drained(time.Minute, map[string][]int64{"orders": {20}})
		defer w.once(failpoint.Reported, n, func() error { panic(errSwept) })()
		w.produce("orders", 0, "k", numbers(0, 20)...)
		w.drained(time.Minute, map[string][]int64{"orders": {40}})
		if e := find[observe.Escalated](n); len(e) != 1 || !errors.Is(e[0].Failure.Err, errSwept) {
			t.Errorf("escalations %+v, want one, of the panic", e)
		}
	})
}

// The process ends between the acknowledgment of a dead letter and the commit: there is one
// copy more, and nothing is lost.
func TestScenario092ACrashBehindADeadLetter(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2, check.S10}, func(w *world) {
		w.dead = []string{dlq}
		topic := runtime.Topic{
			Name: "orders", DeadLetter: runtime.DeadLetter{Topic: dlq}, Retry: runtime.Retry{MaxAttempts: 1},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { return poisonOnly(rec) }),
		}
		n := w.start("a", topic)
		over := make(chan struct{})
		w.t.Cleanup(func() { close(over) })
		defer w.once(failpoint.Forwarded, n, func() error { w.crash(n); <-over; return nil })()
		w.produce("orders", 0, "k", "poison", "fine")
		time.Sleep(time.Second)
		n.killed = true
		w.start("b", topic)
		w.drained(2*time.Minute, map[string][]int64{"orders": {2}})
		if got := len(w.c.Records(dlq)); got != 2 {
			t.Errorf("%d dead letters, want the one before the crash and the one after", got)
		}
	})
}

func poisonOnly(rec *actors.Record) error {
	if string(rec.Value) == "poison" {
		return errPoison
	}
	return nil
}

// crash is kill from within a step of the member.
func (w *world) crash(n *node) {
	n.dead.Store(true)
	w.c.Kill(n.rt)
	w.observer.Killed(n.name)
}

// The process ends at each step between the end of a call and the answer to its commit:
// what is not committed runs again, and no more.
func TestScenario047ACrashBetweenEndAndCommit(t *testing.T) {
	t.Parallel()
	for _, p := range []failpoint.Point{
		failpoint.End, failpoint.Report, failpoint.Reported, failpoint.Tick, failpoint.Line, failpoint.Flush,
		failpoint.Send, failpoint.Answer, failpoint.Committed,
	} {
		t.Run(fmt.Sprint(p), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3, check.S9}, func(w *world) {
				n := w.start("a", working())
				w.produce("orders", 0, "k", numbers(0, 20)...)
				w.drained(time.Minute, map[string][]int64{"orders": {20}})
				over := make(chan struct{})
				w.t.Cleanup(func() { close(over) })
				defer w.once(p, n, func() error { w.crash(n); <-over; return nil })()
				w.produce("orders", 0, "k", numbers(20, 40)...)
				time.Sleep(5 * time.Second)
				n.killed = true
				w.start("b", working())
				w.drained(2*time.Minute, map[string][]int64{"orders": {40}})
				if again := w.twice(); again > 20 {
					t.Errorf("%d records ran again, of which 20 were not committed", again)
				}
			})
		})
	}
}

// twice is how many records were finished more than once.
func (w *world) twice() int {
	n := 0
	for _, times := range w.finished() {
		if times > 1 {
			n++
		}
	}
	return n
}
