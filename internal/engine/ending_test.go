package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// leaver is a behavior that tells why it was stopped.
type leaver struct{ j *journal }

func (leaver) Start(context.Context, actors.VirtualPartition) error { return nil }
func (leaver) Receive(context.Context, *actors.Record) error        { return nil }

func (l leaver) Stop(_ context.Context, cause error) error {
	l.j.add("%v", cause)
	return nil
}

// The actor of a partition that is at its last commit panics. Nobody commits any more, so
// nobody is to wait for that: the partition has its fence, and did not end cleanly.
func TestAPartitionThatPanicsAtItsLastCommitIsOver(t *testing.T) {
	t.Parallel()
	const panics = 10*commitPause + commitPause/2
	for name, c := range map[string]struct {
		end   func(*rig)
		cause error
	}{
		"revoke": {func(r *rig) { r.e.Revoked([]observe.TopicPartition{tp(0)}) }, actors.ErrRevoked},
		"stop": {func(r *rig) {
			if _, committed := r.e.Drain(context.Background()); committed {
				r.t.Error("the stop says that all was committed")
			}
		}, actors.ErrShutdown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var j journal
			inBubble(t, func(topic *Topic) {
				topic.Behavior = func(actors.VirtualPartition) actors.Behavior { return leaver{&j} }
			}, func(r *rig) {
				r.client.commitAs = func(CommitLine) CommitResult { return CommitResult{Outcome: observe.Refused, Err: errBad} }
				r.assign(0)
				r.fetch(0, []string{"k"}, 0)
				a := r.e.lookup(tp(0))
				time.AfterFunc(panics, func() { r.e.root.Send(a.pid(), &timedOut{}) })
				begun := time.Now()
				c.end(r)
				if took := time.Since(begun); took != panics {
					t.Errorf("took %v, want %v: until the panic", took, panics)
				}
				if ended := find[observe.RevokeEnded](r.events); slices.ContainsFunc(ended, func(ev observe.RevokeEnded) bool { return ev.Drained }) {
					t.Errorf("ended: %+v, want not drained", ended)
				}
				escalated := find[observe.Escalated](r.events)
				if len(escalated) != 1 || !escalated[0].Supervisor || escalated[0].Epoch != a.epoch {
					t.Errorf("escalated: %+v, want once, by the supervisor", escalated)
				}
				if !a.fence.raised() {
					t.Error("it has no fence")
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				j.want(t, c.cause.Error())
				if seeks := r.client.seeks; len(seeks) > 0 || len(r.failed) > 0 {
					t.Errorf("seeks %q and %d failures, want none: it is not begun again", seeks, len(r.failed))
				}
				sent := count[observe.CommitSent](r.events)
				if want := int(panics/commitPause) + 1; sent != want {
					t.Errorf("commits sent: got %d, want %d", sent, want)
				}
			})
		})
	}
}

// A partition that was about to be rebuilt has let go of its machine before it hears of the
// revoke's end.
func TestAPartitionThatEndsInARebuildIsOver(t *testing.T) {
	t.Parallel()
	const told = time.Second // how long the hook takes, in the middle of the actor's end
	var open chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 2
		topic.Supervision.Decide = func(supervision.Failure) supervision.Directive { return supervision.Escalate }
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			if rec.Offset == 0 {
				<-open
			}
			return errBad
		})
	}, func(r *rig) {
		open = make(chan struct{})
		defer close(open)
		r.events.before = func(ev observe.Event) {
			if _, ok := ev.(observe.Quarantined); ok {
				time.Sleep(told)
			}
		}
		r.assign(0)
		keys := laneKeys(2)
		r.fetch(0, keys[:1], 0)
		r.fetch(0, keys[1:], 1)
		time.Sleep(told / 2)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took, want := time.Since(begun), drainFor+told/2; took != want {
			t.Errorf("the revoke took %v, want %v: until the actor's end", took, want)
		}
		if ended := find[observe.RevokeEnded](r.events); len(ended) != 1 || ended[0].Drained {
			t.Errorf("ended: %+v, want once, not drained", ended)
		}
		if got := count[observe.Escalated](r.events); got != 1 {
			t.Errorf("escalated %d times, want once: by the record", got)
		}
	})
}

// What the group knows of a partition ends with the partition's actor.
func TestTheGroupForgetsAPartitionThatHasEnded(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, func(r *rig) {
		a := newAssignment(&r.topic, Assignment{TP: tp(0)})
		pid := r.e.group // any
		g := newGroup(r.e)
		g.parts[a] = &part{a: a, pid: pid, ends: true}
		g.terminated(pid)
		if len(g.parts) != 1 {
			t.Error("one that did not live to finish is forgotten")
		}
		a.done.happen()
		g.terminated(pid)
		if len(g.parts) != 0 {
			t.Error("one that has finished is known")
		}
	})
}
