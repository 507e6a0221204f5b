//go:build synctests

package scenarios

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// gapped has ten records, the group has committed 2, and 5 is where the log starts.
func gapped(w *world, seen *tape, policy runtime.OnGap) (*node, runtime.Topic) {
	w.t.Helper()
	topic := runtime.Topic{
		Name: "orders", OnGap: policy,
		Behavior: handle(func(_ context.Context, rec *actors.Record) error { seen.add("%d", rec.Offset); return nil }),
	}
	first := w.start("first", topic)
	w.produce("orders", 0, "k", "0", "1")
	time.Sleep(commitEvery)
	if _, err := first.stop(); err != nil {
		w.t.Error(err)
	}
	w.produce("orders", 0, "k", numbers(2, 10)...)
	w.remove(5)
	return w.start("a", topic), topic
}

// remove deletes orders/0 up to an offset, as retention does.
func (w *world) remove(to int64) {
	w.t.Helper()
	if err := w.c.Broker().DeleteRecords("orders", 0, to); err != nil {
		w.t.Fatal(err)
	}
	info := w.c.Broker().PartitionInfo("orders", 0)
	w.observer.Log(tp("orders", 0), info.LogStartOffset, info.HighWatermark)
	if info.LogStartOffset == to {
		w.hit("records deleted")
	}
}

func wantGap(t *testing.T, n *node, from, to int64) {
	t.Helper()
	gaps := find[observe.Gap](n)
	if len(gaps) != 1 || gaps[0].From != from || gaps[0].To != to || gaps[0].Possible {
		t.Errorf("told of the gaps %+v, want [%d, %d)", gaps, from, to)
	}
}

func TestScenario028CommittedBelowTheLogStopsVisibly(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		n, _ := gapped(w, &seen, runtime.GapStop)
		time.Sleep(time.Minute)
		wantGap(t, n, 2, 5)
		seen.want(t, "0", "1")
		w.wantCommitted("orders", 0, 2)
		if s := n.partition("orders", 0); !slices.Equal(s.PauseReasons, []string{"gap"}) {
			t.Errorf("paused for %v, want gap", s.PauseReasons)
		}
		if err := n.rt.RestartPartition("orders", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * commitEvery)
		seen.want(t, append([]string{"0", "1"}, numbers(5, 10)...)...)
		w.wantCommitted("orders", 0, 10)
		if s := n.partition("orders", 0); len(s.PauseReasons) != 0 {
			t.Errorf("paused for %v behind the gap", s.PauseReasons)
		}
	})
}

func TestScenario028CommittedBelowTheLogIsPassedByPolicy(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S13}, func(w *world) {
		var seen tape
		n, _ := gapped(w, &seen, runtime.GapContinue)
		time.Sleep(2 * commitEvery)
		wantGap(t, n, 2, 5)
		seen.want(t, append([]string{"0", "1"}, numbers(5, 10)...)...)
		w.wantCommitted("orders", 0, 10)
	})
}

// The log is deleted under a partition that is paused behind its position.
func TestScenario030RecordsAreDeletedWhileRunning(t *testing.T) {
	t.Parallel()
	for _, policy := range []runtime.OnGap{runtime.GapStop, runtime.GapContinue} {
		t.Run(policy.String(), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S13}, func(w *world) {
				var seen tape
				n := w.start("a", runtime.Topic{
					Name: "orders", OnGap: policy,
					Behavior: handle(func(_ context.Context, rec *actors.Record) error { seen.add("%d", rec.Offset); return nil }),
				})
				w.produce("orders", 0, "k", "0", "1")
				w.c.Settle()
				if err := n.rt.PausePartition("orders", 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second) // what was asked for before comes back empty
				w.produce("orders", 0, "k", numbers(2, 10)...)
				w.remove(5)
				if err := n.rt.ResumePartition("orders", 0); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				wantGap(t, n, 2, 5)
				if policy == runtime.GapStop {
					seen.want(t, "0", "1")
					w.wantCommitted("orders", 0, 2)
					if err := n.rt.RestartPartition("orders", 0); err != nil {
						t.Fatal(err)
					}
					time.Sleep(2 * commitEvery)
				}
				seen.want(t, append([]string{"0", "1"}, numbers(5, 10)...)...)
				w.wantCommitted("orders", 0, 10)
			})
		})
	}
}

// Retention behind the line, and behind a marker, takes nothing that anybody wants.
func TestRetentionBelowTheLineIsNoGap(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		topic := runtime.Topic{Name: "orders", Behavior: handle(fine)}
		a := w.start("a", topic)
		w.produce("orders", 0, "k", numbers(0, 5)...)
		time.Sleep(commitEvery)
		w.remove(5)
		if _, err := a.stop(); err != nil {
			t.Error(err)
		}
		b := w.start("b", topic)
		w.produce("orders", 0, "k", "5")
		w.drained(5*time.Second, map[string][]int64{"orders": {6}})
		if count[observe.Gap](a)+count[observe.Gap](b) != 0 {
			t.Errorf("told of a gap: %+v %+v", find[observe.Gap](a), find[observe.Gap](b))
		}
	})
}

// Without a commit of "latest" a crash before the first one would lose what came between.
func TestStartAtLatestHoldsOverACrash(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		topic := runtime.Topic{
			Name: "orders", StartAt: runtime.Latest,
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { seen.add("%d", rec.Offset); return nil }),
		}
		w.produce("orders", 0, "k", "before", "before")
		w.observer.GroupStart(tp("orders", 0), 2)
		a := w.start("a", topic)
		w.wantCommitted("orders", 0, 2)
		a.kill()
		w.produce("orders", 0, "k", "after")
		w.start("b", topic)
		w.drained(2*sessionFor, map[string][]int64{"orders": {3}})
		seen.want(t, "2")
	})
}
