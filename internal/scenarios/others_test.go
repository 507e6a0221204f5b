//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/kfakefix"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// The bugs of others: each test has the situation in which another project was wrong, and
// docs/guarantees.md the list.

// A revoke commits what is finished, never what was only polled.
func TestParallelConsumer826CommitOnRevoke(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S7}, func(w *world) {
		open := make(chan struct{})
		w.start("a", runtime.Topic{Name: "orders", VirtualPartitions: lanes(2), Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			if rec.Offset == 1 {
				<-open
			}
			return nil
		})})
		w.produce("orders", 0, laneKey(0, 2), "done")
		w.produce("orders", 0, laneKey(1, 2), "under way", "polled")
		w.produce("orders", 0, laneKey(0, 2), "done above")
		w.c.Settle()
		w.c.Rebalance()
		w.wantCommitted("orders", 0, 1)
		close(open)
		w.drained(time.Minute, map[string][]int64{"orders": {4}})
	})
}

// A record of a new assignment is worked at although one of the old assignment, at the same
// offset, is still around.
func TestParallelConsumer909StaleRecord(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S6, check.S7}, func(w *world) {
		open := make(chan struct{})
		var seen tape
		w.start("a", runtime.Topic{Name: "orders", Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			seen.add("%d", rec.Offset)
			if len(seen.lines()) == 1 {
				<-open
			}
			return nil
		})})
		w.produce("orders", 0, "k", "v")
		w.c.Settle()
		w.c.Rebalance()
		w.wantCommitted("orders", 0, 0)
		close(open) // the stale one ends, and the fresh one runs
		w.drained(time.Minute, map[string][]int64{"orders": {1}})
		seen.want(t, "0", "0")
	})
}

// A partition that was paused when it was revoked is fetched when it comes back.
func TestFranzGo1272PauseOutlivesARevoke(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		slow := runtime.Topic{Name: "orders", Buffer: runtime.Buffer{Records: 5}, Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(100 * time.Millisecond)
			return nil
		})}
		n := w.start("a", slow)
		for i := range 20 {
			w.produce("orders", 0, "k", numbers(i, i+1)...)
			w.c.Settle()
		}
		time.Sleep(20 * time.Millisecond)
		if s := n.partition("orders", 0); len(s.PauseReasons) == 0 {
			t.Fatal("it is not paused: nothing is shown")
		}
		w.c.Rebalance()
		w.drained(time.Minute, map[string][]int64{"orders": {20}})
		if s := n.partition("orders", 0); len(s.PauseReasons) != 0 {
			t.Errorf("paused for %v with nothing to do", s.PauseReasons)
		}
	})
}

// The line passes a marker that follows it, and one that follows a commit.
func TestParallelConsumer329MarkersAtTheLine(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		w.start("a", runtime.Topic{Name: "orders", Behavior: handle(fine)})
		client := w.transactional()
		for end := int64(2); end <= 8; end += 2 {
			w.transaction(client, kgo.TryCommit, 1)
			w.drained(5*time.Second, map[string][]int64{"orders": {end}})
		}
	})
}

// Offsets that compaction took are no records that are missing.
func TestParallelConsumer409CompactionHoles(t *testing.T) {
	t.Parallel()
	scenario(t, nil, []string{check.S1, check.S2}, func(w *world) {
		if err := w.c.Broker().CreateTopic("orders", 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			w.produce("orders", 0, "one key", "v")
		}
		w.c.Broker().Compact()
		held, at := w.c.Records("orders"), int64(0)
		if len(held) == 10 {
			t.Fatal("nothing was compacted away: nothing is shown")
		}
		for _, r := range held {
			w.observer.Removed(tp("orders", 0), at, r.Offset)
			at = r.Offset + 1
		}
		w.start("a", runtime.Topic{Name: "orders", VirtualPartitions: lanes(4), Behavior: handle(fine)})
		w.drained(10*time.Second, map[string][]int64{"orders": {10}})
	})
}

func TestParallelConsumer318NullKeys(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		w.start("a", runtime.Topic{Name: "orders", VirtualPartitions: lanes(16), Behavior: handle(fine)})
		for range 20 {
			w.produceRecords(&actors.Record{Topic: "orders"}, &actors.Record{Topic: "orders", Key: []byte("k")})
		}
		w.drained(10*time.Second, map[string][]int64{"orders": {40}})
	})
}

// A stop in the middle of a revoke ends within its budget.
func TestParallelConsumer541CloseWhileRevoked(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S4}, func(w *world) {
		slow := runtime.Topic{Name: "orders", Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(5 * time.Second)
			return nil
		})}
		a := w.start("a", slow)
		for p := range int32(4) {
			w.produce("orders", p, "k", "v")
		}
		joined := make(chan struct{})
		go func() {
			defer close(joined)
			w.start("b", slow)
		}()
		time.Sleep(2 * time.Second) // a drains
		if took, err := a.stop(); err != nil || took > shutdownFor {
			t.Errorf("the stop took %v and returned %v, want nil within %v", took, err, shutdownFor)
		}
		<-joined
		w.drained(time.Minute, map[string][]int64{"orders": {1, 1, 1, 1}})
		w.wantNoDuplicates()
	})
}

