package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Assigned begins partitions. A lease that ran out before is a loss of those that are
// there: then the client is rebuilt and nothing begins.
func (e *Engine) Assigned(as []Assignment) {
	held := e.holds()
	if held && !e.lease.check(e.now()) {
		e.loseAll(errLease)
		return
	}
	e.steps.Pass(failpoint.Assigned)
	e.lease.open(held)
	begun := make([]*assignment, len(as))
	for i, as := range as {
		begun[i] = e.assign(as)
	}
	until := time.Now().Add(e.opts.CommitTimeout)
	for _, a := range begun {
		if !e.await(a.spawned, until) && !e.fell.happened() {
			e.opts.Fail(fmt.Errorf("%s: %w", a.tp, errWedged))
			return
		}
	}
}

// errWedged is a bug: the group supervisor never blocks.
var errWedged = errors.New("the group supervisor does not answer")

// assign begins a partition. Nothing may be sent to it before it has a mailbox of its
// own: what is sent to the group instead is lost, and could be overtaken.
func (e *Engine) assign(as Assignment) *assignment {
	topic := e.topics[as.TP.Topic]
	a := newAssignment(topic, as)
	if as.Halted {
		a.stops(as.Start)
	}
	a.actor.Store(e.group) // until the partition's own has started
	e.mu.Lock()
	if e.closing {
		e.mu.Unlock()
		a.spawned.happen() // never: nobody is to wait
		return a
	}
	e.assigned[as.TP] = a
	e.mu.Unlock()
	e.root.Send(e.group, begin{a, beginning{handoff: e.takeOver(&as)}})
	return a
}

// present names the partitions that are assigned.
func (e *Engine) present() []observe.TopicPartition {
	var tps []observe.TopicPartition
	for _, a := range e.all() {
		tps = append(tps, a.tp)
	}
	return tps
}

// holds reports whether an assignment is not over: in the table, drained by a stop, or in
// the middle of a revoke.
func (e *Engine) holds() bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return len(e.assigned)+len(e.stopping)+len(e.revoked) > 0
}

// loseAll fences every partition and joins the group anew, unless a stop is under way. A
// revoke that is under way ends with it: what it would commit later, the group would take
// for the new membership's.
func (e *Engine) loseAll(cause error) {
	as, closing := e.takeAll()
	e.lost(as, cause)
	if len(as) > 0 && !closing {
		e.opts.Client.Rebuild(cause)
	}
}

// takeAll takes what is not finished, and reports whether a stop is under way.
func (e *Engine) takeAll() (as []*assignment, closing bool) { //nolint:nonamedreturns // tells them apart
	e.mu.Lock()
	defer e.mu.Unlock()
	as = e.unfinishedLocked()
	clear(e.assigned)
	clear(e.stopping)
	return as, e.closing
}

// unfinishedLocked is what holds counts, but for what its revoke is through with. The
// caller holds mu.
func (e *Engine) unfinishedLocked() []*assignment {
	as := slices.Collect(maps.Values(e.assigned))
	as = slices.AppendSeq(as, maps.Values(e.stopping))
	for a := range e.revoked {
		if !a.done.happened() {
			as = append(as, a)
		}
	}
	return as
}

// Revoked drains, commits and fences partitions that move to another member. It
// returns within the drain and the commit timeout; nothing of them starts or commits
// after it.
func (e *Engine) Revoked(tps []observe.TopicPartition) {
	as := e.takeRevoked(tps)
	defer e.revokedAll(as)
	for _, a := range as {
		e.opts.Emit(observe.RevokeBegan{TP: a.tp, Epoch: a.epoch})
	}
	ctx, cancel := context.WithTimeout(context.Background(), e.opts.DrainTimeout)
	defer cancel()
	e.drain(ctx, as)
	clean := e.finish(as, actors.ErrRevoked, time.Now().Add(e.opts.CommitTimeout))
	for i, a := range as {
		e.opts.Emit(observe.RevokeEnded{TP: a.tp, Epoch: a.epoch, Drained: clean[i]})
	}
}

// takeRevoked is take, and notes whose revoke is under way from then on: a stop must not
// leave the group before their last commits.
func (e *Engine) takeRevoked(tps []observe.TopicPartition) []*assignment {
	e.mu.Lock()
	defer e.mu.Unlock()
	as := e.takeLocked(tps)
	for _, a := range as {
		e.revoked[a] = true
	}
	return as
}

func (e *Engine) revokedAll(as []*assignment) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range as {
		delete(e.revoked, a)
	}
}

// revokes are the assignments whose revoke is under way.
func (e *Engine) revokes() []*assignment {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Collect(maps.Keys(e.revoked))
}

