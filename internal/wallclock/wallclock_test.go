//go:build failpoints

package wallclock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/internal/wallclock"
)

// TestAJumpMovesTheWallClockAlone looks at the clock as the runtime does, in a bubble and
// outside of one.
func TestAJumpMovesTheWallClockAlone(t *testing.T) {
	t.Parallel()
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			t.Run("outside", func(t *testing.T) { t.Parallel(); jumps(t, by, time.Minute) })
			synctest.Test(t, func(t *testing.T) { jumps(t, by, 0) })
		})
	}
}

// jumps wants the wall clock off by what was asked for, and the monotonic one by no more
// than slack.
func jumps(t *testing.T, by, slack time.Duration) {
	t.Helper()
	of, other := new(int), new(int)
	before := wallclock.Now(of)
	if off := time.Until(before).Abs(); off > slack {
		t.Errorf("before the jump the clock is off by %v", off)
	}
	wallclock.Jump(of, by)
	defer wallclock.Forget(of)
	after := wallclock.Now(of)
	if got := time.Duration(after.UnixNano() - before.UnixNano()); (got - by).Abs() > slack {
		t.Errorf("the wall clock jumped by %v, want %v", got, by)
	}
	if got := after.Sub(before).Abs(); got > slack {
		t.Errorf("the monotonic clock jumped by %v", got)
	}
	if got := wallclock.Until(of, before.Add(time.Hour)); (got - time.Hour).Abs() > slack {
		t.Errorf("a time with a monotonic reading is %v away, want 1h", got)
	}
	if got := wallclock.Until(of, time.Unix(0, before.UnixNano())); (got + by).Abs() > slack {
		t.Errorf("a time of day is %v away, want %v", got, -by)
	}
	if got := wallclock.Now(other).Sub(before.Round(0)).Abs(); got > slack {
		t.Errorf("another's clock jumped by %v", got)
	}
}
