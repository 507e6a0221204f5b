package engine

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// payload is a record as a partition holds it: the core carries it as a handle.
type payload struct {
	rec *actors.Record
	err error // the topic's KeyBy panicked on the record; it is the record's failure
}

// worker runs the behavior of one virtual partition: Start, Receive and Stop all on
// its goroutine, one at a time. The goroutine belongs to the virtual partition's
// actor and ends when its channel is closed and the call under way has returned. A
// Goexit in user code ends it too; another one takes its place.
type worker struct {
	e     *Engine
	a     *assignment
	topic *Topic
	vp    actors.VirtualPartition

	// work has room for a restart and the hand-over behind it, so that the supervisor
	// never waits: it sends a hand-over only when the last one has ended, and a restart
	// only when restarting was not set.
	work       chan job
	restarting atomic.Bool

	gone chan struct{} // closed when the goroutine has ended, Stop included

	ctl      atomic.Pointer[control] // for the supervisor, which cancels it
	timer    callTimer
	cause    atomic.Pointer[error]     // with which the worker is stopped
	limit    atomic.Pointer[time.Time] // until when a Stop hook may take, on the monotonic clock; nil: no matter
	current  behavior                  // the goroutine's own
	starting bool                      // the goroutine's own: inside the factory or Start
}

// job is a hand-over, or with ho nil the order to stop the behavior because of cause.
type job struct {
	ho    *handOver
	cause error
}

// control is the context of a lane's calls. An operator's restart ends it, and the
// next hand-over gets a new one.
type control struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the lane
	cancel context.CancelCauseFunc
}

// behavior is what a factory made.
type behavior struct {
	made actors.Behavior
	ctl  *control
}

func newWorker(e *Engine, a *assignment, topic *Topic, lane core.LaneID) *worker {
	w := &worker{
		e: e, a: a, topic: topic,
		vp:   actors.VirtualPartition{Topic: a.tp.Topic, Partition: a.tp.Partition, Index: int32(lane)},
		work: make(chan job, 2),
		gone: make(chan struct{}),
	}
	w.renew()
	w.timer.w = w
	return w
}

// renew gives the lane a context that is not canceled.
func (w *worker) renew() {
	ctx, cancel := context.WithCancelCause(context.Background())
	w.ctl.Store(&control{actors.WithHeartbeat(ctx, w.timer.beat), cancel})
	if c := w.cause.Load(); c != nil {
		cancel(*c) // retire came first and canceled the one before
	}
}

// run is the goroutine. It ends when work is closed. exited is the hand-over in which
// the goroutine before this one ended, or nil.
func (w *worker) run(exited *handOver) {
	ho, finished := exited, false
	defer func() {
		if !finished { // Goexit in user code cannot be stopped, only survived
			go w.run(ho)
		}
	}()
	if ho != nil {
		w.exited(ho)
	}
	for j := range w.work {
		ho = j.ho
		if ho == nil {
			w.restarting.Store(false)
			w.stop(j.cause)
			continue
		}
		w.serve(ho)
		ho = nil
	}
	w.timer.stop()
	w.stop(w.stopCause())
	finished = true
	close(w.gone)
}

// exited ends a hand-over whose call ended its goroutine.
func (w *worker) exited(ho *handOver) {
	if w.starting {
		w.startFailed(ho, &panicError{value: errGoexit})
		return
	}
	w.failed(ho, &panicError{value: errGoexit}, ho.attemptOf(ho.done()))
}

// serve works through a hand-over.
func (w *worker) serve(ho *handOver) {
	if err := w.e.steps.Hit(failpoint.Begin); err != nil {
		w.fail(ho, core.Result{Kind: core.Interrupted, Err: err})
		return
	}
	if w.current.made == nil && !w.start(ho) {
		return
	}
	if !ho.move(0, idle, 0, claiming) {
		return
	}
	for n := range ho.recs {
		if !w.pass(ho, n) {
			return
		}
		rec := &ho.recs[n]
		attempt := ho.attemptOf(n)
		err := w.deliver(ho, n, rec, attempt)
		if broken := w.e.steps.Hit(failpoint.End); broken != nil {
			err = broken
		}
		if err != nil {
			w.failed(ho, err, attempt)
			return
		}
		next := claiming
		if n == len(ho.recs)-1 {
			next = idle
		}
		if !ho.move(n, running, n+1, next) {
			w.late(ho, n)
			return
		}
	}
	ho.took = time.Since(ho.given)
	w.report(ho)
}

