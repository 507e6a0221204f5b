package observe

import (
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/supervision"
)

// Epoch counts the assignments of partitions within a Runtime. Each assignment of
// a partition has its own; a later one has a higher number.
type Epoch uint64

// Assignment and ownership of partitions.
type (
	// Assigned is sent when a partition begins, or begins again after a rebuild
	// of the client, with the positions that were found.
	Assigned struct {
		TP        TopicPartition
		Epoch     Epoch
		Committed int64 // what the group had committed; -1: nothing
		Start     int64 // the first offset that is fetched
		LogStart  int64 // the first offset that the log holds
		LogEnd    int64 // the end of the log that the isolation level shows
	}

	// RevokeBegan is sent before a revoked partition drains.
	RevokeBegan struct {
		TP    TopicPartition
		Epoch Epoch
	}

	// RevokeEnded is sent when a revoked partition is fenced: nothing of this
	// epoch starts or commits after it.
	RevokeEnded struct {
		TP      TopicPartition
		Epoch   Epoch
		Drained bool // every delivery and forward had ended
	}

	// Stopped is sent when a partition is fenced because the runtime shuts down, which
	// is before it leaves the group: nothing of this epoch starts or commits after it.
	Stopped struct {
		TP      TopicPartition
		Epoch   Epoch
		Drained bool // every delivery and forward had ended
	}

	// Lost is sent when a partition is fenced because the group dropped this
	// member, or may have.
	Lost struct {
		TP    TopicPartition
		Epoch Epoch
		Cause error
	}

	// Rejoined is sent when the client is rebuilt and joins the group anew.
	Rejoined struct{ Cause error }

	// Gap is sent when a partition cannot go on at the offset that is next: records were
	// deleted before their turn, the log ends below it, or a batch there is too large.
	Gap struct {
		TP    TopicPartition
		Epoch Epoch

		// From and To are the offsets that are gone or cannot be read: [From, To). Where
		// the log ends below From, To is its end.
		From, To int64

		Possible bool // it is not known whether there were records

		// Err is nil where records were deleted. Otherwise it is, or wraps,
		// runtime.ErrTruncated or runtime.ErrBatchTooLarge, and the partition stops
		// whatever OnGap says.
		Err error
	}

	// ShutdownBegan is sent when the runtime begins to drain.
	ShutdownBegan struct{}

	// ShutdownEnded is sent when Run is about to return.
	ShutdownEnded struct{ Err error }
)

// Progress of partitions and lanes.
type (
	// CommitSent is sent when a commit line is handed to the client.
	CommitSent struct {
		TP    TopicPartition
		Epoch Epoch
		Next  int64
	}

	// CommitAnswered is sent when the outcome of a commit is known.
	CommitAnswered struct {
		TP      TopicPartition
		Epoch   Epoch
		Next    int64
		Outcome Outcome
		Err     error // nil when OK
		Took    time.Duration
		// Resent says that the request was sent more than once: the broker may store the
		// earlier one after the one that was answered.
		Resent bool
	}

	// MetadataIgnored is sent when a partition begins and the metadata of the committed
	// offset is of no use: another tool's, damaged, or of another position or topic. What it
	// may say is finished is delivered.
	MetadataIgnored struct {
		TP        TopicPartition
		Epoch     Epoch
		Committed int64
		Err       error // why
	}

	// MetadataCut is sent when a commit has no room for all that is finished above its line,
	// and for the attempts of what is not. If the partition moves then, the next owner
	// delivers records again that were finished. It is sent again after all of it had room,
	// and when finished records from a lower offset on are left out.
	MetadataCut struct {
		TP       TopicPartition
		Epoch    Epoch
		Next     int64 // the commit line
		From     int64 // what is finished at or above this offset is left out; -1: nothing is
		Attempts int   // how many records' attempts are left out
		Refused  bool  // the broker took less than it does by default: all was left out
	}

	// Paused is sent when a partition gains a reason to be paused.
	Paused struct {
		TP     TopicPartition
		Epoch  Epoch
		Reason string
	}

	// Resumed is sent when a partition loses a reason to be paused. It is fetched
	// again when no reason is left.
	Resumed struct {
		TP     TopicPartition
		Epoch  Epoch
		Reason string
	}

	// SkewCapped is sent for the first record of an assignment whose timestamp lies
	// further ahead than MaxSkew.
	SkewCapped struct {
		TP        TopicPartition
		Epoch     Epoch
		Offset    int64
		Timestamp time.Time
	}
)