// What an old assignment left under way keeps no new one from its work.
func TestParallelConsumer606StaleWork(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S7}, func(w *world) {
		w.start("a", runtime.Topic{Name: "orders", VirtualPartitions: lanes(4), Behavior: handle(func(ctx context.Context, _ *actors.Record) error {
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})})
		for i := range 5 {
			w.produce("orders", 0, fmt.Sprint("key-", i), "v", "v", "v")
			w.c.Settle()
			w.c.Rebalance()
		}
		w.drained(time.Minute, map[string][]int64{"orders": {15}})
	})
}

// Records that wait for a retry are bounded as all others are.
func TestParallelConsumer832RetryQueue(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(64), Buffer: runtime.Buffer{Records: 50}, MaxAhead: 50,
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if rec.Attempt == 1 {
					return actors.RetryAfter(time.Minute, errNotYet)
				}
				return nil
			}),
		})
		for i := range 500 {
			w.produce("orders", 0, fmt.Sprint("key-", i), "v")
			w.c.Settle()
		}
		if s := n.partition("orders", 0); s.Buffered > 60 || len(s.PauseReasons) == 0 {
			t.Errorf("%d records are buffered and it is paused for %v, want some 50 and a reason", s.Buffered, s.PauseReasons)
		}
		w.drained(time.Hour, map[string][]int64{"orders": {500}})
	})
}

// A partition that pauses again and again resumes each time.
func TestParallelConsumer857PausedForEver(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.start("a", runtime.Topic{Name: "orders", Buffer: runtime.Buffer{Records: 3}, Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(50 * time.Millisecond)
			return nil
		})})
		for i := range 200 {
			w.produce("orders", 0, "k", "v")
			if i%50 == 25 {
				w.c.Rebalance()
			}
			time.Sleep(20 * time.Millisecond)
		}
		w.drained(time.Minute, map[string][]int64{"orders": {200}})
		if paused, _ := n.pauses(tp("orders", 0), "back-pressure"); paused < 2 {
			t.Errorf("paused %d times: nothing was shown", paused)
		}
	})
}

// What is finished above the line needs more room than the broker gives to a commit: none is
// refused, the line is stored, and it goes on when the record that held it is done.
func TestParallelConsumer326MetadataOverTheLimit(t *testing.T) {
	t.Parallel()
	const n = 30_000
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S9}, func(w *world) {
		kfakefix.Metadata(w.c.Broker())
		var open atomic.Bool
		topic := untilOpen(&open)
		topic.OnAhead, topic.Buffer.Records = runtime.AheadRepeat, n
		w.produce("orders", 0, laneKey(1, 8), numbers(0, 10)...)
		w.produce("orders", 0, laneKey(0, 8), "held")
		recs := make([]*actors.Record, n)
		for i := range recs { // every other one waits behind the one that is held
			recs[i] = &actors.Record{Topic: "orders", Key: []byte(laneKey(i%2, 8)), Value: []byte("v")}
		}
		w.produceRecords(recs...)
		a := w.start("a", topic)
		time.Sleep(2 * heartbeatFor)
		w.wantCommitted("orders", 0, 10)
		if cut := find[observe.MetadataCut](a); len(cut) != 1 || cut[0].Refused || cut[0].From < 20_000 {
			t.Errorf("told %+v, want once that there is no room from some 21,000 on", cut)
		}
		open.Store(true)
		w.drained(time.Minute, map[string][]int64{"orders": {n + 11}})
		for _, ev := range find[observe.CommitAnswered](a) {
			if ev.Outcome != observe.OK {
				t.Errorf("a commit was not stored: %+v", ev)
			}
		}
		w.wantNoDuplicates()
	})
}

// A dead letter that was not written is not processed.
func TestKpipe217FailedDeadLetter(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2}, func(w *world) {
		w.dead = []string{dlq}
		w.start("a", lettered(&tape{}))
		fault := w.produceFault(kerr.InvalidRecord)
		w.produce("orders", 0, "k", "discard", "fine")
		time.Sleep(time.Minute)
		w.wantCommitted("orders", 0, 0)
		if len(w.c.Records(dlq)) != 0 || fault.Hits() == 0 {
			t.Error("the dead letter was written: nothing is shown")
		}
		fault.Remove()
		w.drained(2*time.Minute, map[string][]int64{"orders": {2}})
	})
}

// What ends while a revoke drains counts: it is committed, and not done again.
func TestFinishedWorkSurvivesTheFence(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S7}, func(w *world) {
		w.start("a", runtime.Topic{Name: "orders", VirtualPartitions: lanes(8), Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(5 * time.Second)
			return nil
		})})
		for lane := range 8 {
			w.produce("orders", 0, laneKey(lane, 8), "v")
		}
		w.c.Settle()
		w.c.Rebalance()
		w.wantCommitted("orders", 0, 8)
		w.wantNoDuplicates()
	})
}