// pass moves a claimed record to running, unless the hand-over has to end here. Where the
// lease ran out it stays where it is, for the loss that follows: given back, it would be
// handed over again at once, and so on until the group hears of it by its own timers.
func (w *worker) pass(ho *handOver, n int) bool {
	stuck := w.e.steps.Hit(failpoint.Claim) != nil
	if stuck || w.a.fence.raised() || ho.canceled.Load() {
		if ho.move(n, claiming, n, idle) {
			w.fail(ho, core.Result{Kind: core.Interrupted, Err: errNotBegun})
		}
		return false
	}
	if !w.leased(ho, n) {
		if ho.move(n, claiming, n, idle) {
			w.e.root.Send(w.e.group, leaseOver{})
		}
		return false
	}
	if w.e.opts.Record != nil {
		w.recordStart(ho, n)
	}
	return ho.move(n, claiming, n, running)
}

// Reading the clock costs as much as all the rest of a claim, so lanes that are through
// with a record in microseconds look at the lease every leaseStride records. What
// a process that was frozen in between begins when it thaws is bounded by that.
const (
	leaseStride = 16
	fastLane    = 128 // records of a hand-over, which takes 5 ms at most: so each less than 40 microseconds
)

// leased looks at the session lease before record n.
func (w *worker) leased(ho *handOver, n int) bool {
	if n == 0 {
		return w.e.lease.check(w.e.now()) // on the wall clock too
	}
	if len(ho.recs) >= fastLane && n%leaseStride != 0 {
		return true
	}
	return w.e.lease.valid()
}

func (w *worker) recordStart(ho *handOver, n int) {
	ev := observe.Started{VP: w.vp, Epoch: w.a.epoch, Record: ho.recs[n].rec, Attempt: 1}
	if n == 0 {
		ev.Attempt = ho.attempt
		if ho.due != 0 {
			ev.Due = time.Unix(0, ho.due)
		}
	}
	w.e.opts.Record(ev)
}

// deliver is one call of the behavior.
func (w *worker) deliver(ho *handOver, n int, p *payload, attempt int) error {
	if p.err != nil {
		return p.err
	}
	rec := p.rec
	if attempt != 1 {
		again := *rec // an abandoned call may still be reading the record
		again.Attempt = attempt
		rec = &again
	}
	ctx := w.current.ctl.ctx
	if w.topic.Timeout > 0 {
		var cancel context.CancelCauseFunc
		ctx, cancel = w.timer.begin(ctx, ho, n, false)
		defer cancel(nil)
		defer w.timer.end()
	}
	if w.e.opts.Record == nil {
		return w.receive(ctx, rec)
	}
	begun := time.Now()
	err := w.receive(ctx, rec)
	w.e.opts.Record(observe.Delivered{
		VP: w.vp, Epoch: w.a.epoch, Offset: rec.Offset, Attempt: attempt, Took: time.Since(begun), Err: err,
	})
	return err
}

// receive turns a panic into an error. A Goexit passes through to run.
func (w *worker) receive(ctx context.Context, rec *actors.Record) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &panicError{v, debug.Stack()}
		}
	}()
	return w.current.made.Receive(ctx, rec)
}

// fail ends a hand-over with a result, unless it was closed.
func (w *worker) fail(ho *handOver, res core.Result) {
	ho.result, ho.failed = res, true
	ho.took = time.Since(ho.given)
	w.report(ho)
}

// report hands the hand-over back. The lane does not touch it any more.
func (w *worker) report(ho *handOver) {
	w.e.steps.Pass(failpoint.Report)
	if ho.end() {
		w.e.root.Send(w.a.pid(), ho)
		return
	}
	if n, p := unpack(ho.word.Load()); p == taken {
		w.late(ho, n)
	}
}

// late says that a call ended whose hand-over was taken away while it ran.
func (w *worker) late(ho *handOver, n int) {
	if w.e.opts.Record != nil && n < len(ho.recs) {
		w.e.opts.Record(observe.LateDropped{VP: w.vp, Epoch: w.a.epoch, Offset: ho.recs[n].rec.Offset})
	}
	w.e.freed(w)
}
