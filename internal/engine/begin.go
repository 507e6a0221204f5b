package engine

import (
	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/supervision"
)

// beginning is where a partition's actor starts from.
type beginning struct {
	handoff core.Handoff
	gen     uint32
}

// start makes the machine. The actor shows itself before it reads which lanes are
// quarantined: a call that returns after that finds it.
func (p *partition) start() {
	p.a.actor.Store(p.ctx.Self())
	p.a.clean.Store(false) // a drain before a rebuild was not the last
	p.e.steps.Pass(failpoint.Machine)
	p.incarnation = p.e.epochs.next()
	p.from.handoff.Hung = p.e.held.lanes(p.a.tp, p.topic.Core.Lanes)
	p.m = core.New(p.topic.Core, p.incarnation, p.from.handoff)
	p.lanes = make([]lane, p.topic.Core.Lanes)
	p.timer.p = p
	if p.topic.KeyBy != nil {
		p.keyer = newKeyer(p)
	}
	if p.gen != 0 {
		p.step(&core.Repositioned{Gen: p.gen, To: p.from.handoff.Next})
		p.e.opts.Client.Seek(p.a.tp, p.a.epoch, p.gen, p.from.handoff.Next)
	}
	_, gap := p.a.stoppedAt()
	if gap {
		p.step(&core.Paused{Reason: core.GapStop})
	}
	if p.a.held.Load() {
		p.step(&core.Paused{Reason: core.Operator})
	}
	if p.gen != 0 && !gap && !p.a.held.Load() {
		p.e.opts.Client.Resume(p.a.tp) // the group paused it before the rebuild
	}
}

// halt stops fetching at a gap, until an operator lets the partition go on at to.
func (p *partition) halt(to int64) {
	p.a.stops(to)
	p.step(&core.Paused{Reason: core.GapStop})
}

// hold is an operator's pause, and its end.
func (p *partition) hold(on bool) {
	p.a.held.Store(on)
	if on {
		p.step(&core.Paused{Reason: core.Operator})
	} else {
		p.step(&core.Resumed{Reason: core.Operator})
	}
}

// restart is an operator's. Behind a gap the partition goes on at the start of the
// log, with what it holds; otherwise it is rebuilt.
func (p *partition) restart() {
	to, gap := p.a.stoppedAt()
	if !gap {
		p.escalated(supervision.Failure{Err: actors.ErrRestart})
		return
	}
	p.a.stops(-1)
	p.gen = p.a.gen.Add(1)
	p.step(&core.Repositioned{Gen: p.gen, To: to})
	p.e.opts.Client.Seek(p.a.tp, p.a.epoch, p.gen, to)
	p.step(&core.Resumed{Reason: core.GapStop})
}
