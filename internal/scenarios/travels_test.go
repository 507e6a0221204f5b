//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// untilOpen is a topic whose value "held" is not taken until open, so that its lane holds
// the line while the others run on.
func untilOpen(open *atomic.Bool) runtime.Topic {
	return runtime.Topic{
		Name: "orders", VirtualPartitions: lanes(8),
		Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			if string(rec.Value) == "held" && !open.Load() {
				return actors.Snooze(time.Second)
			}
			return nil
		}),
	}
}

// holdBack fills a partition: a record that is held, and n behind it in the other lanes.
func (w *world) holdBack(partition int32, n int) {
	w.t.Helper()
	w.produce("orders", partition, laneKey(0, 8), "held")
	w.hit("held line")
	for lane := 1; lane < 8; lane++ {
		from, to := n*(lane-1)/7, n*lane/7
		w.produce("orders", partition, laneKey(lane, 8), numbers(from, to)...)
	}
}

// A waiting lane holds the line while 1,000 records behind it are finished. The partition
// moves, and the next owner runs none of them again.
func TestScenario087TheNextOwnerRunsNothingAgain(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(w *world, a *node, topic runtime.Topic){
		"a stop": func(w *world, a *node, topic runtime.Topic) {
			if _, err := a.stop(); err != nil {
				w.t.Errorf("the stop: %v", err)
			}
			w.start("b", topic)
		},
		"a rebalance": func(w *world, _ *node, topic runtime.Topic) { w.start("b", topic) },
		"two owners on the way": func(w *world, a *node, topic runtime.Topic) {
			if _, err := a.stop(); err != nil {
				w.t.Errorf("the stop: %v", err)
			}
			b := w.start("b", topic)
			time.Sleep(2 * heartbeatFor)
			if _, err := b.stop(); err != nil {
				w.t.Errorf("the second stop: %v", err)
			}
			w.start("c", topic)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S9, check.S17}, func(w *world) {
				var open atomic.Bool
				topic := untilOpen(&open)
				w.holdBack(0, 1000)
				w.holdBack(1, 1000)
				a := w.start("a", topic)
				time.Sleep(2 * heartbeatFor)
				w.wantCommitted("orders", 0, 0)
				if n := len(w.finished()); n != 2000 {
					t.Fatalf("%d records are finished above the lines, want 2000", n)
				}
				move(w, a, topic)
				time.Sleep(2 * heartbeatFor)
				open.Store(true)
				w.drained(time.Minute, map[string][]int64{"orders": {1001, 1001}})
				w.wantNoDuplicates()
			})
		})
	}
}

// compact runs a compaction, and writes down what is gone.
func (w *world) compact(topic string) {
	w.t.Helper()
	before := w.c.Records(topic)
	w.c.Broker().Compact()
	at := int64(0)
	for _, r := range w.c.Records(topic) {
		if r.Offset > at {
			w.hit("hole")
			w.observer.Removed(tp(topic, 0), at, r.Offset)
		}
		at = r.Offset + 1
	}
	if len(w.c.Records(topic)) == len(before) {
		w.t.Fatal("nothing was compacted away: nothing is shown")
	}
}

// Between two owners the input is compacted, so that records have other places in the
// sequence: what is left and not finished runs, and nothing that is runs again.
func TestScenario026CompactionBetweenTwoOwners(t *testing.T) {
	t.Parallel()
	scenario(t, nil, []string{check.S1, check.S2, check.S12, check.S17}, func(w *world) {
		if err := w.c.Broker().CreateTopic("orders", 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		var open atomic.Bool
		topic := untilOpen(&open)
		w.produce("orders", 0, laneKey(0, 8), "held")
		for i := range 60 { // one batch each
			w.produce("orders", 0, fmt.Sprint(laneKey(1+i%7, 8), strings.Repeat("x", i%3)), "v")
		}
		a := w.start("a", topic)
		time.Sleep(2 * heartbeatFor)
		if _, err := a.stop(); err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			w.produce("orders", 0, fmt.Sprint(laneKey(1+i%7, 8), strings.Repeat("x", i%4)), "w")
		}
		w.compact("orders")
		open.Store(true)
		w.start("b", topic)
		w.drained(time.Minute, map[string][]int64{"orders": {121}})
		w.wantNoDuplicates()
	})
}

