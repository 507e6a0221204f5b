//go:build failpoints

package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/wallclock"
)

// The wall clock has jumped since the budget was given. It is outside of a bubble, in which
// no time has a monotonic reading.
func TestAJumpOfTheWallClockChangesNoStopBudget(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		owner := new(int)
		wallclock.Jump(owner, by)
		limit := wallclock.Now(owner).Add(time.Minute)
		wallclock.Forget(owner)
		topic := &Topic{Core: core.Config{Lanes: 1}}
		w := newWorker(&Engine{}, newAssignment(topic, Assignment{}), topic, 0)
		w.retire(actors.ErrRevoked, limit)
		if got := w.stopBudget(); got <= 0 || got > time.Minute || got < time.Second {
			t.Errorf("after a jump of %v the budget is %v, want a minute", -by, got)
		}
	}
}

// Due times are of the wall clock, and wait in one heap of the machine with retries, by the
// monotonic clock: a jump must not let one hide the other.
func TestARetryIsNotHiddenBehindADueTimeThatJumpedAway(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Delay = 10 * time.Second
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d/%d", rec.Offset, rec.Attempt)
			if rec.Offset == 1 && rec.Attempt == 1 {
				return errBad
			}
			return nil
		})
	}, func(r *rig) {
		r.assign(0)
		fetch := func(offset int64, at time.Time) {
			b := Batch{TP: tp(0), Epoch: r.epoch, LogEnd: offset + 1}
			b.Records = []actors.Record{{Topic: "t", Offset: offset, Key: []byte(laneKeys(3)[offset]), Attempt: 1, Timestamp: at}}
			r.e.Fetched([]Batch{b})
			synctest.Wait()
		}
		fetch(0, time.Now().Add(500*time.Millisecond-10*time.Second)) // due in half a second
		fetch(1, time.Now().Add(-2*time.Hour))                        // due at once, and tried again in a second
		wallclock.Jump(r, -time.Hour)
		defer wallclock.Forget(r)
		time.Sleep(time.Second)
		synctest.Wait()
		j.want(t, "1/1", "1/2")
		time.Sleep(time.Hour - 500*time.Millisecond - time.Nanosecond)
		synctest.Wait()
		j.want(t, "1/1", "1/2")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		j.want(t, "1/1", "1/2", "0/1")
	})
}
