package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// A join that is pending keeps a session alive for longer than an answered heartbeat
// does, but not beyond its answer: a process that is frozen after it starts nothing.
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
