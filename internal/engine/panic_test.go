package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
)

// busy is a partition that panics in the middle of its work: of three lanes one is in a
// call, which ends when open is closed, one has finished records above the line, and one
// has a record that fails until it is healed.
type busy struct {
	j      journal
	open   chan struct{}
	healed atomic.Bool
}

func (b *busy) receive(_ context.Context, rec *actors.Record) error {
	b.j.add("%d/%d: %d", rec.Partition, rec.Offset, rec.Attempt)
	switch {
	case rec.Partition != 0:
	case rec.Offset == 6 && !b.healed.Load():
		<-b.open
	case rec.Offset == 5 && !b.healed.Load():
		return errBad
	}
	return nil
}

// wantInAnyOrder is want where lanes run beside each other.
func (j *journal) wantInAnyOrder(t *testing.T, want ...string) {
	t.Helper()
	got := j.lines()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("journal, sorted:\n got %q\nwant %q", got, want)
	}
}

// panics has the supervisor of a partition panic: it hears of a lane that there is not.
func (r *rig) panics(p int32) {
	r.e.root.Send(r.e.lookup(tp(p)).pid(), &handOver{call: core.Call{Lane: 99}})
}

// core is what the machine of a partition says.
func (r *rig) core(p int32) core.Stats {
	all := r.e.Stats()
	return all[slices.IndexFunc(all, func(s PartitionStats) bool { return s.TP == tp(p) })].Core
}

// assignBoth begins the partitions 0 and 1 in one assignment.
func (r *rig) assignBoth() {
	r.t.Helper()
	r.epoch++
	r.e.Assigned([]Assignment{{TP: tp(0), Epoch: r.epoch}, {TP: tp(1), Epoch: r.epoch}})
	synctest.Wait()
}

// panics has the supervisor of partition 0 panic: a batch lies below what was fetched.
func (b *busy) panics(r *rig) {
	r.t.Helper()
	r.assignBoth()
	r.client.commitAs = func(l CommitLine) CommitResult {
		if l.TP == tp(0) && l.Next > 3 && !b.healed.Load() {
			return CommitResult{Outcome: observe.Refused, Err: errBad}
		}
		return CommitResult{}
	}
	r.fetch(0, laneKeys(3), 0, 1, 2)
	time.Sleep(commitEvery + time.Millisecond)
	r.fetch(0, laneKeys(3), 3, 4, 5, 6, 7, 8, 9)
	time.Sleep(2 * commitEvery)
	synctest.Wait()
	b.j.wantInAnyOrder(r.t, "0/0: 1", "0/1: 1", "0/2: 1", "0/3: 1", "0/4: 1", "0/5: 1", "0/6: 1", "0/7: 1", "0/5: 2")
	if s := r.core(0); s.Next != 5 || s.Buffered != 4 || r.client.at(0) != 3 {
		r.t.Errorf("line %d, %d buffered, committed %d; want 5, 4 and 3", s.Next, s.Buffered, r.client.at(0))
	}
	b.j.seen = nil
	b.healed.Store(true)
	r.fetch(0, laneKeys(3), 1)
}

func TestASupervisorThatPanicsIsRebuiltFromTheAcknowledgedLine(t *testing.T) {
	t.Parallel()
	b := &busy{}
	inBubble(t, func(topic *Topic) { topic.Behavior = actors.Func(b.receive) }, func(r *rig) {
		b.open = make(chan struct{})
		b.panics(r)
		if !r.client.isPaused(0) {
			t.Error("it is fetched while it waits for its rebuild")
		}
		r.fetch(1, laneKeys(3), 0) // goes on meanwhile
		b.j.wantInAnyOrder(t, "1/0: 1")
		time.Sleep(time.Second)
		synctest.Wait()
		if want := []string{"t/0 gen 1 to 3"}; !slices.Equal(r.client.seeks, want) {
			t.Errorf("seeks: got %q, want %q", r.client.seeks, want)
		}
		if r.client.isPaused(0) {
			t.Error("it is not fetched after the rebuild")
		}
		r.fetch(0, laneKeys(3), 3, 4, 5, 6, 7, 8, 9)
		time.Sleep(time.Minute)
		synctest.Wait()
		b.j.wantInAnyOrder(t, "1/0: 1", "0/4: 1", "0/7: 1", "0/5: 1", "0/8: 1") // nothing of the lane whose call goes on
		r.wantCommitted(1, 1)
		b.wantTold(r)
		close(b.open)
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		b.j.wantInAnyOrder(t, "1/0: 1", "0/4: 1", "0/7: 1", "0/5: 1", "0/8: 1", "0/3: 1", "0/6: 1", "0/9: 1")
		r.wantCommitted(0, 10)
		if got := count[observe.Freed](r.events); got != 1 {
			t.Errorf("freed: %d events, want 1", got)
		}
	})
}

// wantTold: the panic can be diagnosed, and the call that goes on is named.
func (b *busy) wantTold(r *rig) {
	r.t.Helper()
	escalated := find[observe.Escalated](r.events)
	if len(escalated) != 1 {
		r.t.Errorf("escalated: %d events, want 1", len(escalated))
		return
	}
	if !escalated[0].Supervisor {
		r.t.Error("the supervisor's own failure passes for a behavior's")
	}
	f := escalated[0].Failure
	if !f.Panicked || !strings.Contains(f.Err.Error(), "offset 1 was fetched below 10") {
		r.t.Errorf("panicked %t: %v, want the broken invariant", f.Panicked, f.Err)
	}
	if !strings.Contains(string(f.Stack), "core.(*offsets).add") {
		r.t.Errorf("the stack is not the panic's:\n%s", f.Stack)
	}
	q := find[observe.Quarantined](r.events)
	if len(q) != 1 || q[0].VP.Index != 0 || q[0].Offset != 6 || !errors.Is(q[0].Cause, actors.ErrRestart) {
		r.t.Errorf("quarantined: %+v, want lane 0 at offset 6", q)
	}
	if s := r.core(0); s.Quarantined != 1 {
		r.t.Errorf("stats: %d lanes quarantined, want 1", s.Quarantined)
	}
}

