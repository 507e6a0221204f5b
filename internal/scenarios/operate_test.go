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

func TestPauseAndResumeByAnOperator(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{Name: "orders", Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			seen.add("%d:%d", rec.Partition, rec.Offset)
			return nil
		})})
		if err := n.rt.PausePartition("orders", 0); err != nil {
			t.Fatal(err)
		}
		w.c.Settle()
		w.produce("orders", 0, "k", numbers(0, 5)...)
		w.produce("orders", 1, "k", "0")
		time.Sleep(15 * time.Second) // K18: the end of a paused partition is asked for
		seen.want(t, "1:0")
		s := n.partition("orders", 0)
		if s.Lag != 5 || s.LagAge > 10*time.Second || !slices.Equal(s.PauseReasons, []string{"operator"}) {
			t.Errorf("lag %d of %v ago, paused for %v; want 5, at most 10s, operator", s.Lag, s.LagAge, s.PauseReasons)
		}
		w.produce("orders", 0, "k", numbers(5, 8)...)
		time.Sleep(10 * time.Second)
		if got := n.partition("orders", 0).Lag; got != 8 {
			t.Errorf("lag %d while paused, want 8: it rises", got)
		}
		if err := n.rt.ResumePartition("orders", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(commitEvery)
		w.wantCommitted("orders", 0, 8)
		if err := n.rt.PausePartition("orders", 7); !errors.Is(err, runtime.ErrNotAssigned) {
			t.Errorf("pausing a partition that is not ours: %v, want %v", err, runtime.ErrNotAssigned)
		}
	})
}

func TestRestartLaneEndsTheCallAndDeliversAgain(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S6}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{Name: "orders", VirtualPartitions: lanes(2), Behavior: handle(func(ctx context.Context, rec *actors.Record) error {
			seen.add("%d/%d", rec.Offset, rec.Attempt)
			if rec.Offset == 0 && len(seen.lines()) == 1 {
				<-ctx.Done()
				seen.add("%v", errors.Is(context.Cause(ctx), actors.ErrRestart))
				return context.Cause(ctx)
			}
			return nil
		})})
		w.produce("orders", 0, laneKey(1, 2), "stuck", "behind")
		w.c.Settle()
		if err := n.rt.RestartLane(actors.VirtualPartition{Topic: "orders", Index: 1}, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(commitEvery)
		seen.want(t, "0/1", "true", "0/1", "1/1") // an operator's restart is no attempt
		w.wantCommitted("orders", 0, 2)
	})
}

func TestAStoppedLaneGoesOnAfterItsRestart(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Supervision: supervision.Policy{Decide: func(supervision.Failure) supervision.Directive { return supervision.Stop }},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if string(rec.Value) == "bad" && rec.Attempt == 1 {
					return errPoison
				}
				return nil
			}),
		})
		w.produce("orders", 0, laneKey(0, 2), "bad", "behind")
		w.produce("orders", 0, laneKey(1, 2), "fine")
		time.Sleep(time.Minute)
		w.wantCommitted("orders", 0, 0)
		s := n.partition("orders", 0)
		if len(s.Lanes) != 1 || s.Lanes[0].State != "stopped" || !errors.Is(s.Lanes[0].LastErr, errPoison) {
			t.Errorf("lanes %+v, want lane 0 stopped by its failure", s.Lanes)
		}
		if count[observe.Halted](n) != 1 {
			t.Error("nobody was told")
		}
		if err := n.rt.RestartLane(actors.VirtualPartition{Topic: "orders"}, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * commitEvery)
		w.wantCommitted("orders", 0, 3)
	})
}

func TestAForcedRestartRunsBesideTheOldCall(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S6}, func(w *world) {
		open := make(chan struct{})
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders", Timeout: time.Second,
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { return w.deaf(open, &seen, rec) }),
		})
		w.produce("orders", 0, "k", "hang", "behind")
		time.Sleep(5 * time.Second)
		lane := actors.VirtualPartition{Topic: "orders"}
		if err := n.rt.RestartLane(lane, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		seen.want(t, "0/1") // not without force
		if err := n.rt.RestartLane(lane, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * commitEvery)
		seen.want(t, "0/1", "0/2", "1/1")
		w.wantCommitted("orders", 0, 2)
		if count[observe.Forced](n) != 1 {
			t.Error("nobody was told")
		}
		close(open)
	})
}

func TestStatsTellWhatWaitsAndForHowLong(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S8}, func(w *world) {
		n := w.start("a", delayed(time.Minute, handle(fine)))
		begun := time.Now()
		w.produce("later", 0, "k", "0", "1")
		time.Sleep(15 * time.Second)
		s := n.partition("later", 0)
		if s.Buffered != 2 || s.OldestOffset != 0 || s.OldestAge != 15*time.Second || !s.WaitingUntil.Equal(begun.Add(time.Minute)) || s.InFlight != 0 {
			t.Errorf("stats %+v, want two records 15s old that wait for their minute", s)
		}
		w.drained(time.Minute, map[string][]int64{"later": {2}})
		if s := n.partition("later", 0); s.Buffered != 0 || s.OldestOffset != -1 || s.Lag != 0 {
			t.Errorf("stats %+v, want nothing left", s)
		}
	})
}
