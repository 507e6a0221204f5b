package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

var (
	errGoexit   = errors.New("the behavior called runtime.Goexit")
	errNotBegun = errors.New("not begun")
	errNoValue  = errors.New("the factory returned nil")
)

// panicError is a recovered panic. Its text is the value's: it may hold what the
// user put there, so it goes where errors go and into no log of ours.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Unwrap is the panic's value where that is an error.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// start makes the lane's behavior before its first record. The hand-over counts as
// running meanwhile, so that a start which outlives its assignment is quarantined.
func (w *worker) start(ho *handOver) bool {
	if !ho.move(0, idle, 0, running) {
		return false
	}
	w.starting = true
	err := w.make(ho)
	if err != nil {
		w.startFailed(ho, err)
		return false
	}
	w.starting = false
	if !ho.move(0, running, 0, idle) {
		w.late(ho, 0)
		return false
	}
	return true
}

// startFailed ends a hand-over before its first record.
func (w *worker) startFailed(ho *handOver, err error) {
	w.starting = false
	w.current = behavior{}
	if w.ctl.Load().ctx.Err() != nil {
		w.fail(ho, core.Result{Kind: core.Interrupted, Err: err})
		return
	}
	res := core.Result{Kind: core.StartFailed, Err: err}
	f := supervision.Failure{Err: err, Starting: true, Restarts: ho.restarts}
	if p, ok := errors.AsType[*panicError](err); ok {
		f.Panicked, f.Stack, res.Stack = true, p.stack, p.stack
	}
	res.Directive = w.decide(f)
	w.fail(ho, res)
}

// make runs the factory and Start. A Goexit passes through to run.
func (w *worker) make(ho *handOver) (err error) {
	if w.ctl.Load().ctx.Err() != nil {
		w.renew() // an operator's restart ended the last one
	}
	ctl := w.ctl.Load()
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
	}()
	if err := w.e.steps.Hit(failpoint.Make); err != nil {
		return err
	}
	b := w.topic.Behavior(w.vp)
	if b == nil {
		return errNoValue
	}
	w.current = behavior{b, ctl}
	starter, ok := b.(actors.Starter)
	if !ok {
		return nil
	}
	ctx := ctl.ctx
	if w.topic.Timeout > 0 {
		var cancel context.CancelCauseFunc
		ctx, cancel = w.timer.begin(ctx, ho, 0, true)
		defer cancel(nil)
		defer w.timer.end()
	}
	return starter.Start(ctx, w.vp)
}

// stop runs the behavior's Stop, if it has one.
func (w *worker) stop(cause error) {
	b := w.current.made
	w.current = behavior{}
	stopper, ok := b.(actors.Stopper)
	if !ok {
		return
	}
	begun := time.Now()
	if err := w.runStop(stopper, cause); err != nil {
		w.e.opts.Emit(observe.Warned{What: fmt.Sprintf("%s: Stop failed after %v", w.vp, time.Since(begun)), Err: err, Foreign: true})
	}
}

func (w *worker) runStop(s actors.Stopper, cause error) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), w.stopBudget())
	defer cancel()
	slow := time.AfterFunc(w.stopBudget(), func() {
		w.e.warn(w.vp.String()+": Stop has not returned within its budget; nothing waits for it", context.DeadlineExceeded)
	})
	defer slow.Stop()
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
	}()
	if err := w.e.steps.Hit(failpoint.Stop); err != nil {
		return err
	}
	return s.Stop(ctx, cause)
}

// stopBudget is what is left of the drain, and DrainTimeout outside one.
func (w *worker) stopBudget() time.Duration {
	if until := w.limit.Load(); until != nil {
		return max(time.Until(*until), time.Millisecond)
	}
	return w.e.opts.DrainTimeout
}

func (w *worker) stopCause() error {
	if c := w.cause.Load(); c != nil {
		return *c
	}
	return actors.ErrRestart
}

// retire ends the worker because of cause: its context ends, and so does its
// goroutine once the call under way has returned. It is the supervisor's, and the
// last thing that the supervisor does to the worker.
func (w *worker) retire(cause error, limit time.Time) {
	w.cause.Store(&cause)
	if !limit.IsZero() {
		w.limit.Store(&limit)
	}
	w.ctl.Load().cancel(cause)
	close(w.work)
}
