package runtime

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/cause"
	"github.com/troupe-go/troupe/internal/engine"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// eventLog writes what happens: coordinates, errors of ours and Kafka's, never a payload.
// Of errors that come from behaviors it writes the class alone: their text is the user's,
// and may hold anything.
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
	case observe.Stopped:
		l.logger.Info("partition stopped", tp(ev.TP), epoch(ev.Epoch), zap.Bool("drained", ev.Drained))
	case observe.Lost:
		l.logger.Warn("partition lost", tp(ev.TP), epoch(ev.Epoch), zap.Error(ev.Cause))
	case observe.Rejoined:
		l.logger.Warn("joining the group anew", zap.Error(ev.Cause))
	case observe.Gap:
		l.logger.Warn(gapText(ev.Err), tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("from", ev.From), zap.Int64("to", ev.To), zap.Bool("possible", ev.Possible), zap.Error(ev.Err))
	case observe.ShutdownBegan:
		l.logger.Info("shutting down: draining")
	case observe.ShutdownEnded:
		l.logger.Info("shut down", ended(ev.Err)...)
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
	case observe.MetadataIgnored:
		l.logger.Warn("metadata of the committed offset ignored: what it may say is finished is delivered", tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("committed", ev.Committed), zap.Error(ev.Err))
	case observe.MetadataCut:
		l.logger.Warn("no room in a commit for all that is finished above its line: the next owner would run some of it again", tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("next", ev.Next), zap.Int64("from", ev.From), zap.Int("attempts", ev.Attempts), zap.Bool("refused", ev.Refused))
	case observe.Paused:
		l.logger.Info("partition paused", tp(ev.TP), epoch(ev.Epoch), zap.String("reason", ev.Reason))
	case observe.Resumed:
		l.logger.Info("partition resumed", tp(ev.TP), epoch(ev.Epoch), zap.String("reason", ev.Reason))
	case observe.SkewCapped:
		l.logger.Warn("a timestamp lies too far ahead; MaxSkew caps it, and further ones silently", tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("offset", ev.Offset), zap.Time("timestamp", ev.Timestamp))
	case observe.Warned:
		l.warned(ev)
	case observe.ForwardFailed:
		l.logger.Error("dead letter not written; it is tried again, and the commit line held", tp(ev.TP), epoch(ev.Epoch),
			zap.Int64("offset", ev.Offset), zap.String("dest", ev.Dest), zap.Error(ev.Err))
	case observe.Forwarded:
		l.forwarded(ev)
	default:
		l.failure(ev)
	}
}

func (l *eventLog) failure(ev observe.Event) {
	switch ev := ev.(type) {
	case observe.Restarted:
		l.logger.Warn("virtual partition restarted", append(reason(ev.Failure), zap.Stringer("vp", ev.VP), epoch(ev.Epoch))...)
	case observe.Halted:
		l.logger.Error("virtual partition stopped until an operator restarts it", append(reason(ev.Failure), zap.Stringer("vp", ev.VP), epoch(ev.Epoch))...)
	case observe.Escalated:
		l.escalated(ev)
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

func (l *eventLog) forwarded(ev observe.Forwarded) {
	fields := []zap.Field{tp(ev.TP), epoch(ev.Epoch), zap.Int64("offset", ev.Offset), zap.String("dest", ev.Dest)}
	if ev.Trimmed > 0 {
		fields = append(fields, zap.Int("trimmed", ev.Trimmed))
	}
	l.logger.Warn("dead letter", fields...)
}

func (l *eventLog) warned(ev observe.Warned) {
	if ev.Foreign {
		l.logger.Warn(ev.What, zap.String("class", class(ev.Err)))
		return
	}
	l.logger.Warn(ev.What, zap.Error(ev.Err))
}

func (l *eventLog) escalated(ev observe.Escalated) {
	if ev.Failure.Err == actors.ErrRestart { //nolint:errorlint // the operator's is not wrapped
		l.logger.Info("partition restarted by an operator", tp(ev.TP), epoch(ev.Epoch))
		return
	}
	l.logger.Error("failure escalated: the partition begins again at its commit line", append(reason(ev.Failure), tp(ev.TP), epoch(ev.Epoch))...)
}

func gapText(err error) string {
	switch {
	case errors.Is(err, ErrBatchTooLarge):
		return "a batch is larger than MaxDecompressedBatch: the partition stops before it"
	case err != nil:
		return "the log ends below the position: the partition stops"
	}
	return "records were deleted before their turn"
}

// ended is why Run returns.
func ended(err error) []zap.Field {
	if over, ok := errors.AsType[*engine.BudgetError](err); ok {
		return []zap.Field{zap.String("error", over.Reason()), zap.String("class", class(over.Err))}
	}
	return []zap.Field{zap.Error(err)}
}

// reason is what may be said of a failure.
func reason(f supervision.Failure) []zap.Field {
	fields := []zap.Field{
		zap.String("class", class(f.Err)), zap.Bool("panicked", f.Panicked), zap.Bool("starting", f.Starting),
		zap.Int("attempt", f.Attempt), zap.Int("restarts", f.Restarts),
	}
	if len(f.Stack) > 0 {
		fields = append(fields, zap.ByteString("stack", f.Stack))
	}
	return fields
}

// class names the kind of an error without its text: the type of the innermost one, and
// of our own causes what they say.
func class(err error) string {
	err = cause.Innermost(err)
	if slices.Contains([]error{actors.ErrRestart, actors.ErrTimeout, actors.ErrRevoked, actors.ErrLost, actors.ErrShutdown}, err) {
		return err.Error()
	}
	return fmt.Sprintf("%T", err)
}

func tp(tp observe.TopicPartition) zap.Field { return zap.Stringer("partition", tp) }

func epoch(e observe.Epoch) zap.Field { return zap.Uint64("epoch", uint64(e)) }
