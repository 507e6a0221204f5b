//go:build failpoints

package engine

import (
	"testing"
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
