package engine

import (
	"time"

	"github.com/troupe-go/troupe/actors"
)

// fall fences everything at once: the group supervisor panicked, and the actors below end
// with it. Nothing can be drained or committed any more, so nobody is to wait for that.
func (e *Engine) fall() {
	e.mu.Lock()
	e.closing = true
	as := e.unfinishedLocked()
	e.mu.Unlock()
	for _, a := range as {
		a.fence.raise()
	}
	e.fell.happen()
}

// await is wait for what an actor makes happen: none does once the group supervisor fell.
func (e *Engine) await(s signal, until time.Time) bool {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-s.ch:
	case <-e.fell.ch:
	case <-timer.C:
	}
	return s.happened()
}

// stopping lets go of a partition whose actor is stopped from above: it panicked and is
// rebuilt or was at its end, or the group supervisor did and the runtime ends.
func (p *partition) stopping() {
	if p.e.fell.happened() {
		p.release(actors.ErrShutdown, time.Now().Add(p.e.opts.CommitTimeout))
		return
	}
	if p.ending != nil {
		p.release(p.ending.cause, p.ending.limit)
		return
	}
	p.release(actors.ErrRestart, time.Time{})
}
