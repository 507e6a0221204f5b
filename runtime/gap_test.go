//go:build synctests

package runtime_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/runtimetest"
)

// A committed offset above the log: an operator's restart tries again there, and goes
// nowhere else.
func TestTheLogEndsBelowThePosition(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders")
		for range 2 {
			c.Produce("orders", "k", "v")
		}
		var offsets kadm.Offsets
		offsets.Add(kadm.Offset{Topic: "orders", At: 4})
		if err := kadm.NewClient(c.Client()).CommitAllOffsets(t.Context(), "g", offsets); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var gaps []observe.Gap
		var seen []int64
		rt := c.Start(runtime.Config{
			Group: "g", Logger: zap.NewNop(),
			Hooks: []observe.Hook{observe.HookFunc(func(_ time.Time, ev observe.Event) {
				if gap, ok := ev.(observe.Gap); ok {
					mu.Lock()
					defer mu.Unlock()
					gaps = append(gaps, gap)
				}
			})},
			Topics: []runtime.Topic{{Name: "orders", OnGap: runtime.GapContinue, Behavior: actors.Func(func(_ context.Context, rec *actors.Record) error {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, rec.Offset)
				return nil
			})}},
		})
		again := func(want int) {
			t.Helper()
			time.Sleep(10 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			if len(gaps) != want || len(seen) != 0 || c.Committed("orders", 0) != 4 {
				t.Fatalf("gaps %+v, offsets %v, line %d", gaps, seen, c.Committed("orders", 0))
			}
			if gap := gaps[want-1]; gap.From != 4 || gap.To != 2 || !errors.Is(gap.Err, runtime.ErrTruncated) {
				t.Errorf("gap %+v", gap)
			}
		}
		again(1)
		restart := func() {
			if err := rt.RestartPartition("orders", 0); err != nil {
				t.Fatal(err)
			}
		}
		restart()
		again(2)
		for range 3 {
			c.Produce("orders", "k", "v")
		}
		restart()
		time.Sleep(10 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(seen, []int64{4}) || c.Committed("orders", 0) != 5 {
			t.Errorf("offsets %v, line %d, want 4 and 5", seen, c.Committed("orders", 0))
		}
	})
}
