package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// falls has the group supervisor panic: it hears of no partition.
func (r *rig) falls() { r.e.root.Send(r.e.group, resume{}) }

// until is a behavior whose calls go on until their contexts end, and tell why.
func (j *journal) until(ctx context.Context, rec *actors.Record) error {
	<-ctx.Done()
	j.add("%d/%d: %v", rec.Partition, rec.Offset, context.Cause(ctx))
	return ctx.Err()
}

// inACall is a rig with partition 0, whose call goes on until its context ends.
func inACall(t *testing.T) *rig {
	t.Helper()
	var j journal
	r := newRig(t, func(topic *Topic) { topic.Behavior = actors.Func(j.until) })
	r.assign(0)
	r.fetch(0, []string{"k"}, 0)
	return r
}

// Nothing can drain behind a group supervisor that panicked: calls end, and the stop does
// not wait for what nobody tells any more.
func TestAStopBehindAGroupSupervisorThatPanickedTakesNoTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		r := newRig(t, func(topic *Topic) { topic.Behavior = actors.Func(j.until) })
		r.assignBoth()
		r.fetch(0, laneKeys(3)[:1], 0)
		r.fetch(1, laneKeys(3)[:1], 0)
		r.panics(1) // it waits for its rebuild
		synctest.Wait()
		as := r.e.all()
		begun := time.Now()
		r.falls()
		synctest.Wait()
		for _, a := range as {
			if !a.fence.raised() {
				t.Errorf("%s has no fence", a.tp)
			}
		}
		running, committed := r.e.Drain(t.Context())
		if len(running) > 0 || committed {
			t.Errorf("running %q, committed %t, want none and not committed", running, committed)
		}
		r.e.Stop()
		if took := time.Since(begun); took != 0 {
			t.Errorf("the stop took %v, want no time", took)
		}
		j.wantInAnyOrder(t, "0/0: "+actors.ErrShutdown.Error(), "1/0: "+actors.ErrRestart.Error())
	})
}

// The process may end next, so what a Stop hook is at is waited for.
func TestAStopBehindAGroupSupervisorThatPanickedWaitsForStopHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(topic *Topic) {
			topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
				return &probe{at: func(place string) {
					if place == "stop" {
						time.Sleep(2 * time.Second)
					}
				}}
			}
		})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		begun := time.Now()
		r.falls()
		synctest.Wait()
		r.e.Drain(t.Context())
		r.e.Stop()
		if took := time.Since(begun); took != 2*time.Second {
			t.Errorf("the stop took %v, want 2s: the Stop hook's", took)
		}
	})
}

// Callbacks of Kafka's client that are under way return, since the client waits for them
// before it ends.
func TestCallbacksReturnWhenTheGroupSupervisorPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inACall(t)
		begun := time.Now()
		go func() {
			r.e.Revoked([]observe.TopicPartition{tp(0)})
			r.e.Assigned([]Assignment{{TP: tp(1), Epoch: 2}})
			if took := time.Since(begun); took != time.Second {
				t.Errorf("the callbacks returned after %v, want 1s", took)
			}
		}()
		time.Sleep(time.Second)
		r.falls()
		synctest.Wait()
		ended := find[observe.RevokeEnded](r.events)
		if len(ended) != 1 || ended[0].Drained {
			t.Errorf("ended: %+v, want once, not drained", ended)
		}
		if got := r.e.present(); len(got) > 0 {
			t.Errorf("%v began behind the panic", got)
		}
		if err := <-r.failed; errors.Is(err, errWedged) {
			t.Errorf("the runtime ended with %v, want the panic", err)
		}
		r.e.Drain(t.Context())
		r.e.Stop()
	})
}

// A loss has taken the partitions from the tables before it tells of them.
func TestALossThatPanicsLeavesNoPartitionWithoutAFence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		r := newRig(t, func(topic *Topic) { topic.Behavior = actors.Func(j.until) })
		r.events.before = func(ev observe.Event) {
			if _, ok := ev.(observe.Lost); ok {
				panic("boom")
			}
		}
		r.assignBoth()
		as := r.e.all()
		r.e.root.Send(r.e.group, thrownOut{errBad})
		synctest.Wait()
		if i := slices.IndexFunc(as, func(a *assignment) bool { return !a.fence.raised() }); i >= 0 {
			t.Errorf("%s has no fence", as[i].tp)
		}
		r.e.Stop()
	})
}

// Whoever fences a partition may be before its actor: the call that goes on is told of all
// the same.
func TestACallThatWasSeizedBeforeItsActorStopsIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := inACall(t)
		r.e.seize(r.e.lookup(tp(0)))
		r.falls()
		synctest.Wait()
		r.e.Drain(t.Context())
		r.e.Stop()
		q := find[observe.Quarantined](r.events)
		if len(q) != 1 || !errors.Is(q[0].Cause, actors.ErrShutdown) {
			t.Errorf("quarantined: %+v, want the call, once", q)
		}
	})
}
