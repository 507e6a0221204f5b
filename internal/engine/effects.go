package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/internal/invariant"
	"github.com/troupe-go/troupe/internal/wallclock"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// perform carries an effect out. None of them blocks or steps the machine.
func (p *partition) perform(fx core.Effect) {
	switch fx := fx.(type) {
	case *core.HandOver:
		p.handOver(fx)
	case *core.Forward:
		p.forward(fx)
	case *core.Cancel:
		p.cancel(fx.Call)
	case *core.Commit:
		p.commit(fx)
	case *core.WakeAt:
		p.timer.set(fx.At)
	case *core.PauseSet:
		p.pause(fx)
	case *core.Drained:
		p.drained()
	case *core.SkewCapped:
		p.emit(observe.SkewCapped{
			TP: p.a.tp, Epoch: p.a.epoch, Offset: fx.Record.Offset, Timestamp: time.UnixMilli(fx.Record.Timestamp),
		})
	case *core.Restarted:
		p.restarted(fx)
	case *core.Halted:
		p.emit(observe.Halted{VP: p.vp(fx.Lane), Epoch: p.a.epoch, Failure: marked(fx.Failure)})
	case *core.Escalate:
		p.escalated(marked(fx.Failure))
	case *core.Quarantined:
		p.emit(observe.Quarantined{VP: p.vp(fx.Lane), Epoch: p.a.epoch, Offset: fx.Offset, Cause: fx.Err})
	case *core.Retrying:
		p.retrying(fx)
	}
}

// A record that has nowhere to go is warned about from its warnAttempt-th attempt on, at
// most once in warnEvery per lane.
const (
	warnAttempt = 10
	warnEvery   = time.Minute
)

func (p *partition) retrying(fx *core.Retrying) {
	if p.e.opts.Record != nil {
		p.e.opts.Record(observe.RetryScheduled{
			VP: p.vp(fx.Lane), Epoch: p.a.epoch, Offset: fx.Offset, Attempt: fx.Attempt, At: fx.At,
		})
	}
	l := &p.lanes[fx.Lane]
	if fx.Attempt < warnAttempt || p.topic.DeadLetter != "" || time.Since(l.warned) < warnEvery {
		return
	}
	l.warned = time.Now()
	p.e.warn(fmt.Sprintf("%s: offset %d has failed %d times and there is no dead letter topic: its lane waits at it",
		p.vp(fx.Lane), fx.Offset, fx.Attempt), nil)
}

func (p *partition) emit(ev observe.Event) { p.e.opts.Emit(ev) }

// handOver gives records to a lane. The channel has room: the last hand-over has
// ended, and of restarts there is at most one in it.
func (p *partition) handOver(fx *core.HandOver) {
	p.e.steps.Pass(failpoint.HandOver)
	l := &p.lanes[fx.Call.Lane]
	if l.worker == nil {
		p.spawn(l, fx.Call.Lane)
	}
	ho := l.spare
	if ho == nil {
		ho = &handOver{worker: l.worker}
	}
	l.spare = nil
	ho.call, ho.due, ho.attempt, ho.restarts, ho.given = fx.Call, fx.Due, fx.Attempt, fx.Restarts, time.Now()
	for i := range fx.Records {
		ho.recs = append(ho.recs, payloadOf(fx.Records[i].Handle))
	}
	l.current = ho
	p.a.slots[fx.Call.Lane].Store(ho)
	if l.pending != nil {
		p.replace(l, l.pending)
	}
	l.worker.work <- job{ho: ho}
}

// unkeyed is the handle of a record on which KeyBy panicked.
type unkeyed struct {
	rec *actors.Record
	err error
}

func payloadOf(handle any) payload {
	switch h := handle.(type) {
	case *actors.Record:
		return payload{rec: h}
	case *unkeyed:
		return payload{h.rec, h.err}
	}
	invariant.Always(false, "a record's handle is a %T", handle)
	return payload{}
}

// spawn starts a lane's actor, and with it the goroutine of its behavior.
func (p *partition) spawn(l *lane, id core.LaneID) {
	l.worker = newWorker(p.e, p.a, p.topic, id)
	w := l.worker
	l.pid = p.ctx.Spawn(p.e.props(overPartition{}, func() actor.Actor { return &virtualPartition{w} }))
}

// virtualPartition is the actor of a lane. It owns the worker's goroutine; its own
// mailbox stays free, since a child that does not return wedges its parent's stop.
type virtualPartition struct{ w *worker }

// Receive is the actor.
func (v *virtualPartition) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*actor.Started); ok {
		go v.w.run(nil)
	}
}

// cancel ends the context of a call because of an operator's restart.
func (p *partition) cancel(call core.Call) {
	l := &p.lanes[call.Lane]
	if l.current == nil || l.current.call != call {
		return
	}
	l.current.canceled.Store(true)
	l.worker.ctl.Load().cancel(actors.ErrRestart)
}

