package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/asynkron/protoactor-go/eventstream"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// newSystem makes an actor system that logs through ours, warnings and errors alone,
// and never a message: those hold records. A message to an actor that has ended is
// normal here (the result of an old epoch), so nobody listens to the system's own
// events: its log of them would start a goroutine that outlives the engine.
func newSystem(logger *zap.Logger) *actor.ActorSystem {
	system := actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger {
		return slog.New(quiet{zapslog.NewHandler(logger.Core())})
	}))
	system.EventStream = eventstream.NewEventStream()
	return system
}

// quiet passes warnings and errors on without their attributes.
type quiet struct{ slog.Handler }

// Enabled drops what is below a warning.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

// Handle drops the attributes: a message or a panic's value may be among them.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	return q.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, r.Message, r.PC))
}

// props makes an actor on our dispatcher whose children are under strategy s.
func (e *Engine) props(s actor.SupervisorStrategy, producer func() actor.Actor) *actor.Props {
	return actor.PropsFromProducer(producer, actor.WithDispatcher(e.pool), actor.WithSupervisor(s))
}

// The strategies are what supervises our actors themselves, as opposed to the
// behaviors that run under them. A failing actor is a bug of ours: it is stopped,
// never restarted in place, since a restart would lose the message in hand and keep a
// machine that broke its invariants.
type (
	// overRoot ends the runtime when the group supervisor fails.
	overRoot struct{ e *Engine }

	// overGroup rebuilds a partition from what the broker holds.
	overGroup struct{ e *Engine }

	// overPartition hands the failure of a virtual partition's actor up.
	overPartition struct{}
)

// crashed, deferred in an actor's Receive, gives a panic its stack, which is gone by the
// time the supervisor hears of it. No code of users runs there, so the panic's text and
// stack are ours, and may be logged.
func crashed() {
	if v := recover(); v != nil {
		panic(&panicError{v, debug.Stack()})
	}
}

// crash is the failure behind the reason that Proto.Actor gives to a supervisor.
func crash(reason any) *panicError {
	if p, ok := reason.(*panicError); ok {
		return p
	}
	return &panicError{value: reason}
}

// childFailed tells the group of a partition's actor that panicked.
type childFailed struct {
	child  *actor.PID
	reason *panicError
}

// HandleFailure runs on the guardian.
func (s overRoot) HandleFailure(
	_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any,
) {
	s.e.fall()
	supervisor.StopChildren(child)
	err := crash(reason)
	s.e.opts.Logger.Error("the group supervisor failed", zap.ByteString("stack", err.stack))
	s.e.opts.Fail(fmt.Errorf("group supervisor: %w", err))
}

// HandleFailure runs on the group supervisor.
func (s overGroup) HandleFailure(
	_ *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, message any,
) {
	supervisor.StopChildren(child)
	err := crash(reason)
	s.e.root.Send(s.e.group, childFailed{child, err})
	s.e.opts.Logger.Error("a partition supervisor failed", zap.String("actor", child.Id),
		zap.String("message", fmt.Sprintf("%T", message)), zap.Error(err), zap.ByteString("stack", err.stack))
}

// HandleFailure runs on the partition supervisor.
func (overPartition) HandleFailure(
	_ *actor.ActorSystem, supervisor actor.Supervisor, _ *actor.PID, _ *actor.RestartStatistics, reason, message any,
) {
	supervisor.EscalateFailure(reason, message)
}
