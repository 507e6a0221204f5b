package engine

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// group is the supervisor of all partitions of this member: it starts and rebuilds
// them, and all commits of the group go through it.
type group struct {
	e     *Engine
	ctx   actor.Context
	parts map[*assignment]*part

	pending  []*commitRequest // not sent yet
	flushing bool             // a flush is on its way to the mailbox
	ticker   *time.Timer
	leaseEnd *time.Timer
}

// part is what the group knows of a partition.
type part struct {
	a       *assignment
	pid     *actor.PID // nil while it waits for its rebuild
	budget  supervision.Budget
	rebuilt int64 // the commit line at the last rebuild
	wait    *time.Timer
	from    beginning // of the rebuild that it waits for

	// Of an actor that panicked: the next one begins when both have come. Proto.Actor
	// brings them in any order.
	failure *panicError
	stopped bool // its lanes are closed, and calls that go on are in the quarantine
}

// Messages to the group supervisor.
type (
	begin struct {
		a    *assignment
		from beginning
	}

	// toPartition is for a partition's actor, if there is one.
	toPartition struct {
		a   *assignment
		msg any
	}

	// commitRequest asks for a commit line to be stored.
	commitRequest struct {
		a           *assignment
		incarnation uint64
		seq         uint64
		line        CommitLine
	}

	// flush sends the commit lines that have come together.
	flush struct{}

	// groupTick is the commit interval.
	groupTick struct{}

	// leaseOver says that a lease may have run out.
	leaseOver struct{}

	// thrownOut says that the group does not know this member any more.
	thrownOut struct{ cause error }

	// escalation is a partition's failure, and what its machine leaves behind.
	escalation struct {
		a       *assignment
		failure supervision.Failure
		handoff core.Handoff
	}

	// resume starts a partition after its backoff.
	resume struct{ part *part }
)

func newGroup(e *Engine) *group { return &group{e: e, parts: map[*assignment]*part{}} }

// Receive is the actor.
func (g *group) Receive(ctx actor.Context) {
	defer crashed()
	g.ctx = ctx
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		g.schedule()
	case *actor.Stopping:
		g.stop()
	case begin:
		g.begin(msg)
	case toPartition:
		g.forward(msg)
	case *commitRequest:
		g.commit(msg)
	case flush:
		g.flush()
	case groupTick:
		g.tick()
	case leaseOver:
		g.lookAtLease()
	case thrownOut:
		g.e.loseAll(msg.cause)
	case *escalation:
		g.escalated(msg)
	case childFailed:
		g.failed(msg.child, msg.reason)
	case *actor.Terminated:
		g.terminated(msg.Who)
	case resume:
		g.resume(msg.part)
	}
}

// schedule sets the commit ticker. The commit interval also bounds how late a lease
// that ran out while the process was frozen is noticed by the group; lanes look for
// themselves.
func (g *group) schedule() {
	g.ticker = time.AfterFunc(g.e.opts.CommitInterval, g.later(groupTick{}))
}

// later is what a timer does to send the group a message.
func (g *group) later(msg any) func() {
	root, self := g.e.root, g.ctx.Self()
	return func() { root.Send(self, msg) }
}

func (g *group) tick() {
	g.lookAtLease()
	if g.e.hit(failpoint.Tick) == nil {
		for _, p := range g.parts {
			if p.pid != nil {
				g.ctx.Send(p.pid, tick{})
			}
		}
	}
	g.ticker.Reset(g.e.opts.CommitInterval)
}

func (g *group) stop() {
	g.ticker.Stop()
	if g.leaseEnd != nil {
		g.leaseEnd.Stop()
	}
	for _, p := range g.parts {
		if p.wait != nil {
			p.wait.Stop()
		}
	}
}

func (g *group) begin(msg begin) {
	if g.leaseEnd == nil {
		g.watchLease()
	}
	p := &part{a: msg.a, rebuilt: -1}
	g.parts[msg.a] = p
	g.spawn(p, msg.from)
}

func (g *group) spawn(p *part, from beginning) {
	g.e.pass(failpoint.Spawn)
	a := p.a
	p.pid = g.ctx.Spawn(g.e.props(overPartition{}, func() actor.Actor { return newPartition(g.e, a, from) }))
	a.actor.Store(p.pid) // it need not have started: its mailbox is there
	a.spawned.happen()
}

// forward passes a message on. A partition that waits for its rebuild has no actor:
// there is nothing to drain, and its line is committed already.
func (g *group) forward(msg toPartition) {
	p := g.parts[msg.a]
	if p == nil {
		return
	}
	if _, ends := msg.msg.(finish); ends {
		delete(g.parts, msg.a)
	}
	if p.pid != nil {
		g.ctx.Send(p.pid, msg.msg)
		return
	}
	switch m := msg.msg.(type) {
	case setPause:
		p.a.held.Store(m.on)
	case halted:
		p.a.stops(m.to)
	case finish:
		p.wait.Stop()
		p.a.fence.raise()
		p.a.drained.happen()
		p.a.done.happen()
	case drain:
		p.a.clean.Store(true)
		p.a.drained.happen()
	}
}

