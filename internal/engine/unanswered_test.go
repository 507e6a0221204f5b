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

// The broker stores a commit of unknown outcome after one that it acknowledged, and again
// where kgo had sent the one that was acknowledged twice.
func TestALineInDoubtIsSentOnceMore(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]CommitResult{
		"unknown": {Outcome: observe.Unknown, Err: errBad},
		"resent":  {Resent: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(topic *Topic) {
				topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
			}, func(r *rig) {
				r.doubted(first)
				time.Sleep(sessionFor - 2*commitEvery)
				synctest.Wait()
				r.wantCommitted(0, 1)
				time.Sleep(2 * commitEvery)
				synctest.Wait()
				r.wantCommitted(0, 3)
				r.wantCommits(2)
				time.Sleep(2 * sessionFor)
				synctest.Wait()
				r.wantCommits(2)
			})
		})
	}
}

// A revoke waits for no doubt to pass.
func TestARevokeCommitsALineInDoubt(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		r.doubted(CommitResult{Outcome: observe.Unknown, Err: errBad})
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took != 0 {
			t.Errorf("the revoke took %v, want none", took)
		}
		r.wantCommitted(0, 3)
		r.wantCommits(2)
	})
}

// The next supervisor does not know what the one that panicked had in doubt, so it doubts.
func TestADoubtOutlivesASupervisorThatPanics(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		r.doubted(CommitResult{Outcome: observe.Unknown, Err: errBad})
		r.panics(0)
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		r.wantCommitted(0, 3)
		r.client.mu.Lock()
		r.client.committed[tp(0)] = 1 // stored late
		r.client.mu.Unlock()
		time.Sleep(sessionFor + commitEvery)
		synctest.Wait()
		r.wantCommitted(0, 3)
		r.wantCommits(3)
	})
}

// doubted finishes three records, whose first commit has a result and whose second is
// acknowledged; then the broker falls behind.
func (r *rig) doubted(first CommitResult) {
	r.t.Helper()
	answers := []CommitResult{first}
	r.client.commitAs = func(CommitLine) CommitResult {
		if len(answers) == 0 {
			return CommitResult{}
		}
		answers = answers[1:]
		return first
	}
	r.assign(0)
	r.fetch(0, laneKeys(3), 0, 1, 2)
	time.Sleep(2*commitEvery + commitEvery/2)
	synctest.Wait()
	r.wantCommitted(0, 3)
	answered := find[observe.CommitAnswered](r.events)
	for i, ev := range answered {
		if ev.Resent != (i == 0 && first.Resent) {
			r.t.Errorf("answered: %+v, want the first resent: %t", answered, first.Resent)
		}
	}
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	r.client.committed[tp(0)], r.client.commits = 1, r.client.commits[len(r.client.commits)-1:]
}

func (r *rig) wantCommits(n int) {
	r.t.Helper()
	r.client.mu.Lock()
	defer r.client.mu.Unlock()
	if got := len(r.client.commits); got != n {
		r.t.Errorf("%d commits were acknowledged, want %d", got, n)
	}
}
