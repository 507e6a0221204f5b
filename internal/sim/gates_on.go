//go:build failpoints

package sim

import (
	"slices"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime"
)

// frozen are the steps at which a frozen process stalls: it polls, hands over, begins,
// ends, wakes and commits nothing. Others hold a lock, or are spun for: there the clock
// would stand still.
func frozen() []failpoint.Point {
	return []failpoint.Point{failpoint.Poll, failpoint.HandOver, failpoint.End, failpoint.WakeUp, failpoint.Tick, failpoint.Send}
}

// gates makes the steps of a frozen process stall until it thaws.
func (w *world) gates() func() {
	var resets []func()
	for _, p := range frozen() {
		resets = append(resets, failpoint.SetOf(p, func(of any) error {
			if n := w.nodeOf(of); n != nil {
				n.alive()
			}
			return nil
		}))
	}
	return func() {
		for _, reset := range resets {
			reset()
		}
	}
}

// nodeOf is the node of this run whose runtime it is, or nil.
func (w *world) nodeOf(of any) *node {
	rt, _ := of.(*runtime.Runtime)
	if rt == nil {
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.IndexFunc(w.nodes, func(n *node) bool { return n.rt == rt }); i >= 0 {
		return w.nodes[i]
	}
	return nil
}