// A call that returns before the next supervisor begins leaves nothing behind.
func TestACallThatEndsBeforeTheRebuildHoldsNothing(t *testing.T) {
	t.Parallel()
	b := &busy{}
	inBubble(t, func(topic *Topic) { topic.Behavior = actors.Func(b.receive) }, func(r *rig) {
		b.open = make(chan struct{})
		b.panics(r)
		close(b.open)
		time.Sleep(time.Second)
		r.fetch(0, laneKeys(3), 3, 4, 5, 6, 7, 8, 9)
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		r.wantCommitted(0, 10)
		if q, f := count[observe.Quarantined](r.events), count[observe.Freed](r.events); q != 1 || f != 1 {
			t.Errorf("quarantined %d times and freed %d times, want once each", q, f)
		}
	})
}

// A hand-over that had not begun, here behind a Stop that hangs, was in no quarantine.
func TestWhatHadNotBegunIsNotFreed(t *testing.T) {
	t.Parallel()
	var open chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		var once sync.Once
		topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
			return &probe{at: func(place string) {
				switch place {
				case "receive":
					once.Do(func() { panic("boom") })
				case "stop":
					<-open
				}
			}}
		}
	}, func(r *rig) {
		open = make(chan struct{})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(time.Minute)
		if s := r.core(0); s.InFlight != 1 {
			t.Errorf("%d records in hand-overs, want 1", s.InFlight)
		}
		r.e.Lost([]observe.TopicPartition{tp(0)}, actors.ErrLost)
		synctest.Wait()
		close(open)
		synctest.Wait()
		if q, f := count[observe.Quarantined](r.events), count[observe.Freed](r.events); q != 0 || f != 0 {
			t.Errorf("quarantined %d times and freed %d times, want neither", q, f)
		}
	})
}

// A partition that panics over and over ends the runtime, and names the panic.
func TestASupervisorThatPanicsBeyondItsBudgetEndsTheRuntime(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Supervision.MaxRestarts = 2
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return errBad })
	}, func(r *rig) {
		r.assign(0)
		for range 3 {
			r.fetch(0, laneKeys(3), 5, 4)
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		select {
		case err := <-r.failed:
			if !strings.Contains(err.Error(), "offset 4 was fetched below 6") {
				t.Errorf("the runtime ended with %v, want the broken invariant", err)
			}
		default:
			t.Error("the runtime goes on")
		}
	})
}

func TestAGroupSupervisorThatPanicsEndsTheRuntime(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		r.assign(0)
		r.e.root.Send(r.e.group, resume{}) // of no partition
		synctest.Wait()
		select {
		case err := <-r.failed:
			var failure *panicError
			if !errors.As(err, &failure) || !strings.Contains(err.Error(), "group supervisor") {
				t.Fatalf("the runtime ended with %v, want the panic of the group supervisor", err)
			}
			if !strings.Contains(string(failure.stack), "(*group).resume") {
				t.Errorf("the stack is not the panic's:\n%s", failure.stack)
			}
		default:
			t.Error("the runtime goes on")
		}
	})
}

// The partitions' lanes end with the group supervisor: nothing starts any more.
func TestNothingStartsBehindAGroupSupervisorThatPanicked(t *testing.T) {
	t.Parallel()
	var j journal
	var open chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d", rec.Offset)
			<-open
			return nil
		})
	}, func(r *rig) {
		open = make(chan struct{})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1)
		r.e.root.Send(r.e.group, resume{})
		synctest.Wait()
		close(open)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "0")
	})
}

// A line that is under way when the supervisor panics, or whose commit was not answered,
// may be the broker's already. The next supervisor takes it not back.
func TestASupervisorThatPanicsTakesNoCommitBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		outcome observe.Outcome
		takes   time.Duration // until the answer
		seek    string
	}{
		"under way":               {observe.OK, 5 * time.Second, "t/0 gen 1 to 3"},
		"under way, no answer":    {observe.Unknown, 5 * time.Second, "t/0 gen 1 to 3"},
		"not answered":            {observe.Unknown, 0, "t/0 gen 1 to 3"},
		"refused: it begins anew": {observe.Refused, 0, "t/0 gen 1 to 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(topic *Topic) {
				topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
			}, func(r *rig) {
				var later atomic.Bool
				r.client.commitAs = func(CommitLine) CommitResult {
					if later.Swap(true) {
						return CommitResult{}
					}
					r.client.mu.Unlock()
					time.Sleep(c.takes)
					r.client.mu.Lock()
					if c.outcome == observe.OK {
						return CommitResult{}
					}
					return CommitResult{Outcome: c.outcome, Err: errBad}
				}
				r.assign(0)
				r.fetch(0, laneKeys(3), 0, 1, 2)
				time.Sleep(commitEvery + time.Millisecond)
				synctest.Wait()
				r.panics(0)
				time.Sleep(time.Minute)
				synctest.Wait()
				if want := []string{c.seek}; !slices.Equal(r.client.seeks, want) {
					t.Errorf("seeks: got %q, want %q", r.client.seeks, want)
				}
				if c.outcome != observe.Refused {
					r.wantCommitted(0, 3)
				}
			})
		})
	}
}
