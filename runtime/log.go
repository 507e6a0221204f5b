package runtime

import (
	"time"

	"go.uber.org/zap"

	"github.com/troupe-go/troupe/runtime/observe"
)

// eventLog writes lifecycle events: coordinates and errors of ours, never a payload.
// Errors of behaviors are the user's words, so they are not logged but counted where
// records are; a restart and an escalation name theirs, since somebody has to act.
type eventLog struct{ logger *zap.Logger }

// OnEvent writes ev.
func (l *eventLog) OnEvent(_ time.Time, ev observe.Event) {
	switch ev := ev.(type) {
	case observe.Assigned:
		l.logger.Info("partition assigned", tp(ev.TP), epoch(ev.Epoch), zap.Int64("start", ev.Start),
			zap.Int64("committed", ev.Committed), zap.Int64("log_start", ev.LogStart), zap.Int64("log_end", ev.LogEnd))
	case observe.RevokeBegan:
		l.logger.Info("partition revoked: draining", tp(ev.TP), epoch(ev.Epoch))
	case observe.RevokeEnded:
		l.logger.Info("partition let go", tp(ev.TP), epoch(ev.Epoch), zap.Bool("drained", ev.Drained))
	case observe.Lost:
		l.logger.Warn("partition lost", tp(ev.TP), epoch(ev.Epoch), zap.Error(ev.Cause))
	case observe.Rejoined:
		l.logger.Warn("joining the group anew", zap.Error(ev.Cause))
	case observe.Gap:
		l.logger.Warn("records were deleted before their turn", tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("from", ev.From), zap.Int64("to", ev.To), zap.Bool("possible", ev.Possible))
	case observe.ShutdownBegan:
		l.logger.Info("shutting down: draining")
	case observe.ShutdownEnded:
		l.logger.Info("shut down", zap.Error(ev.Err))
	default:
		l.progress(ev)
	}
}

func (l *eventLog) progress(ev observe.Event) {
	switch ev := ev.(type) {
	case observe.CommitAnswered:
		if ev.Outcome != observe.OK {
			l.logger.Warn("commit not acknowledged; the line is sent again", tp(ev.TP), epoch(ev.Epoch),
				zap.Int64("next", ev.Next), zap.Stringer("outcome", ev.Outcome), zap.Error(ev.Err))
		}
	case observe.Paused:
		l.logger.Info("partition paused", tp(ev.TP), epoch(ev.Epoch), zap.String("reason", ev.Reason))
	case observe.Resumed:
		l.logger.Info("partition resumed", tp(ev.TP), epoch(ev.Epoch), zap.String("reason", ev.Reason))
	case observe.SkewCapped:
		l.logger.Warn("a timestamp lies too far ahead; MaxSkew caps it, and further ones silently", tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("offset", ev.Offset), zap.Time("timestamp", ev.Timestamp))
	case observe.Warned:
		l.logger.Warn(ev.What, zap.Error(ev.Err))
	case observe.ForwardFailed:
		l.logger.Error("dead letter not written; it is tried again, and the commit line held", tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("offset", ev.Offset), zap.String("dest", ev.Dest), zap.Error(ev.Err))
	case observe.Forwarded:
		l.logger.Warn("dead letter", tp(ev.TP), epoch(ev.Epoch), zap.Int64("offset", ev.Offset), zap.String("dest", ev.Dest))
	default:
		l.failure(ev)
	}
}

func (l *eventLog) failure(ev observe.Event) {
	switch ev := ev.(type) {
	case observe.Restarted:
		l.logger.Warn("virtual partition restarted", zap.Stringer("vp", ev.VP), epoch(ev.Epoch),
			zap.Bool("panicked", ev.Failure.Panicked), zap.Int("restarts", ev.Failure.Restarts), zap.ByteString("stack", ev.Failure.Stack))
	case observe.Halted:
		l.logger.Error("virtual partition stopped until an operator restarts it", zap.Stringer("vp", ev.VP), epoch(ev.Epoch))
	case observe.Escalated:
		l.logger.Error("failure escalated: the partition is rebuilt from its commit line", tp(ev.TP), epoch(ev.Epoch),
			zap.Bool("panicked", ev.Failure.Panicked), zap.ByteString("stack", ev.Failure.Stack))
	case observe.Quarantined:
		l.logger.Warn("virtual partition quarantined: its call goes on", zap.Stringer("vp", ev.VP), epoch(ev.Epoch),
			zap.Int64("offset", ev.Offset), zap.NamedError("cause", ev.Cause))
	case observe.Freed:
		l.logger.Info("virtual partition free again", zap.Stringer("vp", ev.VP))
	case observe.Forced:
		l.logger.Warn("virtual partition restarted beside a call that goes on", zap.Stringer("vp", ev.VP))
	default: // nothing per record, and nothing for what goes well
	}
}

func tp(tp observe.TopicPartition) zap.Field { return zap.Stringer("partition", tp) }

func epoch(e observe.Epoch) zap.Field { return zap.Uint64("epoch", uint64(e)) }
