package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// A renewal that is good for longer counts until the next one and not beyond: a process that
// is frozen after that starts nothing.
func TestAPendingJoinDoesNotOutliveItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const session, rebalance = 6 * time.Second, time.Minute
		var l lease
		l.init(nil)
		heartbeat := time.Now()
		l.renew(heartbeat, session)
		l.open(false)
		time.Sleep(time.Second)
		l.renew(time.Now(), rebalance) // a join leaves
		l.renew(heartbeat.Add(time.Millisecond), session)
		time.Sleep(20 * time.Second)
		if !l.valid() {
			t.Error("the lease ended while the join was pending")
		}
		l.renew(time.Now(), session) // the sync is answered
		time.Sleep(session - time.Nanosecond)
		if !l.valid() {
			t.Error("the lease ended before the session")
		}
		time.Sleep(time.Nanosecond)
		if l.valid() {
			t.Errorf("the lease is good for another %v after the session", l.left())
		}
	})
}

// The lane whose next record falls due as the lease runs out tells the group, and leaves
// its hand-over for the loss. Given back, it would be handed over again at once, with a
// processor each until the group's own timers are due.
func TestALaneWithoutALeaseAsksForNoOtherHandOver(t *testing.T) {
	t.Parallel()
	const over = 10 * time.Second
	var ended time.Time
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { time.Sleep(over); return nil })
	}, func(r *rig) {
		r.assign(0)
		r.e.lease.set(time.Now().Add(over))
		failures := 0
		r.e.opts.Jitter = func() float64 { // asked for each hand-over that is given back
			if failures++; failures > 100 {
				time.Sleep(time.Millisecond) // a bubble in which somebody spins has no end
			}
			return 0
		}
		r.events.before = func(ev observe.Event) {
			if _, ok := ev.(observe.Lost); ok {
				ended = time.Now()
			}
		}
		begun := time.Now()
		r.fetch(0, []string{"k"}, 0, 1)
		time.Sleep(2 * over)
		synctest.Wait()
		if failures > 0 {
			t.Errorf("hand-overs given back: got %d, want none", failures)
		}
		if took := ended.Sub(begun); took != over {
			t.Errorf("lost after %v, want %v", took, over)
		}
		r.wantCommitted(0, 0)
	})
}

// A lease that runs out while the last commits are tried is a loss, of a stop and of a
// revoke: nothing is sent any more, so there is nothing to be patient for.
func TestALeaseThatRunsOutBeforeTheLastCommitIsALoss(t *testing.T) {
	t.Parallel()
	const over = 1500 * time.Millisecond
	for name, end := range map[string]func(*rig){
		"stop":   func(r *rig) { r.e.Drain(context.Background()) },
		"revoke": func(r *rig) { r.e.Revoked([]observe.TopicPartition{tp(0)}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(topic *Topic) {
				topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
			}, func(r *rig) {
				r.client.commitAs = func(CommitLine) CommitResult { return CommitResult{Outcome: observe.Refused} }
				r.assign(0)
				r.fetch(0, []string{"k"}, 0)
				r.e.lease.set(time.Now().Add(over))
				begun := time.Now()
				end(r)
				if took := time.Since(begun); took != over {
					t.Errorf("took %v, want %v", took, over)
				}
				lost := find[observe.Lost](r.events)
				if len(lost) != 1 || !errors.Is(lost[0].Cause, errLease) || count[observe.Stopped](r.events) != 0 {
					t.Errorf("losses %v and %d stopped, want one by the lease and none", lost, count[observe.Stopped](r.events))
				}
				if sent := count[observe.CommitSent](r.events); sent != int(over/commitPause) {
					t.Errorf("commits sent: got %d, want %d", sent, over/commitPause)
				}
			})
		})
	}
}

// A lease that runs out between the look at it and the assignment that extends it has run
// out for what was held: a lane may have seen it.
func TestAnAssignmentExtendsALeaseThatRanOutForNobody(t *testing.T) {
	t.Parallel()
	var l lease
	l.init(nil)
	l.renew(time.Now(), time.Hour)
	l.open(false)
	l.expired.Store(true)
	l.open(true)
	if l.valid() {
		t.Error("the lease of what was held is good again")
	}
	l.open(false)
	if !l.valid() {
		t.Error("the lease of a first assignment is not good")
	}
}