// Failures and supervision.
type (
	// Restarted is sent when a virtual partition's behavior is replaced.
	Restarted struct {
		VP      actors.VirtualPartition
		Epoch   Epoch
		Failure supervision.Failure // Err is actors.ErrRestart when it was asked for
	}

	// Halted is sent when supervision stopped a virtual partition.
	Halted struct {
		VP      actors.VirtualPartition
		Epoch   Epoch
		Failure supervision.Failure
	}

	// Escalated is sent when a failure is handed up: the partition is rebuilt, unless it is
	// on its way to another member.
	Escalated struct {
		TP      TopicPartition
		Epoch   Epoch
		Failure supervision.Failure

		// Supervisor says that the partition's own supervisor failed. What it held in
		// memory is not trusted: the partition begins again at the line that the broker
		// has or may have, and what was finished since is delivered once more.
		Supervisor bool
	}

	// Quarantined is sent when a call goes on past its Timeout or its assignment.
	Quarantined struct {
		VP     actors.VirtualPartition
		Epoch  Epoch
		Offset int64
		Cause  error
	}

	// Freed is sent when a quarantined call has returned.
	Freed struct{ VP actors.VirtualPartition }

	// Forced is sent when an operator restarted a quarantined virtual partition
	// while its call still ran.
	Forced struct{ VP actors.VirtualPartition }

	// Warned is sent for what is wrong and handled, such as a Stop that failed.
	Warned struct {
		What    string
		Err     error
		Foreign bool // Err comes from a behavior or a policy: its text is the user's
	}

	// ForwardFailed is sent when a dead letter could not be written. It is tried
	// again, and the commit line is held.
	ForwardFailed struct {
		TP     TopicPartition
		Epoch  Epoch
		Offset int64
		Dest   string
		Err    error
	}

	// Forwarded is sent when a dead letter is acknowledged.
	Forwarded struct {
		TP     TopicPartition
		Epoch  Epoch
		Offset int64
		Dest   string
		Err    error // why the record was forwarded

		// Trimmed is how many steps were taken to make the copy small enough, 0 to 4:
		// docs/dead-letters.md lists them.
		Trimmed int
	}
)

// Record events, for a RecordHook only.
type (
	// Fetched is sent when records enter a partition.
	Fetched struct {
		TP          TopicPartition
		Epoch       Epoch
		First, Last int64
		Count       int
	}

	// Started is sent before a call of a behavior, after it passed the fence.
	Started struct {
		VP      actors.VirtualPartition
		Epoch   Epoch
		Record  *actors.Record
		Due     time.Time // zero: at once
		Attempt int
	}

	// Delivered is sent when a call of a behavior has ended.
	Delivered struct {
		VP      actors.VirtualPartition
		Epoch   Epoch
		Offset  int64
		Attempt int
		Took    time.Duration
		Err     error
	}

	// RetryScheduled is sent when a record waits for its next attempt.
	RetryScheduled struct {
		VP      actors.VirtualPartition
		Epoch   Epoch
		Offset  int64
		Attempt int // deliveries so far
		At      time.Time
	}

	// Foreign is sent when a dead letter of another group is passed over: it counts as
	// complete. See runtime.Topic.DeadLettersOf.
	Foreign struct {
		TP     TopicPartition
		Epoch  Epoch
		Offset int64
		Group  string // whose it is
	}

	// LateDropped is sent when a call ended whose result counts no more.
	LateDropped struct {
		VP     actors.VirtualPartition
		Epoch  Epoch
		Offset int64
	}
)

func (Assigned) event()        {}
func (RevokeBegan) event()     {}
func (RevokeEnded) event()     {}
func (Stopped) event()         {}
func (Lost) event()            {}
func (Rejoined) event()        {}
func (Gap) event()             {}
func (ShutdownBegan) event()   {}
func (ShutdownEnded) event()   {}
func (CommitSent) event()      {}
func (CommitAnswered) event()  {}
func (MetadataIgnored) event() {}
func (MetadataCut) event()     {}
func (Paused) event()          {}
func (Resumed) event()         {}
func (SkewCapped) event()      {}
func (Restarted) event()       {}
func (Halted) event()          {}
func (Escalated) event()       {}
func (Quarantined) event()     {}
func (Freed) event()           {}
func (Forced) event()          {}
func (Warned) event()          {}
func (ForwardFailed) event()   {}
func (Forwarded) event()       {}
func (Fetched) event()         {}
func (Started) event()         {}
func (Delivered) event()       {}
func (RetryScheduled) event()  {}
func (LateDropped) event()     {}
func (Foreign) event()         {}
