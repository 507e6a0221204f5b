package engine

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
)

// A raise of the fence waits for lanes that claim, and spins only as long as a claim takes:
// in a bubble the clock stands still while anybody spins, so one that spun on would never
// return.
func TestAClaimThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ho := &handOver{}
		ho.word.Store(pack(0, claiming))
		a := &assignment{slots: make([]atomic.Pointer[handOver], 2)}
		a.slots[1].Store(ho)
		begun := time.Now()
		go func() {
			time.Sleep(10 * time.Millisecond)
			ho.word.Store(pack(0, running))
		}()
		a.shut()
		if took := time.Since(begun); took < 10*time.Millisecond || took > 11*time.Millisecond {
			t.Errorf("a claim of 10ms was waited for for %v", took)
		}
		ho.word.Store(pack(0, claiming))
		begun = time.Now()
		a.shut()
		if took := time.Since(begun); took < 100*time.Millisecond || took > 102*time.Millisecond {
			t.Errorf("a claim that hangs was waited for for %v, want 100ms", took)
		}
	})
}

// A partition's actor may be behind its loss. Whoever raises the fence puts calls that go
// on into the quarantine: the next assignment of the partition may begin before the actor
// hears of it.
func TestALossQuarantinesBeforeItIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j journal
		r := newRig(t, func(topic *Topic) { topic.Behavior = actors.Func(j.until) })
		var hung []core.LaneID
		r.events.before = func(ev observe.Event) {
			if _, ok := ev.(observe.Lost); ok { // the actor is told behind it
				hung = r.e.held.lanes(tp(0), 3)
			}
		}
		r.assign(0)
		r.fetch(0, laneKeys(3)[:1], 0)
		synctest.Wait()
		r.e.Lost([]observe.TopicPartition{tp(0)}, actors.ErrLost)
		if len(hung) != 1 {
			t.Errorf("quarantined when the loss is told: lanes %v, want that of the call", hung)
		}
		synctest.Wait()
		r.e.Drain(t.Context())
		r.e.Stop()
	})
}
