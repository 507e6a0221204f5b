// Package kafka is the only package that talks to brokers. A [Client] joins a
// group, polls, pauses, commits and produces; it knows nothing of actors or lanes
// and tells a [Handler] what happened.
package kafka

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Options are all set: defaults are the business of package runtime.
type Options struct {
	Brokers    []string
	Group      string
	Topics     []Topic
	InstanceID string // empty: a dynamic member
	Protocol   Protocol

	// SessionTimeout is the group's own setting under the protocol Consumer; this one
	// counts where the brokers do not tell it.
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	CommitTimeout    time.Duration
	DrainTimeout     time.Duration // held against the group's session timeout
	LeaveOnShutdown  bool          // a static member leaves too

	MaxDecompressedBatch int32 // bytes
	ReadUncommitted      bool

	TLS  *tls.Config
	SASL *SASL

	// Extra is what the user adds. It comes first and ours last; see CheckOpts.
	Extra []kgo.Opt

	Logger *zap.Logger
	Emit   func(observe.Event)

	// Lease is told until when the group session is known to live: sent is when the
	// request left that the broker answered, ttl what it is good for from then on.
	Lease func(sent time.Time, ttl time.Duration)

	// Owner is whose client this is: package failpoint tells it apart from others by that.
	Owner any
}

// Topic is an input topic.
type Topic struct {
	Name    string
	StartAt StartAt
	GapGoOn bool // on a gap: go on at the log start instead of stopping

	DeadLetter string // empty: none; described at start

	// CreateDeadLetter creates the dead letter topic where it is missing, with as many
	// partitions as this topic has.
	CreateDeadLetter bool
}

// StartAt is where a partition without a committed offset begins.
type StartAt int

// The positions.
const (
	Earliest StartAt = iota
	Latest
)

// SASL is how the client authenticates. Password is called for each session.
type SASL struct {
	Mechanism string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	Username  string
	Password  func() (string, error)
}

// Assignment is a partition that begins.
type Assignment struct {
	TP        observe.TopicPartition
	Epoch     observe.Epoch
	Committed int64    // -1: the group had committed nothing
	Metadata  string   // what came with Committed, by whoever committed it; empty where the log ends below
	TopicID   [16]byte // zero: the brokers know none
	Start     int64    // what is fetched first; where nothing was committed it is by now
	LogStart  int64
	LogEnd    int64 // under read_committed the last stable offset
	Gap       *Gap  // nil: none
	InDoubt   bool  // the broker may yet store a commit of another start, sent for this assignment
}

// Gap is a run of offsets [From, To) that cannot be delivered. With Stopped the
// partition is not fetched until Seek.
//
// Records that were deleted before their turn are a Gap with To at the log start; Err
// is nil, and Topic.GapGoOn decides whether it stops. The other kinds always stop:
//
//   - ErrTruncated, Possible: the log ends at To, below the position From (To < From).
//     Records may have been lost, and others written at their offsets. Seek(To) goes on
//     there, Seek to the log start begins again.
//   - ErrBatchTooLarge, Possible: the batch [From, To) decompresses beyond
//     Options.MaxDecompressedBatch. Seek(To) skips it.
type Gap struct {
	From, To int64
	Possible bool // it is not known whether records are missing
	Stopped  bool
	Err      error // nil: the records were deleted
}

// Leader is the leader epoch of the records from an offset on. It is an alias, so that a
// batch of ours is one of the engine's, which has the same type.
type Leader = struct {
	From  int64
	Epoch int32
}

// Batch is what one poll brought for a partition. It belongs to its receiver.
type Batch struct {
	TP      observe.TopicPartition
	Epoch   observe.Epoch
	Gen     uint32          // counts the seeks of this epoch
	Records []actors.Record // ascending
	Control []int64         // offsets of transaction markers, ascending
	LogEnd  int64           // as the fetch told

	LeaderEpoch int32    // of the first record or marker; -1: not known
	Later       []Leader // behind it, ascending; mostly none
}

// Handler is told what happens to the group. Its methods are called one at a time,
// but for Fetched, which comes from the poll goroutine. No Fetched of an epoch
// begins after Revoked or Lost of that epoch was called, and none runs meanwhile.
type Handler interface {
	// Assigned begins partitions. It does not block. The first assignment after a join
	// is told even when it is empty.
	Assigned(as []Assignment)

	// Fetched hands a poll's records over. It does not block.
	Fetched(batches []Batch)

	// Revoked drains, commits and fences. It returns within the drain and commit
	// timeouts, and the partitions are let go.
	Revoked(tps []observe.TopicPartition)

	// Lost fences at once and commits nothing.
	Lost(tps []observe.TopicPartition, cause error)

	// Gapped tells of records that were deleted while the partition ran. When
	// Gap.Stopped is false the client has gone on at Gap.To under generation gen.
	Gapped(tp observe.TopicPartition, epoch observe.Epoch, gap Gap, gen uint32)

	// Ended says that a partition is gone for good: its topic was deleted.
	Ended(tp observe.TopicPartition, cause error)

	// Failed says that the client cannot go on: refused authentication, a fenced
	// instance id. Run returns err.
	Failed(err error)
}

// Offset is a commit line to store.
type Offset struct {
	TP       observe.TopicPartition
	Next     int64
	Metadata string // stored with it
}

// Result is what became of one Offset.
type Result struct {
	Outcome observe.Outcome
	Err     error // nil when OK

	// Fenced says that the group does not know this member any more: every partition
	// is lost and the client has to be rebuilt (UNKNOWN_MEMBER_ID,
	// ILLEGAL_GENERATION, FENCED_MEMBER_EPOCH, or another member id than the one that was assigned).
	Fenced bool

	// Resent says that kgo sent the request more than once: the broker may store the earlier
	// one after the one that was answered.
	Resent bool

	TooLarge bool // it was refused because of its Metadata alone
}

// Committer stores commit lines. It does not retry; it returns within the commit
// timeout, with a result for each offset, in order.
type Committer interface {
	Commit(ctx context.Context, offsets []Offset) []Result
}

// Forward is a record to produce.
type Forward struct {
	Topic   string
	Record  *actors.Record  // key and value; headers come first
	Headers []actors.Header // added behind the record's own

	// Partition is the partition that was consumed: records of one source partition
	// and key keep their order by going to one partition.
	Partition int32

	// Smaller is what to send instead when this is too large; nil: nothing can be left out.
	Smaller func() *Forward
}

// EndOffset is how far a partition's log reaches.
type EndOffset struct {
	TP     observe.TopicPartition
	LogEnd int64
	At     time.Time
}
