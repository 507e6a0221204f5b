// Package history keeps what happened in a run, so that package check can judge it
// afterwards, also a second time from a file.
//
// Events come from four sides. A [Hook] passes on what a runtime says of itself. A
// [Journal] is written by the test's own behaviors. A [Producer] says what was sent and
// acknowledged, and an [Observer] what a separate client reads from the broker. A verdict
// rests on the last three; a runtime's word says when and under which assignment.
package history

import (
	"time"

	"github.com/troupe-go/troupe/runtime/observe"
)

// Event is one thing that happened. Its Kind says which of the fields have a meaning.
type Event struct {
	// Seq orders the events of a history, from 1.
	Seq uint64 `json:"seq"`
	// Wall is when it happened, in nanoseconds since the Unix epoch.
	Wall int64 `json:"wall"`
	Kind Kind  `json:"kind"`

	// Incarnation names one Runtime, or one process that holds one. It is empty for what
	// the producer and the observers say.
	Incarnation string `json:"inc,omitempty"`

	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition,omitempty"`
	Lane      int32  `json:"lane,omitempty"` // the index of the virtual partition
	Epoch     uint64 `json:"epoch,omitempty"`

	// Offset is a record's, the commit line, or the first of a range [Offset, To).
	Offset int64 `json:"offset,omitempty"`
	To     int64 `json:"to,omitempty"`

	Key     []byte `json:"key,omitzero"` // what order is kept by; nil: none
	ID      string `json:"id,omitempty"` // the producer's name of a record
	Attempt int    `json:"attempt,omitempty"`
	Due     int64  `json:"due,omitempty"` // as Wall; 0: at once, or not known

	// Ref is the Seq of the event that this one answers: of the Enter for a Leave, of the
	// Sent for an Acked, Failed or Unknown.
	Ref uint64 `json:"ref,omitempty"`

	Result string `json:"result,omitempty"`
	Member string `json:"member,omitempty"` // a group member's id
	Owner  string `json:"owner,omitempty"`  // the member that the group says owns the partition
	Dest   string `json:"dest,omitempty"`   // a dead letter topic
	Text   string `json:"text,omitempty"`   // for people
}

// Kind is what happened.
type Kind string

// The journal of the behaviors.
const (
	Enter Kind = "enter" // a call began: partition, Lane, Offset, Key, Attempt, Due
	Leave Kind = "leave" // it ended: Ref, Result, and the fields of its Enter
)

// The producer.
const (
	Sent    Kind = "sent"    // Topic, ID, Key
	Acked   Kind = "acked"   // Ref, ID, partition, Offset: it must be seen
	Failed  Kind = "failed"  // Ref, ID: it must not matter
	Unknown Kind = "unknown" // Ref, ID: it may exist
)

// The observers of the broker and of the group, and the harness.
const (
	CommittedObserved  Kind = "committed-observed"   // Offset is committed; -1: nothing
	CommitOnWire       Kind = "commit-on-wire"       // Offset, Member, Owner, Result: a commit and the broker's answer
	DeadLetterObserved Kind = "dead-letter-observed" // Dest holds a copy of partition and Offset; Due: when it was written
	LogObserved        Kind = "log-observed"         // the log is [Offset, To)
	RecordObserved     Kind = "record-observed"      // the final read found Offset
	GroupStart         Kind = "group-start"          // the group begins at Offset, as the test set it up
	Removed            Kind = "removed"              // the test removed [Offset, To)
	Reset              Kind = "reset"                // an admin is about to set the committed offset
	MemberIs           Kind = "member-is"            // Incarnation is Member from here on
	Disturbance        Kind = "disturbance"          // Text; the order of an incarnation's partition begins anew
)

// What a runtime says of itself, named as in package observe.
const (
	Assigned       Kind = "assigned" // Offset: the first that is fetched; To: the log's end
	RevokeBegan    Kind = "revoke-began"
	RevokeEnded    Kind = "revoke-ended"
	Lost           Kind = "lost"
	Rejoined       Kind = "rejoined"
	Gap            Kind = "gap" // [Offset, To)
	ShutdownBegan  Kind = "shutdown-began"
	ShutdownEnded  Kind = "shutdown-ended"
	CommitSent     Kind = "commit-sent"     // Offset
	CommitAnswered Kind = "commit-answered" // Offset, Result
	Paused         Kind = "paused"          // Text: the reason
	Resumed        Kind = "resumed"         // Text: the reason
	SkewCapped     Kind = "skew-capped"
	Restarted      Kind = "restarted"
	Halted         Kind = "halted"
	Escalated      Kind = "escalated"
	Quarantined    Kind = "quarantined"
	Freed          Kind = "freed"
	Forced         Kind = "forced"
	Warned         Kind = "warned"
	ForwardFailed  Kind = "forward-failed"
	Forwarded      Kind = "forwarded"
	Fetched        Kind = "fetched" // [Offset, To)
	Started        Kind = "started"
	Delivered      Kind = "delivered"
	RetryScheduled Kind = "retry-scheduled"
	LateDropped    Kind = "late-dropped"
)

// Results of a Leave. Of a commit's answer they are those of observe.Outcome.
const (
	ResultOK      = "ok"
	ResultError   = "error"
	ResultRetry   = "retry"
	ResultSnooze  = "snooze"
	ResultDiscard = "discard"
	ResultPanic   = "panic" // or Goexit
	ResultRefused = "refused"
	ResultUnknown = "unknown"
)

// TP is the partition that the event is about.
func (e *Event) TP() observe.TopicPartition {
	return observe.TopicPartition{Topic: e.Topic, Partition: e.Partition}
}

func (e Event) at(tp observe.TopicPartition) Event {
	e.Topic, e.Partition = tp.Topic, tp.Partition
	return e
}

// nanos is t as Event.Wall and Event.Due have it; 0 for no time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
