package link

import (
	"slices"
	"sync/atomic"
	"time"
)

// Rule is damage that a link does to what passes it.
type Rule struct {
	Address string // of the broker; empty: all
	Out, In bool   // to the broker, to the client

	Drop  bool          // bytes vanish, and nobody is told
	Delay time.Duration // of each piece that passes

	// CutAfter closes a connection once this many more bytes have passed on it, whichever
	// way; 0: never.
	CutAfter int

	hits atomic.Int64
}

// Hits is how many pieces, or connections for CutAfter, it has hit.
func (r *Rule) Hits() int { return int(r.hits.Load()) }

// Add puts a rule in force. What it returns takes it out, and closes the connections on
// which bytes are missing.
func (l *Link) Add(r *Rule) func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = append(slices.Clip(l.rules), r)
	return func() { l.remove(r) }
}

func (l *Link) remove(r *Rule) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rules = slices.DeleteFunc(slices.Clone(l.rules), func(other *Rule) bool { return other == r })
	for c := range l.conns {
		c.mu.Lock()
		if len(c.damaged) > 0 {
			c.shut()
		}
		c.left = -1
		c.mu.Unlock()
	}
}

func (l *Link) active() []*Rule {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rules
}

// damage applies the rules, and returns what is left of b and whether that is nothing.
func (l *Link) damage(c *conn, out bool, b []byte) ([]byte, bool) {
	var wait time.Duration
	for _, r := range l.active() {
		if r.Address != "" && r.Address != c.address || out && !r.Out || !out && !r.In {
			continue
		}
		switch {
		case r.Drop:
			r.hits.Add(1)
			c.mu.Lock()
			c.damaged[out] = true
			c.mu.Unlock()
		case r.CutAfter > 0:
			b = c.limit(r, b)
		default:
			r.hits.Add(1)
			wait = max(wait, r.Delay)
		}
	}
	c.mu.Lock()
	lost := c.damaged[out]
	c.mu.Unlock()
	if wait > 0 && !lost {
		l.sleep(wait)
	}
	return b, lost
}

// limit is what of b still passes.
func (c *conn) limit(r *Rule, b []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left < 0 {
		c.left = r.CutAfter
	}
	if len(b) <= c.left {
		c.left -= len(b)
		return b
	}
	r.hits.Add(1)
	b = b[:c.left]
	c.left = 0
	return b
}

func (l *Link) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.cut:
	}
}