// Attempts go on over a stop: the dead letter comes after as many as are configured.
func TestAttemptsGoOnOverAStop(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2, check.S10}, func(w *world) {
		w.dead = append(w.dead, dlq)
		var seen tape
		topic := lettered(&seen)
		topic.Retry.MaxAttempts = 4
		topic.Behavior = handle(func(_ context.Context, rec *actors.Record) error {
			seen.add("%s/%d", rec.Value, rec.Attempt)
			if string(rec.Value) == "poison" {
				return actors.RetryAfter(time.Minute, errPoison)
			}
			return nil
		})
		w.produce("orders", 0, "k", "poison", "after")
		a := w.start("a", topic)
		time.Sleep(90 * time.Second)
		if _, err := a.stop(); err != nil {
			t.Fatal(err)
		}
		seen.want(t, "poison/1", "poison/2")
		w.start("b", topic)
		w.drained(10*time.Minute, map[string][]int64{"orders": {2}})
		seen.want(t, "poison/1", "poison/2", "poison/3", "poison/4", "after/1")
		copies := w.c.Records(dlq)
		if len(copies) != 1 || headers(copies[0])["troupe.dlq.attempts"] != "4" {
			t.Errorf("dead letters %v", copies)
		}
	})
}

func TestScenario044MetadataThatTheBrokerRefuses(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3}, func(w *world) {
		var open atomic.Bool
		topic := untilOpen(&open)
		w.produce("orders", 0, laneKey(1, 8), numbers(0, 10)...)
		a := w.start("a", topic)
		time.Sleep(2 * heartbeatFor)
		refusal := w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.OffsetMetadataTooLarge, Count: 1})
		w.produce("orders", 0, laneKey(1, 8), numbers(10, 20)...)
		w.holdBack(0, 70)
		time.Sleep(2 * heartbeatFor)
		w.wantCommitted("orders", 0, 20)
		cut := find[observe.MetadataCut](a)
		if refusal.Hits() != 1 || len(cut) != 1 || !cut[0].Refused {
			t.Errorf("%d refusals, told %+v", refusal.Hits(), cut)
		}
		for _, ev := range find[observe.CommitAnswered](a) {
			if ev.Outcome != observe.OK {
				t.Errorf("a line was not stored: %+v", ev)
			}
		}
		open.Store(true)
		w.drained(time.Minute, map[string][]int64{"orders": {91}})
	})
}

// The others run far ahead of a lane that waits. By default the partition pauses before a
// commit has no room for what is finished, and nothing is run again; with AheadRepeat it
// goes on, says so, and the next owner runs some of it again.
func TestScenario087BothSidesOfTheHorizon(t *testing.T) {
	t.Parallel()
	const n = 30_000
	for name, c := range map[string]struct {
		policy  runtime.OnAhead
		reasons []string
		cuts    int
		repeats bool
	}{
		"pause":  {runtime.AheadPause, []string{"ahead"}, 0, false},
		"repeat": {runtime.AheadRepeat, nil, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S9, check.S17}, func(w *world) {
				var open atomic.Bool
				topic := untilOpen(&open)
				topic.OnAhead = c.policy
				w.holdBack(0, 0)
				recs := make([]*actors.Record, n)
				for i := range recs { // every other one waits behind the one that is held
					recs[i] = &actors.Record{Topic: "orders", Key: []byte(laneKey(i%2, 8)), Value: []byte("v")}
				}
				w.produceRecords(recs...)
				topic.Buffer.Records = 2 * n
				a := w.start("a", topic)
				time.Sleep(2 * heartbeatFor)
				if got := a.partition("orders", 0).PauseReasons; !slices.Equal(got, c.reasons) {
					t.Errorf("paused for %q, want %q", got, c.reasons)
				}
				if _, err := a.stop(); err != nil {
					t.Fatal(err)
				}
				if got := count[observe.MetadataCut](a); got != c.cuts {
					t.Errorf("told %d times that there is no room, want %d", got, c.cuts)
				}
				open.Store(true)
				w.start("b", topic)
				w.drained(time.Minute, map[string][]int64{"orders": {n + 1}})
				repeated := false
				for _, times := range w.finished() {
					repeated = repeated || times > 1
				}
				if repeated != c.repeats {
					t.Errorf("records ran again: %t, want %t", repeated, c.repeats)
				}
			})
		})
	}
}