// restarted replaces a lane's behavior: the old one is stopped now, on its goroutine,
// and the new one made before the next hand-over.
func (p *partition) restarted(fx *core.Restarted) {
	p.e.steps.Pass(failpoint.Restart)
	l := &p.lanes[fx.Lane]
	f := marked(fx.Failure)
	if f.Err == nil {
		f.Err = actors.ErrRestart
	}
	p.emit(observe.Restarted{VP: p.vp(fx.Lane), Epoch: p.a.epoch, Failure: f})
	if fx.Forced { // the old call may be one of an assignment before, whose worker is not known here
		p.emit(observe.Forced{VP: p.vp(fx.Lane)})
		p.e.held.forget(place{p.a.tp, fx.Lane})
		p.dismiss(l, actors.ErrRestart, time.Time{})
		return
	}
	if l.worker == nil {
		return
	}
	l.pending = f.Err
	if l.current == nil {
		p.replace(l, f.Err)
	}
}

// marked says of a failure whether it was a panic. The machine knows that of deliveries
// alone, not of starts.
func marked(f supervision.Failure) supervision.Failure {
	if _, ok := errors.AsType[*panicError](f.Err); ok {
		f.Panicked = true
	}
	return f
}

// replace orders the worker to stop its behavior, unless it has such an order.
func (p *partition) replace(l *lane, cause error) {
	if l.worker.restarting.CompareAndSwap(false, true) {
		l.worker.work <- job{cause: cause}
	}
	l.pending = nil
}

// dismiss lets go of a lane's worker, whose goroutine ends when its call returns.
func (p *partition) dismiss(l *lane, cause error, limit time.Time) {
	if l.worker == nil {
		return
	}
	l.worker.retire(cause, limit)
	p.ctx.Stop(l.pid)
	l.worker, l.pid, l.spare, l.pending = nil, nil, nil, nil
}

func (p *partition) pause(fx *core.PauseSet) {
	for r := range fx.Now.All {
		if !fx.Was.Has(r) {
			p.emit(observe.Paused{TP: p.a.tp, Epoch: p.a.epoch, Reason: r.String()})
		}
	}
	for r := range fx.Was.All {
		if !fx.Now.Has(r) {
			p.emit(observe.Resumed{TP: p.a.tp, Epoch: p.a.epoch, Reason: r.String()})
		}
	}
	if p.a.fence.raised() {
		return // the client has cleared the pause, and may have given the partition away
	}
	const full core.ReasonSet = 1 << core.BackPressure
	switch {
	case fx.Now == 0:
		p.e.opts.Client.Resume(p.a.tp)
	case fx.Now == full && fx.Was == 0:
		if p.e.steps.Hit(failpoint.Filled) == nil {
			p.e.opts.Client.PauseSoon(p.a.tp)
		}
	default:
		p.e.opts.Client.Pause(p.a.tp)
	}
}

func (p *partition) commit(fx *core.Commit) {
	p.unanswered = true
	req := &commitRequest{a: p.a, incarnation: p.incarnation, seq: fx.Seq, line: CommitLine{p.a.tp, fx.Next, p.besides(fx)}}
	err := p.e.steps.Hit(failpoint.Line)
	p.a.asked.Store(req)
	if err != nil {
		p.e.answer(req, CommitResult{Outcome: observe.Refused, Err: err})
		return
	}
	p.e.root.Send(p.e.group, req)
}

// wakeTimer is the one timer of a partition. A message of an older setting is told
// by its number.
type wakeTimer struct {
	p     *partition
	timer *time.Timer
	seq   uint64
}

func (t *wakeTimer) set(at time.Time) {
	t.stop()
	t.seq++
	seq, e, pid := t.seq, t.p.e, t.p.ctx.Self()
	t.timer = time.AfterFunc(wallclock.Until(e.opts.Owner, at), func() {
		if e.steps.Hit(failpoint.WakeUp) == nil {
			e.root.Send(pid, woke{seq})
		}
	})
}

func (t *wakeTimer) stop() {
	if t.timer != nil {
		t.timer.Stop()
	}
}

// errEscalated is a failure without an error of its own.
var errEscalated = errors.New("escalated")

func (p *partition) escalated(f supervision.Failure) {
	if p.ending != nil || p.rebuild != nil {
		return
	}
	if f.Err == nil {
		f.Err = errEscalated
	}
	p.e.steps.Pass(failpoint.Escalate)
	p.emit(observe.Escalated{TP: p.a.tp, Epoch: p.a.epoch, Failure: f})
	p.rebuild = &f
	e, pid := p.e, p.ctx.Self()
	time.AfterFunc(e.opts.DrainTimeout, func() { e.root.Send(pid, drainOver{}) })
	e.root.Send(pid, drain{own: true}) // not now: effects do not step the machine
}
