package sim

import (
	"sync"
	"time"
)

// calm knows when the probes may judge what they sample: no fault is at work, what faults
// and members that came or went set in motion has had its time, and the group is stable.
type calm struct {
	mu      sync.Mutex
	open    int       // guarded by mu: faults that have begun and not ended
	changed time.Time // guarded by mu
}

// begins is called when a fault begins, and for what is over at once.
func (c *calm) begins() { c.change(1) }

func (c *calm) ends() { c.change(-1) }

// change is also called with 0, when members come and go.
func (c *calm) change(open int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open += open
	c.changed = time.Now()
}

// since is when it began to be quiet; ok is false while a fault is at work.
func (c *calm) since() (at time.Time, ok bool) { //nolint:nonamedreturns // tells them apart
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changed, c.open == 0
}

// isCalm reports whether the probes may judge. A fault that has ended has consequences for
// a session, a rebalance, and the time for which a request that was lost is waited for.
func (w *world) isCalm() bool {
	g := &w.plan.Group
	at, quiet := w.calm.since()
	return quiet && w.stable && time.Since(at) > time.Duration(g.Session+g.Rebalance+g.FetchWait)+requestFor
}
