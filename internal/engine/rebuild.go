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

// Messages to the group supervisor about rebuilds.
type (
	// escalation is a partition's failure, and what its machine leaves behind.
	escalation struct {
		a       *assignment
		failure supervision.Failure
		handoff core.Handoff
		forgot  bool // of what was finished, what no commit said
	}

	// resume starts a partition after its backoff.
	resume struct{ part *part }
)

// escalated rebuilds a partition, within its budget and after a backoff. One that is on its
// way out is not begun again, and whoever waits for what its actor did not live to do is to
// wait no longer: its drain is over, and so is the partition if it was told to finish.
func (g *group) escalated(msg *escalation) {
	p := g.parts[msg.a]
	if p == nil {
		return
	}
	g.e.steps.Pass(failpoint.Resume)
	if msg.forgot || redone(&msg.handoff) {
		p.a.clean.Store(false)
	}
	p.pid, p.failure, p.stopped = nil, nil, false
	switch {
	case p.ends:
		g.over(p)
		return
	case p.drains:
		p.idle()
		return
	}
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

// redone reports whether another owner would do again what a machine leaves behind.
func redone(h *core.Handoff) bool {
	return h.Uncommitted || len(h.DeadLetters) > 0
}

func isAsked(f supervision.Failure) bool { return f.Err == actors.ErrRestart } //nolint:errorlint // the operator's is not wrapped

// giveUp ends the runtime with the failure of a partition that is over its budget.
func (g *group) giveUp(p *part, f supervision.Failure) {
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
	if g.parts[p.a] != p || p.a.fence.raised() || p.a.drained.happened() {
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
	p := g.partOf(child)
	if p == nil {
		return
	}
	if p.ends && p.a.done.happened() {
		delete(g.parts, p.a)
		return
	}
	p.stopped = true
	g.rebuild(p)
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
// held in memory is trusted: it begins at the line that the broker acknowledged, or may have
// stored, since a commit that is under way or was not answered is not to be taken back, and
// with what that commit said. It commits that again, and once more when no earlier commit can
// be stored any more.
func (g *group) rebuild(p *part) {
	if p.failure == nil || !p.stopped {
		return
	}
	f := supervision.Failure{
		Err: fmt.Errorf("supervisor of %s: %w", p.a.tp, p.failure), Panicked: true, Stack: p.failure.stack,
	}
	g.e.opts.Emit(observe.Escalated{TP: p.a.tp, Epoch: p.a.epoch, Failure: f, Supervisor: true})
	g.escalated(&escalation{a: p.a, failure: f, handoff: g.e.takeOverReached(p.a), forgot: true})
}
