//go:build failpoints

package sim

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/internal/wallclock"
	"github.com/troupe-go/troupe/runtime"
)

// errPoint is what a step is refused with.
var errPoint = errors.New("sim: a failpoint")

// gates lets each step of a process that is frozen wait until it thaws. What it returns
// takes the gates away.
//
// A gate is a failpoint, and those are outside of every mutex: a goroutine that held one
// there would keep others from resting, and the clock of the bubble with them. Between
// two gates a goroutine of a frozen process still goes on, to the next.
func (w *world) gates() func() {
	var away []func()
	for _, p := range failpoint.Points() {
		away = append(away, failpoint.SetOf(p, func(of any) error {
			if n := w.owner(of); n != nil {
				n.gate.Wait(n.link.Done(), nil)
			}
			return nil
		}))
	}
	return func() {
		for _, f := range away {
			f()
		}
	}
}

// owner is whose step it is; nil: another world's.
func (w *world) owner(of any) *node {
	rt, ok := of.(*runtime.Runtime)
	if !ok {
		return nil
	}
	n, _ := w.owners.Load(rt)
	found, _ := n.(*node) // nil, where there is none
	return found
}

// point breaks a step of one runtime, Count times.
func (n *nemesis) point(f *injected) {
	p := failpoint.Point(pointPrefix + f.Point)
	if !slices.Contains(failpoint.Points(), p) {
		n.w.broken("fault %d: there is no failpoint %q", f.index, f.Point)
		return
	}
	node := n.w.current[f.Member]
	if node == nil || !node.running() {
		return
	}
	over := make(chan struct{})
	var broke atomic.Int64
	reset := failpoint.SetOf(p, func(of any) error {
		if of != node.rt || node.dead.Load() || broke.Add(1) > int64(max(f.Count, 1)) {
			return nil
		}
		f.hits.Add(1)
		n.w.observer.Fault(node.name, bites(f.Kind), true)
		defer n.w.observer.Fault(node.name, bites(f.Kind), false)
		switch f.Kind {
		case FaultPointStalls:
			begun := time.Now()
			stall(time.Duration(f.Lag), over, node.link.Done())
			node.heldUp.Add(int64(time.Since(begun)))
		case FaultPointPanics:
			panic(errPoint)
		default:
			return errPoint
		}
		return nil
	})
	f.end = func() {
		reset()
		close(over)
	}
}

// pointPrefix is that of all points, which a plan leaves out.
const pointPrefix = "failpoint:"

func stall(d time.Duration, over, killed <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	case <-killed:
	}
}

// jump lets the wall clock of a process jump, and back in the end.
func (n *nemesis) jump(f *injected) {
	node := n.w.current[f.Member]
	if node == nil || !node.running() {
		return
	}
	wallclock.Jump(node.rt, time.Duration(f.Lag))
	node.ahead(time.Duration(f.Lag))
	f.hits.Add(1)
	f.end = func() {
		wallclock.Jump(node.rt, -time.Duration(f.Lag))
		node.ahead(-time.Duration(f.Lag))
	}
}

// forget lets the clocks of all processes go right again.
func (w *world) forget() {
	for _, n := range w.nodes {
		wallclock.Forget(n.rt)
	}
}