// watchLease looks at the lease when it may have run out.
func (g *group) watchLease() {
	left := max(g.e.lease.left(), 0) + time.Millisecond
	if g.leaseEnd == nil {
		g.leaseEnd = time.AfterFunc(left, g.later(leaseOver{}))
		return
	}
	g.leaseEnd.Reset(left)
}

// lookAtLease treats a lease that ran out as a loss: another member may be at work.
func (g *group) lookAtLease() {
	if len(g.parts) == 0 {
		g.leaseEnd = nil
		return
	}
	if g.e.lease.check(g.e.now()) {
		g.watchLease()
		return
	}
	g.e.loseAll(errLease)
}

// escalated rebuilds a partition, within its budget and after a backoff.
func (g *group) escalated(msg *escalation) {
	p := g.parts[msg.a]
	if p == nil {
		return
	}
	g.e.pass(failpoint.Resume)
	p.pid, p.failure, p.stopped = nil, nil, false
	policy := p.a.topic.Supervision
	if p.rebuilt != msg.handoff.Next {
		p.budget.Refill()
	}
	p.rebuilt = msg.handoff.Next
	asked := isAsked(msg.failure)
	if !asked && !p.budget.Spend(time.Now(), policy) {
		g.giveUp(p, msg.failure)
		return
	}
	backoff := time.Duration(0)
	if !asked {
		backoff = policy.Backoff.Delay(p.budget.Spent(time.Now(), policy.Within), g.e.opts.Jitter())
	}
	p.from = beginning{handoff: msg.handoff, gen: p.a.gen.Add(1)}
	g.e.opts.Client.Pause(p.a.tp)
	p.wait = time.AfterFunc(backoff, g.later(resume{p}))
}

func isAsked(f supervision.Failure) bool { return f.Err == actors.ErrRestart } //nolint:errorlint // the operator's is not wrapped

// giveUp ends the runtime with the failure of a partition that is over its budget.
func (g *group) giveUp(p *part, f supervision.Failure) {
	p.wait = time.AfterFunc(0, func() {})
	policy := p.a.topic.Supervision
	g.e.opts.Fail(&BudgetError{Partition: p.a.tp, Rebuilds: policy.MaxRestarts, Within: policy.Within, Err: f.Err})
}

// BudgetError ends the runtime: a partition was rebuilt too often while its commit line
// did not move.
type BudgetError struct {
	Partition observe.TopicPartition
	Rebuilds  int
	Within    time.Duration
	Err       error // of the last failure: mostly a behavior's, so its text is the user's
}

// Error says what to do, and ends with the last failure.
func (e *BudgetError) Error() string { return fmt.Sprintf("%s: %v", e.Reason(), e.Err) }

// Unwrap is the last failure.
func (e *BudgetError) Unwrap() error { return e.Err }

// Reason is Error without the text of the last failure.
func (e *BudgetError) Reason() string {
	return fmt.Sprintf("%s: over its budget of %d rebuilds within %v (mend the failure, give the topic a dead letter topic, or raise its Supervision.MaxRestarts)",
		e.Partition, e.Rebuilds, e.Within)
}

func (g *group) resume(p *part) {
	if g.parts[p.a] != p || p.a.fence.raised() {
		return
	}
	g.spawn(p, p.from)
}

// failed is a partition's actor that panicked. One that panics again, while it is
// stopped, would never end.
func (g *group) failed(child *actor.PID, reason *panicError) {
	p := g.partOf(child)
	if p == nil {
		return
	}
	if p.failure != nil {
		g.e.opts.Fail(fmt.Errorf("supervisor of %s, while it was stopped: %w", p.a.tp, reason))
		return
	}
	p.failure = reason
	g.rebuild(p)
}

// terminated is an actor of a partition that has ended.
func (g *group) terminated(child *actor.PID) {
	if p := g.partOf(child); p != nil {
		p.stopped = true
		g.rebuild(p)
	}
}

func (g *group) partOf(child *actor.PID) *part {
	for _, p := range g.parts {
		if p.pid != nil && p.pid.Equal(child) {
			return p
		}
	}
	return nil
}

// rebuild starts a partition again whose actor panicked and has ended. Nothing that it
// held in memory is trusted: it begins at what the broker acknowledged.
func (g *group) rebuild(p *part) {
	if p.failure == nil || !p.stopped {
		return
	}
	f := supervision.Failure{
		Err: fmt.Errorf("supervisor of %s: %w", p.a.tp, p.failure), Panicked: true, Stack: p.failure.stack,
	}
	g.e.opts.Emit(observe.Escalated{TP: p.a.tp, Epoch: p.a.epoch, Failure: f, Supervisor: true})
	g.escalated(&escalation{a: p.a, failure: f, handoff: core.Handoff{Next: p.a.acked.Load()}})
}
