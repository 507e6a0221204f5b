package engine

import (
	"context"
	"slices"
	"sync/atomic"
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

// endings are a revoke and a stop of all partitions. They tell whether the end was clean.
func endings() map[string]func(*rig) bool {
	return map[string]func(*rig) bool{
		"revoke": func(r *rig) bool {
			r.e.Revoked([]observe.TopicPartition{tp(0)})
			ended := find[observe.RevokeEnded](r.events)
			if len(ended) != 1 {
				r.t.Fatalf("ended: %+v, want once", ended)
			}
			return ended[0].Drained
		},
		"stop": func(r *rig) bool {
			ctx, cancel := context.WithTimeout(context.Background(), drainFor)
			defer cancel()
			_, committed := r.e.Drain(ctx)
			return committed
		},
		"revoke of what a stop drains": func(r *rig) bool {
			ctx, cancel := context.WithTimeout(context.Background(), drainFor)
			defer cancel()
			cleared := make(chan struct{})
			go func() {
				defer close(cleared)
				synctest.Wait()
				r.e.Revoked([]observe.TopicPartition{tp(0)})
			}()
			_, committed := r.e.Drain(ctx)
			<-cleared
			return committed
		},
	}
}

// A partition's actor panics while a revoke or a stop drains it. It is not begun again, so
// there is nothing to wait for.
func TestAPartitionThatPanicsInItsDrainIsDrained(t *testing.T) {
	t.Parallel()
	const panics = 3 * time.Second
	for name, end := range endings() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(topic *Topic) {
				topic.Core.Lanes = 2
				topic.Behavior = actors.Func(func(ctx context.Context, rec *actors.Record) error {
					if rec.Offset == 1 {
						<-ctx.Done()
					}
					return context.Cause(ctx)
				})
			}, func(r *rig) {
				r.assign(0)
				keys := laneKeys(2)
				r.fetch(0, keys, 0, 1)
				time.Sleep(commitEvery)
				synctest.Wait()
				a := r.e.lookup(tp(0))
				time.AfterFunc(panics, func() { r.e.root.Send(a.pid(), &timedOut{}) })
				begun := time.Now()
				if end(r) {
					t.Error("the end passes for a clean one")
				}
				if took := time.Since(begun); took != panics {
					t.Errorf("took %v, want %v: until the panic", took, panics)
				}
				if escalated := find[observe.Escalated](r.events); len(escalated) != 1 || !escalated[0].Supervisor {
					t.Errorf("escalated: %+v, want once, by the supervisor", escalated)
				}
				if !a.fence.raised() {
					t.Error("it has no fence")
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				r.wantCommitted(0, 1)
				if seeks := r.client.seeks; len(seeks) > 0 || len(r.failed) > 0 {
					t.Errorf("seeks %q and %d failures, want none: it is not begun again", seeks, len(r.failed))
				}
			})
		})
	}
}

// A partition that ends to be rebuilt is drained and commits for a revoke or a stop instead:
// it waits for what was under way, and tries its last commit until it is acknowledged.
func TestADrainTakesThePlaceOfARebuild(t *testing.T) {
	t.Parallel()
	const (
		works   = 4 * time.Second   // the call beside the record that escalates
		answers = time.Second       // what a commit takes
		within  = time.Second       // the escalation comes, and the end so much later
		last    = works + answers/2 // or in the middle of the rebuild's last commit
	)
	for when, c := range map[string]struct{ after, takes time.Duration }{
		"in its drain":       {within, works - within + 2*answers + commitPause},
		"at its last commit": {last, answers/2 + commitPause + answers},
	} {
		for name, end := range endings() {
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				var j journal
				inBubble(t, func(topic *Topic) {
					topic.Core.Lanes = 2
					topic.Supervision.Decide = func(supervision.Failure) supervision.Directive { return supervision.Escalate }
					topic.Behavior = func(actors.VirtualPartition) actors.Behavior { return slow{leaver{&j}, works} }
				}, func(r *rig) {
					var later atomic.Bool
					r.client.commitAs = func(line CommitLine) CommitResult {
						r.client.mu.Unlock()
						time.Sleep(answers)
						r.client.mu.Lock()
						if line.Next > 0 && !later.Swap(true) { // not one of attempts alone
							return CommitResult{Outcome: observe.Refused, Err: errBad}
						}
						return CommitResult{}
					}
					r.assign(0)
					keys := laneKeys(2)
					r.fetch(0, keys[:1], 0)
					r.fetch(0, keys[1:], 1)
					time.Sleep(c.after)
					begun := time.Now()
					if !end(r) {
						t.Error("the end was not clean")
					}
					if took := time.Since(begun); took != c.takes {
						t.Errorf("took %v, want %v", took, c.takes)
					}
					time.Sleep(time.Minute)
					synctest.Wait()
					r.wantCommitted(0, 1)
					if seeks := r.client.seeks; len(seeks) > 0 || len(r.failed) > 0 {
						t.Errorf("seeks %q and %d failures, want none: it is not begun again", seeks, len(r.failed))
					}
					if slices.Contains(j.lines(), actors.ErrRestart.Error()) {
						t.Errorf("stopped for %q, want for the end", j.lines())
					}
				})
			})
		}
	}
}

// slow takes its time with offset 0, and fails at offset 1.
type slow struct {
	leaver
	takes time.Duration
}

func (s slow) Receive(_ context.Context, rec *actors.Record) error {
	if rec.Offset == 1 {
		return errBad
	}
	time.Sleep(s.takes)
	return nil
}

// A partition that was about to be rebuilt has let go of its machine before it hears of the
// revoke.
func TestAPartitionThatEndsInARebuildIsOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ told, took time.Duration }{ // told is how long the hook takes, in the middle of the actor's end
		"in the drain":   {2 * time.Second, time.Second},
		"after a finish": {drainFor + 2*time.Second, drainFor + time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
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
						time.Sleep(c.told)
					}
				}
				r.assign(0)
				keys := laneKeys(2)
				r.fetch(0, keys[:1], 0)
				r.fetch(0, keys[1:], 1)
				time.Sleep(drainFor + time.Second)
				begun := time.Now()
				r.e.Revoked([]observe.TopicPartition{tp(0)})
				if took := time.Since(begun); took != c.took {
					t.Errorf("the revoke took %v, want %v: until the actor's end", took, c.took)
				}
				if ended := find[observe.RevokeEnded](r.events); len(ended) != 1 || ended[0].Drained {
					t.Errorf("ended: %+v, want once, not drained", ended)
				}
				if got := count[observe.Escalated](r.events); got != 1 {
					t.Errorf("escalated %d times, want once: by the record", got)
				}
			})
		})
	}
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
