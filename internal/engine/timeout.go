package engine

import (
	"context"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/supervision"
)

// callTimer bounds the calls of one lane, for topics with a Timeout. One timer
// serves all calls: it is set for the first and, when it fires early for the call of
// that moment, for what is left of it. So a call that returns in time costs no timer.
type callTimer struct {
	w *worker

	mu     sync.Mutex
	timer  *time.Timer             // guarded by mu; nil before the first call
	set    bool                    // guarded by mu: the timer will fire
	call   *handOver               // guarded by mu; nil between calls
	n      int                     // guarded by mu: the call's record
	start  bool                    // guarded by mu: the call is Start
	seq    uint64                  // guarded by mu: counts calls, so that a late Heartbeat of another is none
	until  time.Time               // guarded by mu
	cancel context.CancelCauseFunc // guarded by mu: ends the call's context
}

// begin starts a call's clock and gives it a context of its own.
func (t *callTimer) begin(ctx context.Context, ho *handOver, n int, start bool) (context.Context, context.CancelCauseFunc) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seq++
	seq := t.seq
	ctx, cancel := context.WithCancelCause(ctx)
	t.call, t.n, t.start, t.cancel = ho, n, start, cancel
	t.until = time.Now().Add(t.w.topic.Timeout)
	if !t.set {
		t.arm(t.w.topic.Timeout)
	}
	return actors.WithHeartbeat(ctx, func() { t.again(seq) }), cancel
}

// arm sets the timer. The caller holds mu.
func (t *callTimer) arm(d time.Duration) {
	t.set = true
	if t.timer == nil {
		t.timer = time.AfterFunc(d, t.fire)
		return
	}
	t.timer.Reset(d)
}

// end stops the clock of the call under way.
func (t *callTimer) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.call, t.cancel = nil, nil
}

// stop ends the clock with its lane.
func (t *callTimer) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
}

// again is a Heartbeat of call seq.
func (t *callTimer) again(seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.call != nil && t.seq == seq {
		t.until = time.Now().Add(t.w.topic.Timeout)
	}
}

// beat is a Heartbeat where there is no Timeout: nothing counts it.
func (*callTimer) beat() {}

func (t *callTimer) fire() {
	t.mu.Lock()
	t.set = false
	if t.call == nil {
		t.mu.Unlock()
		return
	}
	if left := time.Until(t.until); left > 0 {
		t.arm(left)
		t.mu.Unlock()
		return
	}
	ho, n, start, cancel := t.call, t.n, t.start, t.cancel
	t.call, t.cancel = nil, nil
	t.mu.Unlock()
	t.w.timeOut(ho, n, start, cancel)
}

// timedOut says that a call was taken away from its lane, which it still occupies.
type timedOut struct {
	ho     *handOver
	done   int
	result core.Result
}

// timeOut takes a call away that has gone on for too long. It runs on the timer's
// goroutine, the policy's Decide with it: one that hangs leaves its own lane alone
// waiting.
func (w *worker) timeOut(ho *handOver, n int, starting bool, cancel context.CancelCauseFunc) {
	w.e.steps.Pass(failpoint.Expire)
	w.e.held.add(w.place(), w)
	if !ho.take(n) {
		w.e.freed(w) // it returned first
		return
	}
	cancel(actors.ErrTimeout)
	res := core.Result{Kind: core.Hung, Err: actors.ErrTimeout}
	if !starting {
		res.Kind = core.Timeout
		res.Directive = w.decide(supervision.Failure{
			Err: actors.ErrTimeout, Attempt: ho.attemptOf(n), Restarts: ho.restartsOf(n),
		})
	}
	w.e.root.Send(w.a.pid(), &timedOut{ho, n, res})
}

func (w *worker) place() place { return place{w.a.tp, core.LaneID(w.vp.Index)} }
