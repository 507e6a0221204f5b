package engine

import (
	"errors"
	"runtime/debug"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// failed ends a hand-over at the call that returned err. When the lane's context
// ended before the call did, by revoke, loss, rebuild, operator or shutdown, it was
// no attempt.
func (w *worker) failed(ho *handOver, err error, attempt int) {
	if w.current.ctl.ctx.Err() != nil {
		w.fail(ho, core.Result{Kind: core.Interrupted, Err: err})
		return
	}
	res := core.Result{Kind: core.Error, Err: err}
	f := supervision.Failure{Err: err, Attempt: attempt, Restarts: ho.restartsOf(ho.done())}
	if p, ok := errors.AsType[*panicError](err); ok {
		res.Kind, res.Stack = core.Panic, p.stack
		f.Panicked, f.Stack = true, p.stack
	} else {
		classify(&res, err)
	}
	if res.Kind != core.Snooze {
		res.Directive = w.decide(f)
	}
	w.fail(ho, res)
}

// classify reads the outcome that an error asks for.
func classify(res *core.Result, err error) {
	if e, ok := errors.AsType[*actors.DiscardError](err); ok {
		res.Kind, res.Err = core.Discard, either(e.Err, err)
	} else if e, ok := errors.AsType[*actors.SnoozeError](err); ok {
		res.Kind, res.After = core.Snooze, e.After
	} else if e, ok := errors.AsType[*actors.RetryError](err); ok {
		res.Kind, res.After, res.Err = core.RetryAfter, e.After, either(e.Err, err)
	}
}

// either is inner, or outer where the user gave no error.
func either(inner, outer error) error {
	if inner == nil {
		return outer
	}
	return inner
}

// decide runs the policy's Decide, which is the user's. It gets a goroutine of its
// own, for which the lane waits, so that a panic and a Goexit in it have an end here:
// both escalate.
func (w *worker) decide(f supervision.Failure) supervision.Directive {
	if w.topic.Supervision.Decide == nil {
		return supervision.Default(f)
	}
	decided := make(chan supervision.Directive, 1)
	go func() {
		defer close(decided)
		defer func() {
			if v := recover(); v != nil {
				w.e.opts.Emit(observe.Warned{
					What: w.vp.String() + ": Decide panicked, which escalates", Err: &panicError{v, debug.Stack()}, Foreign: true,
				})
			}
		}()
		decided <- w.topic.Supervision.Decide(f)
	}()
	if d, ok := <-decided; ok {
		return d
	}
	return supervision.Escalate
}
