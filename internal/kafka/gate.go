package kafka

import (
	"context"
	"sync"
	"time"
)

// gate lets group callbacks wait until the poll goroutine holds nothing: a poll and the
// hand-over of what it brought are one turn, and while anybody has parked no turn
// begins.
//
// Without it a record could be polled under one assignment of its partition and handed
// over under the next: the poll returns, the partition is revoked and assigned again,
// and only then does the poll goroutine look up whom the records belong to.
type gate struct {
	mu     sync.Mutex
	cond   *sync.Cond
	parked int
	turn   bool
	cancel context.CancelFunc // ends the poll of the turn
	over   bool
}

func newGate() *gate {
	g := new(gate)
	g.cond = sync.NewCond(&g.mu)
	return g
}

// enter begins a turn, for at most limit. It reports false after close.
func (g *gate) enter(parent context.Context, limit time.Duration) (context.Context, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.parked > 0 && !g.over {
		g.cond.Wait()
	}
	if g.over {
		return nil, false
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	g.turn, g.cancel = true, cancel
	return ctx, true
}

// leave ends the turn.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancel()
	g.turn, g.cancel = false, nil
	g.cond.Broadcast()
}

// nudge ends the poll of the turn, so that the next one begins at once.
func (g *gate) nudge() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cancel != nil {
		g.cancel()
	}
}

// park ends the poll, waits for the end of the turn and holds off the next one.
func (g *gate) park() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parked++
	if g.cancel != nil {
		g.cancel()
	}
	for g.turn {
		g.cond.Wait()
	}
}

// unpark lets turns begin again.
func (g *gate) unpark() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.parked--
	g.cond.Broadcast()
}

// close lets no further turn begin.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	if g.cancel != nil {
		g.cancel()
	}
	g.cond.Broadcast()
}
