package engine

import (
	"context"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// One lane is slow and the other is through with the last record: the drain works off
// what lies between, so that the next owner does nothing again.
func TestARevokeFillsTheGapsBelowWhatIsFinished(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 2
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d", rec.Offset)
			if rec.Offset != 5 {
				time.Sleep(time.Second)
			}
			return nil
		})
	}, func(r *rig) {
		keys := laneKeys(2)
		r.assign(0)
		// lane 0 gets 0-4 and 6-7, lane 1 gets 5
		r.fetch(0, []string{keys[0], keys[0], keys[0], keys[0], keys[0], keys[1], keys[0], keys[0]}, upTo(8)...)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took, want := time.Since(begun), 5*time.Second; took != want {
			t.Errorf("the revoke took %v, want %v: records 0 to 4", took, want)
		}
		synctest.Wait()
		seen := j.lines()
		slices.Sort(seen) // which lane wrote first is chance
		if want := []string{"0", "1", "2", "3", "4", "5"}; !slices.Equal(seen, want) {
			t.Errorf("delivered %q, want %q", seen, want)
		}
		r.wantCommitted(0, 6)
		ended := find[observe.RevokeEnded](r.events)
		if len(ended) != 1 || !ended[0].Drained {
			t.Errorf("ended: %+v", ended)
		}
	})
}

// A stop that comes while a revoke drains waits for the revoke's last commit: the group
// is left after it.
func TestAShutdownWaitsForARevokeUnderWay(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { time.Sleep(3 * time.Second); return nil })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		go r.e.Revoked([]observe.TopicPartition{tp(0)})
		synctest.Wait()
		begun := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), drainFor)
		defer cancel()
		running, committed := r.e.Drain(ctx)
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("the stop took %v, want 3s: the call that the revoke waits for", took)
		}
		if len(running) > 0 || !committed {
			t.Errorf("running %q, committed %t", running, committed)
		}
		r.wantCommitted(0, 1)
	})
}

// The group goes on while a stop drains: what it moves to another member is fenced when
// the callback returns, like any other time.
func TestARevokeWhileAStopDrainsEndsWithAFence(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { time.Sleep(3 * time.Second); return nil })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			_, committed := r.e.Drain(context.Background())
			if !committed {
				t.Error("the stop was not clean")
			}
		}()
		synctest.Wait()
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("the revoke took %v, want 3s: the call that it waits for", took)
		}
		r.wantCommitted(0, 1)
		if n := count[observe.RevokeEnded](r.events); n != 1 {
			t.Errorf("%d ends of a revoke, want 1", n)
		}
		<-stopped
		if n := count[observe.Stopped](r.events); n != 0 {
			t.Errorf("%d partitions that the stop ended, want none", n)
		}
	})
}

// A loss while a stop drains ends it: nothing begins or commits any more.
func TestALossWhileAStopDrainsEndsIt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { time.Sleep(3 * time.Second); return nil })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		go func() {
			time.Sleep(time.Second)
			r.e.Lost([]observe.TopicPartition{tp(0)}, actors.ErrLost)
		}()
		begun := time.Now()
		running, committed := r.e.Drain(context.Background())
		if took := time.Since(begun); took != time.Second || committed || len(running) != 1 {
			t.Errorf("the stop took %v, running %q, committed %t, want 1s, one call and not committed", took, running, committed)
		}
		time.Sleep(10 * time.Second)
		r.wantCommitted(0, 0)
		if n := count[observe.Stopped](r.events); n != 0 {
			t.Errorf("%d partitions that the stop ended, want none", n)
		}
	})
}

// A stop says of each partition when it is fenced, which is before the group is left.
func TestAStopTellsWhatItFences(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			time.Sleep(time.Duration(rec.Partition) * time.Minute)
			return nil
		})
	}, func(r *rig) {
		r.assign(0)
		r.assign(1)
		for p := range int32(2) {
			r.fetch(p, []string{"k"}, 0)
		}
		ctx, cancel := context.WithTimeout(context.Background(), drainFor)
		defer cancel()
		r.e.Drain(ctx)
		defer time.Sleep(time.Minute) // the call that goes on
		drained := map[int32]bool{}
		for _, ev := range find[observe.Stopped](r.events) {
			drained[ev.TP.Partition] = ev.Drained
		}
		if want := map[int32]bool{0: true, 1: false}; !maps.Equal(drained, want) {
			t.Errorf("fenced, and drained: %v, want %v", drained, want)
		}
	})
}

// A session that ends while a stop drains is a loss, too, and no reason to join again.
func TestALeaseThatEndsWhileAStopDrains(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { time.Sleep(time.Minute); return nil })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		r.e.Renew(time.Now(), sessionFor)
		begun := time.Now()
		_, committed := r.e.Drain(context.Background())
		if took := time.Since(begun); took > sessionFor+2*commitEvery || committed {
			t.Errorf("the stop took %v, committed %t, want %v and not committed", took, committed, sessionFor)
		}
		if n := count[observe.Lost](r.events); n != 1 || len(r.client.rebuilds) != 0 {
			t.Errorf("%d losses, rebuilds %v, want one and none", n, r.client.rebuilds)
		}
		time.Sleep(time.Minute)
		r.wantCommitted(0, 0)
	})
}

// A member that is thrown out while a revoke drains joins anew as another one, whose commits
// the group takes. So what the old one drains is fenced at once.
func TestARevokeEndsWhenTheGroupDropsTheMember(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 3
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			time.Sleep(time.Duration(rec.Offset) * 4 * time.Second)
			return nil
		})
	}, func(r *rig) {
		dropped := false
		r.client.commitAs = func(CommitLine) CommitResult {
			if dropped {
				return CommitResult{}
			}
			dropped = true
			return CommitResult{Outcome: observe.Refused, Fenced: true, Err: context.Canceled}
		}
		r.assign(0)
		r.fetch(0, laneKeys(3), 0, 1, 2) // 0 is finished at once, and its commit refused
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took > commitEvery {
			t.Errorf("the revoke took %v, want at most %v: until the answer", took, commitEvery)
		}
		time.Sleep(time.Minute)
		r.wantCommitted(0, 0)
		if n := count[observe.Lost](r.events); n != 1 || len(r.client.rebuilds) != 1 {
			t.Errorf("%d losses, rebuilds %v, want one of each", n, r.client.rebuilds)
		}
	})
}
