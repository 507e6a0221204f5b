//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// stamps notes when each record was handed over, after its timestamp.
type stamps struct {
	mu sync.Mutex
	of map[int64]time.Duration // by offset
	at map[int64]time.Time
}

func newStamps() *stamps {
	return &stamps{of: map[int64]time.Duration{}, at: map[int64]time.Time{}}
}

func (s *stamps) receive(_ context.Context, rec *actors.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.of[rec.Offset], s.at[rec.Offset] = time.Since(rec.Timestamp), time.Now()
	return nil
}

// count is of how many records.
func (s *stamps) count() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.of))
}

func (s *stamps) after(offset int64) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[offset]
}

func delayed(d time.Duration, b actors.Factory) runtime.Topic {
	return runtime.Topic{Name: "later", Delay: d, VirtualPartitions: lanes(4), Behavior: b}
}

func TestScenario066DelayIsExact(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S5, check.S8}, func(w *world) {
		seen := newStamps()
		w.start("a", delayed(10*time.Second, handle(seen.receive)))
		for i := range 100 {
			w.produce("later", 0, fmt.Sprint("key-", i%7), "v")
			time.Sleep(37 * time.Millisecond)
		}
		w.drained(20*time.Second, map[string][]int64{"later": {100}})
		for o := range int64(100) {
			if got := seen.after(o); got != 10*time.Second {
				t.Errorf("offset %d was handed over %v after its timestamp, want 10s", o, got)
			}
		}
		w.counters.hitN("delayed", seen.count())
	})
}

func TestDelaySurvivesARebalanceAndARestart(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S4, check.S5, check.S8}, func(w *world) {
		seen := newStamps()
		a := w.start("a", delayed(time.Minute, handle(seen.receive)))
		w.produce("later", 0, "k", numbers(0, 20)...)
		time.Sleep(20 * time.Second)
		w.c.Rebalance()
		if err := a.rt.RestartPartition("later", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if _, err := a.stop(); err != nil {
			t.Error(err)
		}
		w.start("b", delayed(time.Minute, handle(seen.receive)))
		w.drained(time.Minute, map[string][]int64{"later": {20}})
		for o := range int64(20) {
			if got := seen.after(o); got != time.Minute {
				t.Errorf("offset %d was handed over %v after its timestamp, want 1m", o, got)
			}
		}
	})
}

// A member that joins takes partitions over in the middle of their delay, and hands their
// records over at the times that the first one would have.
func TestADelayGoesOnWithAMemberThatTakesOver(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later:2"}, []string{check.S1, check.S2, check.S4, check.S5, check.S8}, func(w *world) {
		seen := []*stamps{newStamps(), newStamps()}
		topic := delayed(time.Minute, handle(func(ctx context.Context, rec *actors.Record) error {
			return seen[rec.Partition].receive(ctx, rec)
		}))
		w.start("a", topic)
		for i := range 10 {
			for p := range int32(2) {
				w.produce("later", p, fmt.Sprint("key-", i%3), "v")
			}
			time.Sleep(time.Second)
		}
		b := w.start("b", topic)
		time.Sleep(20 * time.Second)
		if got := b.owned(); len(got) != 1 || b.partition("later", int32(got[0][len("later/")]-'0')).Buffered != 10 {
			t.Errorf("b has %v, want one partition with its ten records", got)
		}
		w.drained(2*time.Minute, map[string][]int64{"later": {10, 10}})
		for p, s := range seen {
			for o := range int64(10) {
				if got := s.after(o); got != time.Minute {
					t.Errorf("offset %d of %d was handed over %v after its timestamp, want 1m", o, p, got)
				}
			}
		}
	})
}

// A call that is longer than Timeout, and says that it goes on, holds its own lane alone:
// the other records of a delayed topic come at their times.
func TestALongCallWithHeartbeatsDelaysNoOther(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S5, check.S8}, func(w *world) {
		seen := newStamps()
		topic := delayed(5*time.Second, handle(func(ctx context.Context, rec *actors.Record) error {
			for range 20 {
				if string(rec.Value) != "long" {
					break
				}
				time.Sleep(2 * time.Second)
				if err := actors.Heartbeat(ctx); err != nil {
					return err
				}
			}
			return seen.receive(ctx, rec)
		}))
		topic.Timeout = 3 * time.Second
		n := w.start("a", topic)
		w.produce("later", 0, laneKey(0, 4), "long", "behind")
		for range 30 {
			w.produce("later", 0, laneKey(1, 4), "v")
			time.Sleep(time.Second)
		}
		w.drained(time.Minute, map[string][]int64{"later": {32}})
		for o, want := range map[int64]time.Duration{0: 45 * time.Second, 1: 45 * time.Second, 2: 5 * time.Second, 31: 5 * time.Second} {
			if got := seen.after(o); got != want {
				t.Errorf("offset %d was finished %v after its timestamp, want %v", o, got, want)
			}
		}
		if got := count[observe.Quarantined](n); got != 0 {
			t.Errorf("quarantined %d times in spite of the heartbeats", got)
		}
	})
}

// A pause outlives a revoke in kgo (K4): the next assignment must fetch all the same.
func TestScenario071APauseSurvivesARevoke(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		seen := newStamps()
		topic := delayed(time.Minute, handle(seen.receive))
		topic.Buffer.Records = 10
		n := w.start("a", topic)
		w.produce("later", 0, "k", numbers(0, 50)...)
		w.c.Settle()
		if s := n.partition("later", 0); !slices.Equal(s.PauseReasons, []string{"delay"}) {
			t.Fatalf("paused for %v, want delay", s.PauseReasons)
		}
		w.c.Rebalance()
		w.drained(2*time.Minute, map[string][]int64{"later": {50}})
		for o := range int64(50) {
			if got := seen.after(o); got < time.Minute || got > time.Minute+time.Second {
				t.Errorf("offset %d was handed over %v after its timestamp, want 1m", o, got)
			}
		}
	})
}
