package runtime

import (
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/troupe-go/troupe/runtime/observe"
)

// observer brings events to the log and the hooks. Hooks are the user's: each has a
// goroutine of its own, for which an event waits only so long, so that one that hangs
// stops neither a supervisor nor a callback of the group. It is named, and gets no
// events until it returns. Record events skip this: they are called in place.
type observer struct {
	log     *eventLog
	hooks   []*guarded
	records []observe.RecordHook
}

// hookPatience is how long an event waits for a hook.
const hookPatience = time.Second

// guarded is a hook and its goroutine, which ends with over. A call that was left behind
// by its lane may tell of its return long after that: then nobody hears it.
type guarded struct {
	hook    observe.Hook
	logger  *zap.Logger
	work    chan hookCall
	over    chan struct{} // closed at the end of Run
	hung    atomic.Bool
	dropped atomic.Int64
}

type hookCall struct {
	at   time.Time
	ev   observe.Event
	done chan struct{}
}

func newObserver(logger *zap.Logger, hooks []observe.Hook) *observer {
	o := &observer{log: &eventLog{logger}}
	for _, h := range hooks {
		o.hooks = append(o.hooks, &guarded{hook: h, logger: logger, work: make(chan hookCall), over: make(chan struct{})})
		if rh, ok := h.(observe.RecordHook); ok {
			o.records = append(o.records, rh)
		}
	}
	return o
}

func (o *observer) start() {
	for _, g := range o.hooks {
		go g.run()
	}
}

// stop ends the hooks' goroutines; that of a hook that hangs ends when it returns.
func (o *observer) stop() {
	for _, g := range o.hooks {
		close(g.over)
	}
}

func (o *observer) wantsRecords() bool { return len(o.records) > 0 }

// Emit brings an event to everyone.
func (o *observer) Emit(ev observe.Event) {
	at := time.Now()
	o.log.OnEvent(at, ev)
	for _, g := range o.hooks {
		g.call(hookCall{at, ev, make(chan struct{})})
	}
}

// Record brings the event of a single record to the hooks that want it.
func (o *observer) Record(ev observe.Event) {
	at := time.Now()
	for _, h := range o.records {
		o.record(h, at, ev)
	}
}

func (o *observer) record(h observe.RecordHook, at time.Time, ev observe.Event) {
	defer func() {
		if v := recover(); v != nil {
			o.log.logger.Error("a hook panicked", zap.String("hook", fmt.Sprintf("%T", h)), zap.String("event", fmt.Sprintf("%T", ev)))
		}
	}()
	h.OnRecord(at, ev)
}

func (g *guarded) call(c hookCall) {
	if g.hung.Load() {
		g.dropped.Add(1)
		return
	}
	timer := time.NewTimer(hookPatience)
	defer timer.Stop()
	select {
	case g.work <- c:
	case <-g.over:
		return
	case <-timer.C:
		g.hangs(c)
		return
	}
	select {
	case <-c.done:
	case <-timer.C:
		g.hangs(c)
	}
}

func (g *guarded) hangs(c hookCall) {
	g.dropped.Add(1)
	if g.hung.CompareAndSwap(false, true) {
		g.logger.Error("a hook does not return; it gets no events until it does",
			zap.String("hook", fmt.Sprintf("%T", g.hook)), zap.String("event", fmt.Sprintf("%T", c.ev)), zap.Duration("after", hookPatience))
	}
}

func (g *guarded) run() {
	for {
		select {
		case <-g.over:
			return
		case c := <-g.work:
			g.one(c)
		}
		if g.hung.Swap(false) {
			g.logger.Warn("the hook has returned", zap.String("hook", fmt.Sprintf("%T", g.hook)), zap.Int64("dropped", g.dropped.Swap(0)))
		}
	}
}

func (g *guarded) one(c hookCall) {
	defer close(c.done)
	defer func() {
		if v := recover(); v != nil {
			g.logger.Error("a hook panicked", zap.String("hook", fmt.Sprintf("%T", g.hook)), zap.String("event", fmt.Sprintf("%T", c.ev)))
		}
	}()
	g.hook.OnEvent(c.at, c.ev)
}
