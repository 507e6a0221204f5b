//go:build synctests && failpoints

package scenarios

import (
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime"
)

// The crash sweep: every failpoint breaks once, in each of three ways, somewhere in the
// middle of a run that passes all of them. Then a fresh member heals the group, and the
// run is judged.
//
// It is not parallel: a failpoint is the process's, and whose step it is is known only
// once its runtime has started.

// The ways in which a step breaks.
const (
	panics = "panic" // a bug of ours; where no supervisor is above the goroutine it ends the process
	kills  = "kill"  // the process ends at that instant
	sleeps = "sleep" // the goroutine stands still until the session has long timed out
)

// The goroutines that steps run on.
const (
	onPartition = "partition" // a partition's actor: the partition is rebuilt
	onGroup     = "group"     // the group's actor: Run ends, with an error
	onBehavior  = "behavior"  // within a call of the user's code: a failure of the behavior
	onLane      = "lane"      // a lane's goroutine, outside of the user's code: the process ends
	onOther     = "other"     // kgo's, the poll loop's, a timer's, a request's, a stop's: the process ends
)

// steps says on which goroutines each point is hit.
var steps = map[failpoint.Point][]string{
	failpoint.Poll: {onOther}, failpoint.Polled: {onOther}, failpoint.Seek: {onOther},
	failpoint.Pause: {onPartition, onGroup, onOther}, failpoint.Filled: {onPartition},
	failpoint.Joined: {onOther}, failpoint.Start: {onOther}, failpoint.Assigned: {onOther},
	failpoint.Spawn: {onGroup}, failpoint.Machine: {onPartition},
	failpoint.Enter: {onPartition}, failpoint.HandOver: {onPartition},
	failpoint.Claim: {onLane}, failpoint.Begin: {onLane}, failpoint.End: {onLane}, failpoint.Report: {onLane},
	failpoint.Reported: {onPartition}, failpoint.Expire: {onOther}, failpoint.Freed: {onLane, onOther},
	failpoint.WakeUp: {onOther}, failpoint.Tick: {onGroup}, failpoint.Lease: {onGroup},
	failpoint.Line: {onPartition}, failpoint.Flush: {onGroup}, failpoint.Send: {onOther}, failpoint.Answer: {onOther},
	failpoint.Committed: {onPartition},
	failpoint.Revoke:    {onOther}, failpoint.Drain: {onPartition}, failpoint.Drained: {onOther},
	failpoint.Close: {onPartition}, failpoint.Fence: {onOther},
	failpoint.Lose: {onGroup, onOther}, failpoint.Rebuild: {onGroup, onOther}, failpoint.Leave: {onOther},
	failpoint.Forward: {onPartition}, failpoint.Produced: {onOther}, failpoint.Forwarded: {onPartition},
	failpoint.Restart: {onPartition}, failpoint.Make: {onBehavior}, failpoint.Stop: {onBehavior},
	failpoint.Escalate: {onPartition}, failpoint.Resume: {onGroup},
}

// here names the goroutine that it is called on, by its stack.
func here() string {
	var pcs [64]uintptr
	frames := goruntime.CallersFrames(pcs[:goruntime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		switch {
		case strings.HasSuffix(f.Function, "engine.(*partition).Receive"):
			return onPartition
		case strings.HasSuffix(f.Function, "engine.(*group).Receive"):
			return onGroup
		case strings.HasSuffix(f.Function, "engine.(*worker).make"), strings.HasSuffix(f.Function, "engine.(*worker).runStop"):
			return onBehavior
		case strings.HasSuffix(f.Function, "engine.(*worker).run"):
			return onLane
		}
		if !more {
			return onOther
		}
	}
}

var errSwept = errors.New("swept")

// broken is a failpoint that breaks once.
type broken struct {
	w     *swept
	point failpoint.Point
	way   string
	at    int64 // the hit that breaks
	hits  atomic.Int64
	on    string           // where it broke
	whose *runtime.Runtime // whose step it was
	broke chan struct{}    // closed when it has
}

func (b *broken) hit(of any) error {
	if b.hits.Add(1) != b.at {
		return nil
	}
	b.on, b.whose = here(), of.(*runtime.Runtime)
	close(b.broke)
	name := b.w.whose(b.whose).name
	b.w.observer.Fault(name, string(b.point), true)
	defer b.w.observer.Fault(name, string(b.point), false)
	switch {
	case b.on == onGroup && b.way == panics:
		b.w.ending(b.whose)
	case b.on == onGroup || b.on == onPartition && b.way == sleeps:
		b.w.forgets(name, b.point)
	}
	switch {
	case b.way == sleeps:
		time.Sleep(past)
	case b.way == panics && (b.on == onPartition || b.on == onGroup || b.on == onBehavior):
		panic(errSwept)
	default:
		b.w.kill(b.whose)
		<-b.w.over // nothing of a process that has ended moves
	}
	return nil
}

// TestCrashSweep is exhaustive: a point that the run does not pass, or that has no place in
// the table, fails it.
func TestCrashSweep(t *testing.T) { //nolint:paralleltest // a failpoint is the process's
	hits := baseline(t)
	for _, p := range failpoint.Points() { //nolint:paralleltest // a failpoint is the process's
		if hits[p] == 0 || len(steps[p]) == 0 {
			t.Errorf("%s: %d hits, goroutines %v: the sweep passes it by", p, hits[p], steps[p])
			continue
		}
		for _, way := range []string{panics, kills, sleeps} {
			t.Run(fmt.Sprintf("%s/%s", strings.TrimPrefix(string(p), "failpoint:"), way), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { sweep(t, p, way, (hits[p]+1)/2) })
			})
		}
	}
}

// baseline runs without a fault, and counts how often each point is hit.
func baseline(t *testing.T) map[failpoint.Point]int64 {
	t.Helper()
	hits := map[failpoint.Point]int64{}
	t.Run("none", func(t *testing.T) {
		before := map[failpoint.Point]int{}
		for _, p := range failpoint.Points() {
			before[p] = failpoint.Hits(p)
		}
		synctest.Test(t, func(t *testing.T) {
			w := newSwept(t)
			w.run()
			w.healed(nil)
			for _, p := range failpoint.Points() {
				hits[p] = int64(failpoint.Hits(p) - before[p])
			}
			w.judge(check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7, check.S8)
		})
	})
	return hits
}

func sweep(t *testing.T, p failpoint.Point, way string, at int64) {
	t.Helper()
	w := newSwept(t)
	b := &broken{w: w, point: p, way: way, at: at, broke: make(chan struct{})}
	reset := failpoint.SetOf(p, b.hit)
	defer reset()
	w.run()
	select {
	case <-b.broke:
	default:
		t.Fatalf("%d hits, and %d are wanted: nothing broke", b.hits.Load(), at)
	}
	reset()
	if !slices.Contains(steps[p], b.on) {
		t.Errorf("it broke on the goroutine %q, and the table knows %v", b.on, steps[p])
	}
	w.healed(b)
	w.judge(check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7, check.S8)
}
