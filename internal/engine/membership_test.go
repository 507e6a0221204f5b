package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

func TestRevokeDrainsCommitsAndStops(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
			return &stoppable{j: &j, receive: func(context.Context, *actors.Record) error {
				time.Sleep(4 * time.Second)
				return nil
			}}
		}
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1, 2)
		time.Sleep(time.Second)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("the revoke took %v, want the 3s that the call still needs", took)
		}
		r.wantCommitted(0, 1)
		synctest.Wait()
		j.want(t, "receive 0", "stop "+actors.ErrRevoked.Error())
	})
}

// stoppable writes down what happens to it.
type stoppable struct {
	j       *journal
	receive func(context.Context, *actors.Record) error
}

func (s *stoppable) Receive(ctx context.Context, rec *actors.Record) error {
	s.j.add("receive %d", rec.Offset)
	return s.receive(ctx, rec)
}

func (s *stoppable) Stop(_ context.Context, cause error) error {
	s.j.add("stop %v", cause)
	return nil
}

func TestLossFencesAtOnceAndCommitsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(ctx context.Context, _ *actors.Record) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		begun := time.Now()
		r.e.Lost([]observe.TopicPartition{tp(0)}, errBad)
		synctest.Wait()
		if took := time.Since(begun); took != 0 {
			t.Errorf("the loss took %v", took)
		}
		time.Sleep(time.Minute)
		if len(r.client.commits) != 0 {
			t.Errorf("commits after a loss: %v", r.client.commits)
		}
	})
}

func TestFencedCommitLosesEverythingAndJoinsAnew(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		r.client.commitAs = func(CommitLine) CommitResult {
			return CommitResult{Outcome: observe.Refused, Err: errBad, Fenced: true}
		}
		r.assign(0)
		r.assign(1)
		r.fetch(1, []string{"k"}, 0)
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		if got := count[observe.Lost](r.events); got != 2 {
			t.Errorf("lost: got %d partitions, want both", got)
		}
		if len(r.client.rebuilds) != 1 {
			t.Errorf("rebuilds: got %d, want 1", len(r.client.rebuilds))
		}
	})
}

func TestNothingStartsPastTheSessionLease(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d", rec.Offset)
			time.Sleep(8 * time.Second)
			return nil
		})
	}, func(r *rig) {
		r.assign(0)
		r.e.lease.set(time.Now().Add(10 * time.Second)) // the heartbeats stop
		r.fetch(0, []string{"k"}, 0, 1, 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "0", "1")
		if got := count[observe.Lost](r.events); got != 1 {
			t.Errorf("lost: got %d, want 1", got)
		}
		if len(r.client.rebuilds) != 1 {
			t.Errorf("rebuilds: got %d, want 1", len(r.client.rebuilds))
		}
	})
}

func TestDrainAtShutdownNamesWhatStillRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { time.Sleep(time.Hour); return nil })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		running, _ := r.e.Drain(ctx)
		if want := []string{"t/0/0"}; !slices.Equal(running, want) {
			t.Errorf("running: got %q, want %q", running, want)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestDrainLetsStopHooksEnd(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
			return &probe{at: func(place string) {
				if place == "stop" {
					time.Sleep(time.Second)
					j.add("stopped")
				}
			}}
		}
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, laneKeys(2), 0, 1)
		begun := time.Now()
		r.e.Drain(context.Background())
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the drain took %v, want 1s: as long as the hooks of two lanes side by side", took)
		}
		j.want(t, "stopped", "stopped")
	})
}
