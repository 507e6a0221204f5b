package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

var (
	errFenced = errors.New("the partition is not this member's any more")
	errLease  = errors.New("the group's coordinator has not said within the session timeout that it has this member")
)

// commit takes a line. Those that come in one run of the mailbox go in one request:
// flush stands behind them.
func (g *group) commit(req *commitRequest) {
	g.pending = append(g.pending, req)
	if !g.flushing {
		g.flushing = true
		g.ctx.Send(g.ctx.Self(), flush{})
	}
}

// flush sends the lines off the actor. Of a partition at most one is on its way, so
// requests that overlap are of different partitions and cannot overtake each other.
func (g *group) flush() {
	reqs := g.pending
	g.pending, g.flushing = nil, false
	if err := g.e.steps.Hit(failpoint.Flush); err != nil {
		for _, r := range reqs {
			g.e.answer(r, CommitResult{Outcome: observe.Refused, Err: err})
		}
		return
	}
	go g.e.send(reqs)
}

// send commits, and tells the partitions and the group what became of it. It ends
// within the commit timeout.
func (e *Engine) send(reqs []*commitRequest) {
	sent := make([]*commitRequest, 0, len(reqs))
	lines := make([]CommitLine, 0, len(reqs))
	if !e.lease.check(e.now()) {
		e.loseAll(errLease) // a stop and a revoke would try again until their patience is over
		for _, r := range reqs {
			e.answer(r, CommitResult{Outcome: observe.Refused, Err: errLease})
		}
		return
	}
	for _, r := range reqs {
		if !e.leaves(r) {
			e.answer(r, CommitResult{Outcome: observe.Refused, Err: errFenced})
			continue
		}
		sent, lines = append(sent, r), append(lines, r.line)
	}
	if len(sent) == 0 {
		return
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), e.opts.CommitTimeout)
	defer cancel()
	results := e.store(ctx, lines)
	e.storePlain(ctx, sent, results)
	took := time.Since(begun)
	var fencedBy error
	for i, r := range sent {
		e.opts.Emit(observe.CommitAnswered{
			TP: r.a.tp, Epoch: r.a.epoch, Next: r.line.Next, Outcome: results[i].Outcome, Err: results[i].Err, Took: took, Resent: results[i].Resent,
		})
		e.answer(r, results[i])
		if results[i].Fenced {
			fencedBy = results[i].Err
		}
	}
	if fencedBy != nil {
		e.root.Send(e.group, thrownOut{fmt.Errorf("commit: %w", fencedBy)})
	}
}

// leaves says that a line is sent, unless the fence is up. As a lane does before a start,
// it claims first and looks then: whoever raises the fence waits for it, so that no commit
// is told of after a loss or a revoke.
func (e *Engine) leaves(r *commitRequest) bool {
	r.a.sending.Add(1)
	defer r.a.sending.Add(-1)
	if r.a.fence.raised() {
		return false
	}
	e.opts.Emit(observe.CommitSent{TP: r.a.tp, Epoch: r.a.epoch, Next: r.line.Next})
	return true
}

// store sends the request.
func (e *Engine) store(ctx context.Context, lines []CommitLine) []CommitResult {
	if err := e.steps.Hit(failpoint.Send); err != nil {
		return alike(len(lines), CommitResult{Outcome: observe.Refused, Err: err})
	}
	results := e.opts.Client.Commit(ctx, lines)
	if err := e.steps.Hit(failpoint.Answer); err != nil {
		return alike(len(lines), CommitResult{Outcome: observe.Unknown, Err: err})
	}
	return results
}

// storePlain sends the lines once more whose metadata alone was refused, without it: the
// line is not to wait. What is sent from then on is half as long as what was refused, at
// most, so a broker that takes less than others by default soon gets what it takes.
func (e *Engine) storePlain(ctx context.Context, reqs []*commitRequest, results []CommitResult) {
	var lines []CommitLine
	var at []int
	for i, r := range reqs {
		if !results[i].TooLarge || r.line.Metadata == "" {
			continue
		}
		e.room.Store(min(e.room.Load(), int32(len(r.line.Metadata)/2))) //nolint:gosec // within MaxBytes
		r.plain = true
		lines, at = append(lines, CommitLine{TP: r.line.TP, Next: r.line.Next}), append(at, i)
	}
	if len(lines) == 0 {
		return
	}
	for i, res := range e.opts.Client.Commit(ctx, lines) {
		results[at[i]] = res
	}
}

func alike(n int, r CommitResult) []CommitResult { return slices.Repeat([]CommitResult{r}, n) }

func (e *Engine) answer(r *commitRequest, res CommitResult) {
	switch res.Outcome {
	case observe.OK:
		raise(&r.a.acked, &r.line)
	case observe.Unknown:
		raise(&r.a.stored, &r.line)
	default:
	}
	r.a.asked.CompareAndSwap(r, nil)
	e.root.Send(r.a.pid(), committed{r.incarnation, r.seq, res, r.plain})
}

// raise makes line to, unless it is above it: answers to the commits of two machines may cross.
func raise(line *atomic.Pointer[CommitLine], to *CommitLine) {
	for was := line.Load(); was == nil || was.Next <= to.Next; was = line.Load() {
		if line.CompareAndSwap(was, to) {
			return
		}
	}
}

// reached is the highest commit line that the broker has, or may have. A commit below it
// would take it back.
func (a *assignment) reached() *CommitLine {
	asked := a.asked.Load() // before the others: its answer raises them first
	line := a.acked.Load()
	if stored := a.stored.Load(); stored != nil && stored.Next >= line.Next {
		line = stored
	}
	if asked != nil && asked.line.Next >= line.Next {
		line = &asked.line
	}
	return line
}
