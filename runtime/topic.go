package runtime

import (
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/deadletter"
	"github.com/troupe-go/troupe/supervision"
)

// Topic binds a behavior to a topic. Name and Behavior are required; of every other
// field the zero value stands for its default.
type Topic struct {
	// Name is the topic: letters, digits, '.', '_' and '-'. Required.
	Name string

	// Behavior makes the behavior of each virtual partition. Required.
	Behavior actors.Factory

	// VirtualPartitions says how a topic-partition splits into lanes.
	//
	// Defaults to one lane.
	VirtualPartitions VirtualPartitions

	// StartAt is where a partition without a committed offset begins.
	//
	// Defaults to [Earliest].
	StartAt StartAt

	// OnGap says what happens when records were deleted before their turn. A gap is always
	// an event and a log line.
	//
	// Defaults to [GapStop].
	OnGap OnGap

	// Delay is how long after its timestamp a record is handed over at the earliest. A
	// record without a timestamp counts from when it was first seen.
	//
	// Defaults to 0: at once, whatever the timestamp.
	Delay time.Duration

	// MaxSkew caps how far in the future a record's timestamp may lie. One further ahead
	// is taken as the time the record was first fetched plus MaxSkew. The first one of a
	// partition's assignment is logged. It matters with a Delay only.
	//
	// Defaults to 1 hour.
	MaxSkew time.Duration

	// Timeout bounds one call of the behavior; [actors.Heartbeat] starts it again. A call
	// that goes on past it counts as an attempt and quarantines its lane until it returns.
	// It bounds a behavior's Start too, which counts for no record.
	//
	// Defaults to 0: off.
	Timeout time.Duration

	// Retry says how a failed record is tried again.
	//
	// Defaults to the defaults of its fields.
	Retry Retry

	// DeadLetter says where records go that were discarded or are out of attempts.
	//
	// Defaults to nowhere: a record that keeps failing is retried without end.
	DeadLetter DeadLetter

	// DeadLettersOf names the consumer groups whose dead letters are handed over; those of
	// other groups count as complete at once. Records that are no dead letters, or do not
	// tell their group, are handed over whatever it says. ["*"] is every group.
	//
	// Defaults to Config.Group for a topic that is the dead letter topic of one in this
	// Config, since other groups may share it, and to every group for others.
	DeadLettersOf []string

	// Supervision decides about a lane whose behavior failed.
	//
	// Defaults to 10 restarts within 10 minutes, 100 milliseconds to 30 seconds apart, and
	// [supervision.Default] as Decide.
	Supervision supervision.Policy

	// Buffer bounds what a partition holds in memory.
	//
	// Defaults to the defaults of its fields.
	Buffer Buffer

	// MaxAhead bounds, in records, how far a partition reads past its commit line,
	// whether finished or not: while one lane holds the line, the others may run on this
	// far. Then the partition pauses. While the brokers refuse commits it bounds how far it
	// reads past the line that they acknowledged. At least Buffer.Records.
	//
	// Defaults to 100,000.
	MaxAhead int

	// OnAhead says what happens when more may be finished above the commit line than a
	// commit has room for: 20,000 records at least, however many of them are finished.
	//
	// Defaults to [AheadPause].
	OnAhead OnAhead

	// MaxForwards bounds the dead letters of a partition that are on their way at a time,
	// in records. A lane has at most one.
	//
	// Defaults to 1,000.
	MaxForwards int
}

// VirtualPartitions says how a topic-partition splits into lanes.
type VirtualPartitions struct {
	// Max is how many ordered lanes a topic-partition splits into, 1 to 10,000. A lane
	// starts with its first record. To change it is a new start: keys hash to other lanes.
	//
	// Defaults to 1.
	Max int

	// KeyBy is the value that records are kept in order by. It must be a pure function of
	// the record and quick; a panic in it is the record's failure.
	//
	// Defaults to [actors.ByKey].
	KeyBy func(*actors.Record) []byte
}

// StartAt is a position in a partition: [Earliest] or [Latest]. The empty value is
// Earliest.
type StartAt string

const (
	// Earliest is the first record that the partition holds.
	Earliest StartAt = "earliest"
	// Latest is the end of the partition when it is first assigned.
	Latest StartAt = "latest"
)

// OnGap is the policy for records that were deleted before their turn.
type OnGap int

const (
	// GapStop halts the partition, visibly, until an operator restarts it.
	GapStop OnGap = iota
	// GapContinue goes on at the first record there is.
	GapContinue
)

