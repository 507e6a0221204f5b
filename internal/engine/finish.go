package engine

import (
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// drain lets the partition come to an end: what is in flight ends before its next
// record, and then lanes work off what lies below the highest finished record, so that
// nothing finished is left above the line for the next owner to do again. With now, and
// before a rebuild, which hands what was finished on in memory, nothing more begins.
func (p *partition) drain(now bool) {
	for i := range p.lanes {
		if ho := p.lanes[i].current; ho != nil {
			ho.canceled.Store(true)
		}
	}
	p.ev.drain.Now = now || p.rebuild != nil
	p.step(&p.ev.drain)
}

// toldToDrain begins a drain. One of a revoke or a stop takes the place of a rebuild that
// the partition is about to end for.
func (p *partition) toldToDrain(msg drain) {
	p.drains = p.drains || !msg.own
	if p.drains && p.rebuild != nil && p.ending != nil {
		p.giveWay()
		return
	}
	p.drain(false)
}

// giveWay leaves the last commit to the revoke or stop that drains the partition: it is not
// rebuilt.
func (p *partition) giveWay() {
	p.rebuild, p.ending = nil, nil
	p.a.drained.happen()
}

// drained says that nothing is under way any more.
func (p *partition) drained() {
	p.a.clean.Store(true)
	if p.rebuild != nil {
		p.e.root.Send(p.ctx.Self(), drainOver{}) // not now: effects do not step the machine
		return
	}
	p.a.drained.happen()
}

// finish ends the partition, after its drain or instead of one.
func (p *partition) finish(msg finish) {
	if p.ending != nil && p.rebuild == nil {
		return
	}
	p.rebuild = nil
	p.ending = &msg
	if msg.lost {
		p.a.clean.Store(false)
		p.a.fence.raise()
		p.closeAll()
		p.end()
		return
	}
	p.closeDown(msg.cause)
}

// closeDown takes away what still runs and commits the line for the last time.
func (p *partition) closeDown(cause error) {
	if p.ending == nil {
		switch {
		case p.rebuild == nil:
			return
		case p.drains:
			p.giveWay()
			return
		}
		p.ending = &finish{cause: cause}
	}
	p.drain(true)
	p.closeAll()
	p.step(&p.ev.ticked)
	if !p.unanswered {
		p.end()
	}
}

// closeAll takes every hand-over away. Finished records count; a call that goes on is
// quarantined, and its partition did not end cleanly, although it is drained then.
func (p *partition) closeAll() {
	p.e.steps.Pass(failpoint.Close)
	cut := false
	for i := range p.lanes {
		l := &p.lanes[i]
		ho := l.current
		if ho == nil {
			continue
		}
		done, was := p.e.takeAway(place{p.a.tp, ho.call.Lane}, ho)
		if was == ended {
			p.ended(l, ho)
			continue
		}
		l.current = nil
		p.a.slots[i].Store(nil)
		res := core.Result{Kind: core.Interrupted, Err: errNotBegun}
		if was == running {
			cut = true
			res.Kind, res.Err = core.Hung, p.cause()
		}
		p.step(&core.Failed{Call: ho.call, Done: done, Result: res})
	}
	if cut {
		p.a.clean.Store(false) // only now: the last step drained the machine
	}
}

// takeAway closes a hand-over and tells how many of its records were finished and where
// the lane stood: running is a call that goes on, whoever took it away first, and is in
// the quarantine from then on. Of another one the lane was there for a moment, which
// whoever starts meanwhile may have seen.
func (e *Engine) takeAway(at place, ho *handOver) (int, phase) {
	e.held.add(at, ho.worker)
	done, was := ho.close()
	if was != running && e.held.remove(at, ho.worker) {
		if a := e.lookup(at.tp); a != nil {
			e.root.Send(a.pid(), freed{at.lane})
		}
	}
	if was == taken {
		was = running
	}
	return done, was
}

// seize raises the fence, and takes away what its partition's actor has not: that one may
// be behind, and the next assignment of the partition has to find calls that go on in the
// quarantine.
func (e *Engine) seize(a *assignment) {
	a.shut()
	for i := range a.slots {
		if ho := a.slots[i].Load(); ho != nil {
			e.takeAway(place{a.tp, core.LaneID(i)}, ho) //nolint:gosec // lanes are few
		}
	}
}

func (p *partition) cause() error {
	if p.ending != nil {
		return p.ending.cause
	}
	return actors.ErrRestart
}

// commitPause is the wait before a last commit is tried again.
const commitPause = 100 * time.Millisecond

// lastCommit looks at the answer to a commit while the partition ends. One that was
// refused or not answered, or was of an earlier line, is followed by another, until the
// callback's patience is over and the fence is up. A rebuild does not wait: its next
// machine knows that the line was not acknowledged.
func (p *partition) lastCommit(res CommitResult) {
	switch {
	case res.Outcome != observe.OK && p.rebuild == nil && !res.Fenced && !p.a.fence.raised():
		e, pid := p.e, p.ctx.Self()
		time.AfterFunc(commitPause, func() { e.root.Send(pid, commitAgain{}) })
		return
	case res.Outcome == observe.OK:
		p.step(&p.ev.ticked)
		if p.unanswered {
			return
		}
	default:
		p.a.clean.Store(false)
	}
	p.end()
}

func (p *partition) commitAgain() {
	p.step(&p.ev.ticked)
	if p.ending != nil && !p.unanswered {
		p.end()
	}
}

// end is the last thing that a partition's actor does.
func (p *partition) end() {
	if p.rebuild != nil {
		e := escalation{a: p.a, failure: *p.rebuild, handoff: p.m.Handoff(), forgot: p.short}
		p.release(actors.ErrRestart, time.Time{})
		p.e.root.Send(p.e.group, &e)
	} else {
		p.a.fence.raise()
		p.release(p.ending.cause, p.ending.limit)
		p.a.drained.happen()
		p.a.done.happen()
	}
	p.ctx.Stop(p.ctx.Self())
}

// release lets go of the lanes and the timer. It is done once.
func (p *partition) release(cause error, limit time.Time) {
	if p.stopped {
		return
	}
	p.stopped = true
	p.timer.stop()
	for i := range p.lanes {
		l := &p.lanes[i]
		if ho := l.current; ho != nil { // the actor failed: nobody has closed it
			if done, was := p.e.takeAway(place{p.a.tp, core.LaneID(i)}, ho); was == running { //nolint:gosec // lanes are few
				p.emit(observe.Quarantined{VP: p.vp(ho.call.Lane), Epoch: p.a.epoch, Offset: ho.recs[done].rec.Offset, Cause: cause})
			}
		}
		p.a.slots[i].Store(nil)
		if l.worker != nil && p.e.held.free(place{p.a.tp, core.LaneID(i)}) { //nolint:gosec // lanes are few
			p.a.leaving = append(p.a.leaving, l.worker.gone)
		}
		p.dismiss(l, cause, limit)
	}
	if p.keyer != nil {
		p.keyer.stop()
	}
}
