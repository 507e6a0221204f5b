package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// The broker is silent: the answer to the last commit is that none came, and it comes
// when its time is over, just as the patience of the drain is.
func TestADrainWhoseLastCommitIsNotAnsweredIsNotClean(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		r.client.commitAs = func(CommitLine) CommitResult {
			time.Sleep(commitFor + time.Nanosecond)
			return CommitResult{Outcome: observe.Unknown, Err: context.DeadlineExceeded}
		}
		r.assign(0)
		r.fetch(0, laneKeys(3), 0, 1, 2)
		running, committed := r.e.Drain(context.Background())
		if len(running) > 0 || committed {
			t.Errorf("still running %v, committed %t, want nothing and not committed", running, committed)
		}
		time.Sleep(commitFor) // the answer comes, to nobody
		synctest.Wait()
	})
}

// A call that outlives the drain and then returns was cut off all the same.
func TestADrainThatCutsACallIsNotClean(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(ctx context.Context, _ *actors.Record) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, laneKeys(3), 0, 1, 2)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, committed := r.e.Drain(ctx); committed {
			t.Error("the drain passes for a clean one")
		}
	})
}

// An answer that is lost leaves time: the line is sent again.
func TestALastCommitThatIsNotAnsweredIsSentAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		lost := 0
		r.client.commitAs = func(CommitLine) CommitResult {
			if lost++; lost <= 2 {
				return CommitResult{Outcome: observe.Unknown, Err: errBad}
			}
			return CommitResult{}
		}
		r.assign(0)
		r.fetch(0, laneKeys(3), 0, 1, 2)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took, want := time.Since(begun), 2*commitPause; took != want {
			t.Errorf("the revoke took %v, want %v", took, want)
		}
		r.wantCommitted(0, 3)
	})
}
