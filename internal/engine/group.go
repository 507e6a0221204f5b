package engine

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/internal/failpoint"
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
	rebuilt int64       // the commit line at the last rebuild
	drains  bool        // a revoke or a stop drains it: it is not begun again
	ends    bool        // it was told to finish
	wait    *time.Timer // until the rebuild; nil: none was due yet
	from    beginning   // of the rebuild that it waits for

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
		plain       bool // line was sent once more, without its metadata
	}

	// flush sends the commit lines that have come together.
	flush struct{}

	// groupTick is the commit interval.
	groupTick struct{}

	// leaseOver says that a lease may have run out.
	leaseOver struct{}

	// thrownOut says that the group does not know this member any more.
	thrownOut struct{ cause error }
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
	case *actor.Stopped:
		g.e.gone.happen() // children end before their parent
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
	if g.e.steps.Hit(failpoint.Tick) == nil {
		for _, p := range g.parts {
			if p.pid != nil && !p.ends {
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
		if g.e.fell.happened() {
			p.a.fence.raise() // a loss that panicked had taken it from the tables
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
	g.e.steps.Pass(failpoint.Spawn)
	a := p.a
	p.pid = g.ctx.Spawn(g.e.props(overPartition{}, func() actor.Actor { return newPartition(g.e, a, from) }))
	a.actor.Store(p.pid) // it need not have started: its mailbox is there
	a.spawned.happen()
}

// forward passes a message on. A partition that waits for its rebuild has no actor: there
// is nothing to drain, whether its end was clean is known, and it is not begun again.
func (g *group) forward(msg toPartition) {
	p := g.parts[msg.a]
	if p == nil || p.ends {
		return
	}
	switch msg.msg.(type) {
	case drain:
		p.drains = true
	case finish:
		p.ends = true
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
		g.over(p)
	case drain:
		p.idle()
	}
}

// idle ends the drain of a partition that has no actor: there is nothing to wait for.
func (p *part) idle() {
	if p.wait != nil {
		p.wait.Stop()
	}
	p.a.drained.happen()
}

// over ends a partition that has no actor.
func (g *group) over(p *part) {
	delete(g.parts, p.a)
	p.a.fence.raise()
	p.idle()
	p.a.done.happen()
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
	if g.e.steps.Hit(failpoint.Lease) != nil {
		return
	}
	if g.e.lease.check(g.e.now()) {
		g.watchLease()
		return
	}
	g.e.loseAll(errLease)
}
