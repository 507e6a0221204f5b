package core

import (
	"math"
	"math/bits"
	"time"

	"github.com/troupe-go/troupe/internal/metadata"
	"github.com/troupe-go/troupe/supervision"
)

// Config is what a machine needs to know of its topic. All fields are set: defaults
// are the business of package runtime.
type Config struct {
	Lanes int // at least 1

	Delay   time.Duration // after a record's timestamp; 0: at once, whatever the timestamp
	MaxSkew time.Duration // how far ahead a timestamp may lie

	MaxAttempts  int // 0: no limit
	DeadLetter   bool
	Retry        supervision.Backoff
	ForwardRetry supervision.Backoff // between tries to forward one record
	Supervision  supervision.Policy  // Decide is not called here

	BufferRecords int   // records not finished
	BufferBytes   int64 // their bytes
	MaxAhead      int   // records from the line on, finished or not; while commits fail from the acknowledged one on
	MaxForwards   int   // forwards unacknowledged at a time, over all lanes

	// Room bounds what finished records above the line may take in a commit, whichever they
	// are, in sevenths of a byte: see metadata.Sevenths. What would go beyond it does not
	// begin. 0: no bound.
	Room int64

	HandOverMax  int           // records of one hand-over
	HandOverTime time.Duration // what a hand-over should take: its size adapts to it

	// Doubt is how long after an acknowledgment the broker may still store an earlier
	// commit, of unknown outcome.
	Doubt time.Duration
}

// Handoff is what a machine leaves to the next one of the partition: whole within an
// assignment, and as much of it as travels with a commit to the next owner. The records
// themselves are fetched again, from Next on.
type Handoff struct {
	Next     Offset
	Done     []Run     // finished above the line, ascending
	Attempts []Attempt // of unfinished records that have failed, ascending by offset
	Hung     []LaneID  // quarantined lanes

	// LeaderEpoch is the highest of the records that Done and Attempts were found out on. A
	// record of a higher one is not among them, whatever its offset.
	LeaderEpoch int32

	// DeadLetters are not delivered any more, but forwarded: ascending by offset. A write
	// of one may be under way; its answer is of no use to the next machine.
	DeadLetters []DeadLetter

	// Uncommitted says that Next, or what Done and Attempts say, has not been acknowledged:
	// the next machine commits it at its first Ticked.
	Uncommitted bool

	// InDoubt says that the broker may yet store a commit that an earlier machine of the
	// assignment sent. The next machine commits Next at its first Ticked then, too, and once
	// more when the doubt is over.
	InDoubt bool
}

// Run and Attempt are what travels with a commit line.
type (
	// Run is a run of offsets, [From, To).
	Run = metadata.Run

	// Attempt is how often a record was delivered that is not finished.
	Attempt = metadata.Attempt
)

// DeadLetter is a record that was given up, and that the dead letter topic has not
// acknowledged.
type DeadLetter struct {
	Offset  Offset
	Failure supervision.Failure // the last one
	First   time.Time           // when the record first failed
	Last    time.Time           // when it last failed
}

// Reason is why a partition is paused.
type Reason uint8

// The reasons. Operator, Gap and KeyBy come from outside, the others from the machine.
const (
	BackPressure Reason = iota // the buffer is full and something in it is due
	Delayed                    // the buffer is full and all of it waits for its time
	Retried                    // the buffer is full and all of it waits, some of it for a retry
	Ahead                      // MaxAhead or Room is reached
	Operator                   // an operator asked for it
	GapStop                    // records were deleted before their turn
	KeyBy                      // the topic's KeyBy has not returned yet
	Stopped                    // the buffer is full and all of it sits in lanes that are stopped or quarantined
	reasons
)

// String is the reason as metrics and Stats show it.
func (r Reason) String() string {
	return [...]string{"back-pressure", "delay", "retry", "ahead", "operator", "gap", "key-by", "stopped", "invalid"}[min(r, reasons)]
}

// ReasonSet is a set of reasons.
type ReasonSet uint16

// Has reports whether r is in the set.
func (s ReasonSet) Has(r Reason) bool { return s&(1<<r) != 0 }

// All yields the set's reasons in a fixed order.
func (s ReasonSet) All(yield func(Reason) bool) {
	for r := range reasons {
		if s.Has(r) && !yield(r) {
			return
		}
	}
}

// laneOf maps a key's hash to one of n lanes: the upper half of hash*n.
func laneOf(hash uint64, n int) LaneID {
	hi, _ := bits.Mul64(hash, uint64(n))
	return LaneID(hi)
}

// never is later than every due time.
const never = math.MaxInt64
