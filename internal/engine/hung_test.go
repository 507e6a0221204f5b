package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

func TestTimeoutQuarantinesUntilTheCallReturns(t *testing.T) {
	t.Parallel()
	var j journal
	var release chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Timeout = 3 * time.Second
		topic.Behavior = actors.Func(func(ctx context.Context, rec *actors.Record) error {
			j.add("enter %d/%d", rec.Offset, rec.Attempt)
			defer j.add("leave %d/%d", rec.Offset, rec.Attempt)
			if rec.Attempt == 1 && rec.Offset == 0 {
				<-ctx.Done()
				j.add("%v", context.Cause(ctx))
				<-release
			}
			return nil
		})
	}, func(r *rig) {
		release = make(chan struct{})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "enter 0/1", actors.ErrTimeout.Error())
		if got := count[observe.Quarantined](r.events); got != 1 {
			t.Errorf("quarantined: got %d events, want 1", got)
		}
		close(release)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		j.want(t, "enter 0/1", actors.ErrTimeout.Error(), "leave 0/1", "enter 0/2", "leave 0/2", "enter 1/1", "leave 1/1")
		r.wantCommitted(0, 2)
	})
}

func TestHeartbeatStartsTheTimeoutAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Timeout = 3 * time.Second
		topic.Behavior = actors.Func(func(ctx context.Context, _ *actors.Record) error {
			for range 10 {
				time.Sleep(2 * time.Second)
				if err := actors.Heartbeat(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(21 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 1)
		if got := count[observe.Quarantined](r.events); got != 0 {
			t.Errorf("quarantined %d times", got)
		}
	})
}

// A call that ignores its context outlives the revoke; the partition comes back to
// this member, and nothing starts in the lane until the old call has returned.
func TestQuarantineOutlivesTheAssignment(t *testing.T) {
	t.Parallel()
	var j journal
	var release chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		first := true
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("enter %d", rec.Offset)
			if first {
				first = false
				<-release
			}
			j.add("leave %d", rec.Offset)
			return nil
		})
	}, func(r *rig) {
		release = make(chan struct{})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took != drainFor {
			t.Errorf("the revoke took %v, want DrainTimeout", took)
		}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "enter 0")
		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		j.want(t, "enter 0", "leave 0", "enter 0", "leave 0")
		r.wantCommitted(0, 1)
	})
}

func TestRestartLaneForcedRunsBesideTheOldCall(t *testing.T) {
	t.Parallel()
	var j journal
	var release chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Timeout = time.Second
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("enter %d/%d", rec.Offset, rec.Attempt)
			if rec.Attempt == 1 {
				<-release
			}
			return nil
		})
	}, func(r *rig) {
		release = make(chan struct{})
		vp := actors.VirtualPartition{Topic: "t"}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(10 * time.Second)
		if err := r.e.RestartLane(vp, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		j.want(t, "enter 0/1")
		if err := r.e.RestartLane(vp, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		j.want(t, "enter 0/1", "enter 0/2")
		r.wantCommitted(0, 1)
		close(release)
		synctest.Wait()
		if got := count[observe.Freed](r.events); got != 0 {
			t.Errorf("the old call freed the lane %d times", got)
		}
	})
}

// A call of the assignment before is left behind by force, too: that is told, and when it
// returns it does not free the lane, in which another call hangs by then.
func TestRestartLaneForcedLeavesACallOfTheAssignmentBefore(t *testing.T) {
	t.Parallel()
	var j journal
	var calls int
	var release [3]chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error {
			calls++ // in turn: the third begins when both are over
			mine := release[calls-1]
			j.add("enter")
			<-mine
			return nil
		})
	}, func(r *rig) {
		for i := range release {
			release[i] = make(chan struct{})
		}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		synctest.Wait()
		r.e.Lost([]observe.TopicPartition{tp(0)}, actors.ErrLost)
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		synctest.Wait()
		j.want(t, "enter")
		if err := r.e.RestartLane(actors.VirtualPartition{Topic: "t"}, true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		j.want(t, "enter", "enter")
		if got := count[observe.Forced](r.events); got != 1 {
			t.Errorf("told of %d forced lanes, want 1", got)
		}
		r.e.Lost([]observe.TopicPartition{tp(0)}, actors.ErrLost)
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		close(release[0])
		synctest.Wait()
		j.want(t, "enter", "enter")
		close(release[1])
		synctest.Wait()
		j.want(t, "enter", "enter", "enter")
		if got := count[observe.Freed](r.events); got != 1 {
			t.Errorf("%d calls freed the lane, want the second one alone", got)
		}
		close(release[2])
		synctest.Wait()
	})
}