// String is "stop" or "continue".
func (g OnGap) String() string {
	switch g {
	case GapStop:
		return "stop"
	case GapContinue:
		return "continue"
	}
	return fmt.Sprintf("OnGap(%d)", int(g))
}

// OnAhead is the policy for a partition whose lanes are far ahead of its commit line. What
// they finished there travels with commits, as far as there is room, and is not run again
// by the next owner of the partition.
type OnAhead int

const (
	// AheadPause begins nothing that there might not be room for, and pauses the partition
	// with the reason "ahead" until the line moves. So nothing is run again.
	AheadPause OnAhead = iota
	// AheadRepeat goes on, up to MaxAhead. If the partition moves then, the next owner runs
	// again what there was no room for, from the highest offsets down.
	AheadRepeat
)

// String is "pause" or "repeat".
func (a OnAhead) String() string {
	switch a {
	case AheadPause:
		return "pause"
	case AheadRepeat:
		return "repeat"
	}
	return fmt.Sprintf("OnAhead(%d)", int(a))
}

// Retry says how a failed record is tried again. While it waits it holds the later
// records of its lane, and no others.
type Retry struct {
	// MaxAttempts is how often a record is delivered before it is dead-lettered. Set
	// without a dead letter topic, the last failure escalates. [supervision.Unlimited] is
	// no limit.
	//
	// Defaults to 10 with a dead letter topic, and to no limit without.
	MaxAttempts int

	// Backoff spaces the attempts.
	//
	// Defaults to 1 second doubling to 1 minute.
	Backoff supervision.Backoff
}

// DeadLetter says where records go that were discarded or are out of attempts. They
// count as complete once the broker has acknowledged the copy.
type DeadLetter struct {
	// Topic is the dead letter topic, which must exist unless Create says otherwise; "auto" is dlq.{group}.{topic}, so
	// dlq.billing.orders for orders in the group billing.
	//
	// One that is an input too needs a delay there, or a behavior that is not the one whose
	// records it takes. Behaviors are compared as function values: a factory that is used
	// twice is recognized, one that is made twice, by two calls of [actors.Func] say, is not.
	//
	// Defaults to empty: none. A record that keeps failing is then retried without end, with
	// warnings.
	Topic string

	// Create creates the topic when it is missing at the start, with the partitions of the
	// input topic and the brokers' default replication and settings. It needs the right to.
	// One that goes missing later is not created: writes fail, visibly, until it is there.
	//
	// Defaults to false: a missing topic ends Run with ErrTopicUnknown.
	Create bool

	// Form is what a dead letter looks like. Package deadletter reads all forms, and
	// docs/dead-letters.md says what is in each.
	//
	// Defaults to [HeaderForm].
	Form DeadLetterForm
}

// DeadLetterForm is what a dead letter looks like.
type DeadLetterForm string

const (
	// HeaderForm keeps key, value and headers of the record as they are, and adds headers
	// behind those: Kafka's own (KIP-1191) and Troupe's.
	HeaderForm DeadLetterForm = "headers"
	// SpringForm is HeaderForm with the headers of Spring for Apache Kafka besides.
	SpringForm DeadLetterForm = "spring"
	// ConnectForm is HeaderForm with the headers of Kafka Connect besides.
	ConnectForm DeadLetterForm = "connect"
	// ProtobufForm keeps the key, and puts all else into the value: the message
	// troupe.deadletter.v1.DeadLetter.
	ProtobufForm DeadLetterForm = "protobuf"
)

// onTheWire is the form as package deadletter has it; false: there is none of that name.
func (f DeadLetterForm) onTheWire() (deadletter.Form, bool) {
	switch f {
	case HeaderForm:
		return deadletter.Headers, true
	case SpringForm:
		return deadletter.Spring, true
	case ConnectForm:
		return deadletter.Connect, true
	case ProtobufForm:
		return deadletter.Protobuf, true
	}
	return 0, false
}

// Buffer bounds what one partition holds in memory of records that are not finished.
// When either limit is reached the partition pauses, and it resumes before it runs dry.
type Buffer struct {
	// Records bounds their number.
	//
	// Defaults to 10,000.
	Records int

	// Bytes bounds the sum of their keys, values and headers. One batch of the log enters
	// as a whole, so it must be at least Config.MaxDecompressedBatch. A record keeps the
	// batch it came in alive: memory in use can exceed this by up to a batch per record.
	//
	// Defaults to 64 MiB.
	Bytes int64
}
