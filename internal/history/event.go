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
	// Sent for an Acked, Failed or Unknown, of the Expelling for an Expelled.
	Ref uint64 `json:"ref,omitempty"`

	Result string `json:"result,omitempty"`
	Member string `json:"member,omitempty"` // a group member's id
	Owner  string `json:"owner,omitempty"`  // the member that the group says owns the partition
	Dest   string `json:"dest,omitempty"`   // a dead letter topic
	DestAt int32  `json:"destAt,omitempty"` // the partition of it
	Hops   int    `json:"hops,omitempty"`   // how often a record says that it was dead-lettered
	Text   string `json:"text,omitempty"`   // for people

	Count  int     `json:"count,omitempty"`  // of records in a batch; of steps by which a dead letter was made smaller
	Sum    uint64  `json:"sum,omitempty"`    // of what a record holds, see SumOf; 0: not known
	Sample *Sample `json:"sample,omitempty"` // of a Sampled
}

// Sample is a snapshot of a partition by its runtime's Stats, and the limits it was given.
type Sample struct {
	Next   int64 `json:"next"`
	LogEnd int64 `json:"log_end"`

	Buffered int   `json:"buffered"` // records
	Bytes    int64 `json:"bytes"`
	Ahead    int   `json:"ahead"` // records

	Reasons []string `json:"reasons,omitempty"` // why it is paused

	// The limits of the topic. 0: not known, not judged.
	MaxBuffered int   `json:"max_buffered,omitempty"`
	MaxBytes    int64 `json:"max_bytes,omitempty"`
	MaxAhead    int   `json:"max_ahead,omitempty"`

	// BatchBytes bounds what one fetch brings.
	BatchBytes int64 `json:"batch_bytes,omitempty"`
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
	DeadLetterObserved Kind = "dead-letter-observed" // Dest holds a copy of partition and Offset; DestAt, in their order there; Due: when it was written; Key, Hops, Sum
	LogObserved        Kind = "log-observed"         // the log is [Offset, To)
	RecordObserved     Kind = "record-observed"      // the final read found Offset; Key, Hops, Sum
	TopicRead          Kind = "topic-read"           // Topic was read to its ends: what was found is all there is
	GroupStart         Kind = "group-start"          // the group begins at Offset, as the test set it up
	Removed            Kind = "removed"              // the test removed [Offset, To)
	Reset              Kind = "reset"                // an admin is about to set the committed offset
	MemberIs           Kind = "member-is"            // Incarnation is Member from here on; Text: its instance id
	Disturbance        Kind = "disturbance"          // Text; the order of an incarnation's partition begins anew
	Fault              Kind = "fault"                // Text, Result; of Incarnation, or of all
	Killed             Kind = "killed"               // Incarnation is no more; nothing that it says counts from here on
	Expelling          Kind = "expelling"            // an admin asks to take Incarnation out of its group; it learns that later
	Expelled           Kind = "expelled"             // Ref, Result: the group has done so, or refused
	Settled            Kind = "settled"              // no fault is active, and what could be drained was
	Sampled            Kind = "sampled"              // Sample
	Canary             Kind = "canary"               // Text must not be in any Logged
	Logged             Kind = "logged"               // Text: what a log or an endpoint of Incarnation said
)

// What a runtime says of itself, named as in package observe.
const (
	Assigned       Kind = "assigned" // Offset: the first that is fetched; To: the log's end
	RevokeBegan    Kind = "revoke-began"
	RevokeEnded    Kind = "revoke-ended" // Result
	Stopped        Kind = "stopped"      // Result
	Lost           Kind = "lost"
	Rejoined       Kind = "rejoined"
	Gap            Kind = "gap" // [Offset, To); Text: what is wrong but for deleted records
	ShutdownBegan  Kind = "shutdown-began"
	ShutdownEnded  Kind = "shutdown-ended"
	CommitSent     Kind = "commit-sent"     // Offset
	CommitAnswered Kind = "commit-answered" // Offset, Result, Text
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
	Fetched        Kind = "fetched" // [Offset, To), Count
	Started        Kind = "started"
	Delivered      Kind = "delivered"
	RetryScheduled Kind = "retry-scheduled"
	LateDropped    Kind = "late-dropped"
	Foreign        Kind = "foreign" // Text: the group whose dead letter was passed over

	MetadataIgnored Kind = "metadata-ignored" // Offset is committed; Text
	MetadataCut     Kind = "metadata-cut"     // Offset is the commit line; To: finished records from here on are left out, -1: none; Count: of records whose attempts are
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

	ResultSupervisor = "supervisor" // of an Escalated: the partition's supervisor itself failed
)

// Resent is the Text of a CommitAnswered that was sent more than once.
const Resent = "resent"

// Freeze is the Text of a Fault in which a process stands still, as one that gets SIGSTOP.
const Freeze = "freeze"

// Results of a RevokeEnded, of a Stopped and of a Fault.
const (
	ResultDrained = "drained" // every delivery had ended, and the line was committed
	ResultCut     = "cut"     // not that
	ResultBegin   = "begin"
	ResultEnd     = "end"
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
