package engine

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
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