// Lost fences partitions at once: another member may be at work on them.
func (e *Engine) Lost(tps []observe.TopicPartition, cause error) {
	e.lost(e.take(tps), cause)
}

func (e *Engine) lost(as []*assignment, cause error) {
	if len(as) > 0 {
		e.steps.Pass(failpoint.Lose)
	}
	for _, a := range as {
		e.seize(a)
		e.opts.Emit(observe.Lost{TP: a.tp, Epoch: a.epoch, Cause: cause})
		e.root.Send(e.group, toPartition{a, finish{cause: actors.ErrLost, lost: true}})
	}
}

// drain asks partitions to begin nothing more and waits until nothing is under way,
// or until ctx ends.
func (e *Engine) drain(ctx context.Context, as []*assignment) {
	for _, a := range as {
		e.root.Send(e.group, toPartition{a, drain{}})
	}
	for _, a := range as {
		select {
		case <-a.drained.ch:
		case <-e.fell.ch:
			return
		case <-ctx.Done():
			return
		}
	}
}

// finish ends partitions and waits until it is done, or until the deadline. The fence
// is up when it returns, whatever the actors do. It reports of each whether it drained
// and committed by then; the answer to a commit often comes just after the deadline.
func (e *Engine) finish(as []*assignment, cause error, until time.Time) []bool {
	if len(as) > 0 {
		e.steps.Pass(failpoint.Drained)
	}
	for _, a := range as {
		e.root.Send(e.group, toPartition{a, finish{cause: cause, limit: until}})
	}
	clean := make([]bool, len(as))
	for i, a := range as {
		clean[i] = e.await(a.done, until) && a.clean.Load()
		e.steps.Pass(failpoint.Fence)
		e.seize(a)
	}
	return clean
}

// stopped waits for the Stop hooks of a's lanes. Those of quarantined lanes come when
// their calls return, and nobody waits for them.
func (e *Engine) stopped(a *assignment, until time.Time) {
	if !a.done.happened() && !e.gone.happened() {
		return
	}
	for _, gone := range a.leaving {
		if !(signal{ch: gone}).wait(until) {
			return
		}
	}
}

// Gapped tells a partition of records that were deleted while it ran. stopped says
// that it is not fetched any more; otherwise batches go on at to, under gen.
func (e *Engine) Gapped(tp observe.TopicPartition, epoch observe.Epoch, gen uint32, to int64, stopped bool) {
	a := e.lookup(tp)
	if a == nil || a.epoch != epoch {
		return
	}
	if stopped {
		e.root.Send(e.group, toPartition{a, halted{to}})
		return
	}
	a.gen.Store(gen)
	e.root.Send(e.group, toPartition{a, repositioned{gen, to}})
}

// Ended lets go of a partition whose topic was deleted, and reports how many are left.
func (e *Engine) Ended(tp observe.TopicPartition, cause error) int {
	e.Lost([]observe.TopicPartition{tp}, cause)
	return len(e.present())
}

// stopAll takes everything from the table. It can still be revoked and lost.
func (e *Engine) stopAll() []*assignment {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closing = true
	for tp, a := range e.assigned {
		e.stopping[tp] = a
	}
	clear(e.assigned)
	return slices.Collect(maps.Values(e.stopping))
}

// stops reports whether a is a stop's, and was neither revoked nor lost meanwhile.
func (e *Engine) stops(a *assignment) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.stopping[a.tp] == a
}

// Drain ends all partitions, with actors.ErrShutdown for what goes on when ctx ends,
// and begins none from then on. The group session has to be alive meanwhile: it ends
// with a commit. It returns what was still running, and whether all was committed.
func (e *Engine) Drain(ctx context.Context) (running []string, committed bool) { //nolint:nonamedreturns // tells them apart
	as := e.stopAll()
	for _, a := range as {
		e.opts.Client.Pause(a.tp)
	}
	leaving := e.revokes() // they drain by themselves
	e.drain(ctx, as)
	for _, a := range leaving {
		select {
		case <-a.done.ch:
		case <-e.fell.ch:
		case <-ctx.Done():
		}
	}
	until := time.Now().Add(e.opts.CommitTimeout)
	clean := e.finish(as, actors.ErrShutdown, until)
	for i, a := range as {
		if e.stops(a) {
			e.opts.Emit(observe.Stopped{TP: a.tp, Epoch: a.epoch, Drained: clean[i]})
		}
	}
	for _, a := range leaving {
		clean = append(clean, e.await(a.done, until) && a.clean.Load())
	}
	if e.fell.happened() {
		e.gone.wait(until)
	}
	for _, a := range append(as, leaving...) {
		e.stopped(a, until) // the process may end next, and with it what a Stop hook was at
	}
	return e.held.names(), !slices.Contains(clean, false)
}
