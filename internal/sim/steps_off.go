//go:build !failpoints

package sim

// Without the build tag a process has no gates, and nothing of a plan can break its steps
// or its clock: that is no run.

func (w *world) gates() func() {
	w.broken("it needs the build tag failpoints")
	return func() {}
}

func (*nemesis) point(*injected) {}

func (*nemesis) jump(*injected) {}

func (*world) forget() {}
