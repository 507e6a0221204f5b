package history

import (
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// Hook brings the events of one Runtime into a history. It is an observe.RecordHook.
type Hook struct {
	history     *History
	incarnation string
	alive       func() bool // nil: always
}

// NewHook makes a hook for an incarnation.
func NewHook(h *History, incarnation string) *Hook {
	return &Hook{history: h, incarnation: incarnation}
}

// While makes the hook append nothing once alive is false: a process that was killed says
// nothing any more, though a part of it may run on where it shares its process with others.
// It is called before the runtime begins.
func (h *Hook) While(alive func() bool) *Hook {
	h.alive = alive
	return h
}

// OnEvent appends ev.
func (h *Hook) OnEvent(at time.Time, ev observe.Event) { h.append(at, ev) }

// OnRecord appends ev.
func (h *Hook) OnRecord(at time.Time, ev observe.Event) { h.append(at, ev) }

func (h *Hook) append(at time.Time, ev observe.Event) {
	if h.alive != nil && !h.alive() {
		return
	}
	out := ofMembership(ev)
	out.Wall, out.Incarnation = nanos(at), h.incarnation
	h.history.Append(out)
}

func ofMembership(ev observe.Event) Event {
	switch ev := ev.(type) {
	case observe.Assigned:
		return ofPartition(Assigned, ev.TP, ev.Epoch, Event{Offset: ev.Start, To: ev.LogEnd})
	case observe.RevokeBegan:
		return ofPartition(RevokeBegan, ev.TP, ev.Epoch, Event{})
	case observe.RevokeEnded:
		return ofPartition(RevokeEnded, ev.TP, ev.Epoch, Event{Result: drained(ev.Drained)})
	case observe.Stopped:
		return ofPartition(Stopped, ev.TP, ev.Epoch, Event{Result: drained(ev.Drained)})
	case observe.Lost:
		return ofPartition(Lost, ev.TP, ev.Epoch, Event{Text: text(ev.Cause)})
	case observe.Rejoined:
		return Event{Kind: Rejoined, Text: text(ev.Cause)}
	case observe.Gap:
		return ofPartition(Gap, ev.TP, ev.Epoch, Event{Offset: ev.From, To: ev.To, Text: text(ev.Err)})
	case observe.ShutdownBegan:
		return Event{Kind: ShutdownBegan}
	case observe.ShutdownEnded:
		return Event{Kind: ShutdownEnded, Text: text(ev.Err)}
	default:
		return ofProgress(ev)
	}
}

func ofProgress(ev observe.Event) Event {
	switch ev := ev.(type) {
	case observe.CommitSent:
		return ofPartition(CommitSent, ev.TP, ev.Epoch, Event{Offset: ev.Next})
	case observe.CommitAnswered:
		out := Event{Offset: ev.Next, Result: ev.Outcome.String(), Text: text(ev.Err)}
		if ev.Resent {
			out.Text = Resent
		}
		return ofPartition(CommitAnswered, ev.TP, ev.Epoch, out)
	case observe.Paused:
		return ofPartition(Paused, ev.TP, ev.Epoch, Event{Text: ev.Reason})
	case observe.Resumed:
		return ofPartition(Resumed, ev.TP, ev.Epoch, Event{Text: ev.Reason})
	case observe.MetadataIgnored:
		return ofPartition(MetadataIgnored, ev.TP, ev.Epoch, Event{Offset: ev.Committed, Text: text(ev.Err)})
	case observe.MetadataCut:
		return ofPartition(MetadataCut, ev.TP, ev.Epoch, Event{Offset: ev.Next, To: ev.From, Count: ev.Attempts})
	case observe.SkewCapped:
		return ofPartition(SkewCapped, ev.TP, ev.Epoch, Event{Offset: ev.Offset})
	case observe.ForwardFailed:
		return ofPartition(ForwardFailed, ev.TP, ev.Epoch, Event{Offset: ev.Offset, Dest: ev.Dest, Text: text(ev.Err)})
	case observe.Forwarded:
		return ofPartition(Forwarded, ev.TP, ev.Epoch, Event{Offset: ev.Offset, Dest: ev.Dest, Count: ev.Trimmed, Text: text(ev.Err)})
	case observe.Warned:
		return Event{Kind: Warned, Text: ev.What + ": " + text(ev.Err)}
	default:
		return ofFailure(ev)
	}
}

func ofFailure(ev observe.Event) Event {
	switch ev := ev.(type) {
	case observe.Restarted:
		return ofLane(Restarted, ev.VP, ev.Epoch, failed(ev.Failure))
	case observe.Halted:
		return ofLane(Halted, ev.VP, ev.Epoch, failed(ev.Failure))
	case observe.Escalated:
		out := failed(ev.Failure)
		if ev.Supervisor {
			out.Result = ResultSupervisor
		}
		return ofPartition(Escalated, ev.TP, ev.Epoch, out)
	case observe.Quarantined:
		return ofLane(Quarantined, ev.VP, ev.Epoch, Event{Offset: ev.Offset, Text: text(ev.Cause)})
	case observe.Freed:
		return ofLane(Freed, ev.VP, 0, Event{})
	case observe.Forced:
		return ofLane(Forced, ev.VP, 0, Event{})
	default:
		return ofRecord(ev)
	}
}

func ofRecord(ev observe.Event) Event {
	switch ev := ev.(type) {
	case observe.Fetched:
		return ofPartition(Fetched, ev.TP, ev.Epoch, Event{Offset: ev.First, To: ev.Last + 1, Count: ev.Count})
	case observe.Started:
		return ofLane(Started, ev.VP, ev.Epoch, Event{Offset: ev.Record.Offset, Attempt: ev.Attempt, Due: nanos(ev.Due)})
	case observe.Delivered:
		return ofLane(Delivered, ev.VP, ev.Epoch, Event{Offset: ev.Offset, Attempt: ev.Attempt, Result: resultOf(ev.Err), Text: text(ev.Err)})
	case observe.RetryScheduled:
		return ofLane(RetryScheduled, ev.VP, ev.Epoch, Event{Offset: ev.Offset, Attempt: ev.Attempt, Due: nanos(ev.At)})
	case observe.Foreign:
		return ofPartition(Foreign, ev.TP, ev.Epoch, Event{Offset: ev.Offset, Text: ev.Group})
	case observe.LateDropped:
		return ofLane(LateDropped, ev.VP, ev.Epoch, Event{Offset: ev.Offset})
	default:
		return Event{Kind: "unknown-event"}
	}
}

func ofPartition(kind Kind, tp observe.TopicPartition, epoch observe.Epoch, ev Event) Event {
	ev.Kind, ev.Epoch = kind, uint64(epoch)
	return ev.at(tp)
}

func ofLane(kind Kind, vp actors.VirtualPartition, epoch observe.Epoch, ev Event) Event {
	ev.Lane = vp.Index
	return ofPartition(kind, observe.TopicPartition{Topic: vp.Topic, Partition: vp.Partition}, epoch, ev)
}

func failed(f supervision.Failure) Event {
	ev := Event{Attempt: f.Attempt, Text: text(f.Err), Result: ResultError}
	if f.Panicked {
		ev.Result = ResultPanic
	}
	return ev
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func drained(yes bool) string {
	if yes {
		return ResultDrained
	}
	return ResultCut
}
