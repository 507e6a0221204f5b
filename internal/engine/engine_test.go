package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/supervision"
)

var errBad = errors.New("bad")

func upTo(n int64) []int64 {
	var offsets []int64
	for o := range n {
		offsets = append(offsets, o)
	}
	return offsets
}

// Records 0-9 over three lanes; {0,1,2,4,5,7} finish; 3, 6, 8 and 9 do not: the
// broker holds 3.
func TestCommitLineStopsAtTheFirstUnfinishedRecord(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	behavior := func(_ context.Context, rec *actors.Record) error {
		if slices.Contains([]int64{3, 6, 8, 9}, rec.Offset) {
			<-release
		}
		return nil
	}
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(behavior)
		topic.Core.Lanes = 10
		topic.KeyBy = func(rec *actors.Record) []byte { return []byte{byte(rec.Offset)} }
	}, func(r *rig) {
		release = make(chan struct{})
		r.assign(0)
		// KeyBy spreads the records, but which lane is whose does not matter here.
		r.fetch(0, []string{"x"}, upTo(10)...)
		time.Sleep(commitEvery)
		synctest.Wait()
		if got := r.client.at(0); got > 3 {
			t.Errorf("committed %d, past the unfinished record 3", got)
		}
		close(release)
		time.Sleep(commitEvery)
		synctest.Wait()
		r.wantCommitted(0, 10)
	})
}

func TestFailureRerunsOnlyItsOwnLaneFromTheFailingRecord(t *testing.T) {
	t.Parallel()
	var j journal
	failed := false
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d/%d", rec.Offset, rec.Attempt)
			if rec.Offset == 4 && !failed {
				failed = true
				return errBad
			}
			return nil
		})
	}, func(r *rig) {
		keys := laneKeys(3)
		r.assign(0)
		r.fetch(0, keys, upTo(9)...)
		time.Sleep(2 * commitEvery) // the backoff is as long as the commit interval
		synctest.Wait()
		r.wantCommitted(0, 9)
		seen := j.lines()
		if len(seen) != 10 {
			t.Errorf("deliveries: got %d, want 10: %q", len(seen), seen)
		}
		if again := seen[len(seen)-2:]; !slices.Equal(again, []string{"4/2", "7/1"}) {
			t.Errorf("after the backoff: got %q, want 4 again and then 7", again)
		}
	})
}

func TestEscalationRebuildsFromTheLineWithSetAndAttempts(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 3
		topic.Supervision.Decide = func(f supervision.Failure) supervision.Directive {
			if f.Attempt == 2 {
				return supervision.Escalate
			}
			return supervision.Resume
		}
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d/%d", rec.Offset, rec.Attempt)
			if rec.Offset == 0 && rec.Attempt < 3 {
				return errBad
			}
			return nil
		})
	}, func(r *rig) {
		keys := laneKeys(3)
		r.assign(0)
		r.fetch(0, keys, 0, 1, 2)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if want := []string{"t/0 gen 1 to 0"}; !slices.Equal(r.client.seeks, want) {
			t.Fatalf("seeks: got %q, want %q", r.client.seeks, want)
		}
		r.fetch(0, keys, 0, 1, 2) // again from the line on
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 3)
		counts := map[string]int{}
		for _, line := range j.lines() {
			counts[line]++
		}
		for _, want := range []string{"0/1", "0/2", "0/3", "1/1", "2/1"} {
			if counts[want] != 1 {
				t.Errorf("%s was delivered %d times, want once: %q", want, counts[want], j.lines())
			}
		}
	})
}

func TestOverThePartitionsBudgetTheRuntimeEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Supervision.MaxRestarts = 2
		topic.Supervision.Decide = func(supervision.Failure) supervision.Directive { return supervision.Escalate }
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return errBad })
	}, func(r *rig) {
		r.assign(0)
		for range 3 {
			r.fetch(0, []string{"k"}, 0)
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		select {
		case err := <-r.failed:
			if !errors.Is(err, errBad) {
				t.Errorf("got %v, want the behavior's error", err)
			}
		default:
			t.Error("the runtime goes on")
		}
	})
}
