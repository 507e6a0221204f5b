package core

import (
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// Effect is something the machine asks its owner to do. Effects are pointers into
// the machine: they, and the slices in them, hold until the next Step.
//
//sumtype:decl
type Effect interface{ effect() }

// Work.
type (
	// HandOver gives records to a lane, which answers with Succeeded or Failed.
	HandOver struct {
		Call    Call
		Records []Record
		Due     int64 // of the first record, nanoseconds since the epoch; 0: at once
		Attempt int   // of the first record, from 1; those behind it are at their first

		Restarts int // of the lane, for supervision.Failure of the first record; 0 for those behind it
	}

	// Forward sends a record to the dead letter topic, which answers with Forwarded.
	// One that failed is sent again under the same Seq. It holds until it is
	// acknowledged; do not change it.
	Forward struct {
		Epoch   uint64
		Seq     uint64
		Lane    LaneID
		Record  Record
		Failure supervision.Failure // Attempt is the number of deliveries
		First   time.Time           // when the record first failed
		Last    time.Time           // when it last failed
	}

	// Cancel ends the context of a hand-over because of a restart. Its result still
	// counts when it comes.
	Cancel struct{ Call Call }
)

// The partition.
type (
	// Commit stores the commit line, the first offset that is not complete, and with it
	// what is known of the records from there on. Committed answers it; at most one is
	// unanswered. What was acknowledged is sent once more when it was in doubt: see
	// Config.Doubt.
	Commit struct {
		Epoch uint64
		Seq   uint64
		Next  Offset

		// The rest is as in Handoff.
		LeaderEpoch int32
		Done        []Run
		Attempts    []Attempt
	}

	// WakeAt asks for Woke at a time. It replaces the time asked for before.
	WakeAt struct{ At time.Time }

	// PauseSet is sent when the set of reasons changed. The partition is fetched when
	// the set is empty.
	PauseSet struct{ Was, Now ReasonSet }

	// Drained follows Drain, once. After a Drain that filled gaps to its end, every record
	// below the highest finished one is finished too, but for those of lanes that could
	// not go on.
	Drained struct{}

	// SkewCapped is sent for the first record whose timestamp is too far ahead.
	SkewCapped struct{ Record Record }
)

// Supervision.
type (
	// Restarted asks for a new behavior of a lane. It is made before the next
	// hand-over, which comes after the backoff. In a drain it is sent only right before a
	// hand-over that fills a gap.
	Restarted struct {
		Lane    LaneID
		Failure supervision.Failure // zero when it was asked for
		Forced  bool                // the old call of a quarantined lane is left behind
	}

	// Halted says that a lane is stopped until a Restart.
	Halted struct {
		Lane    LaneID
		Failure supervision.Failure
	}

	// Escalate fails the partition, once. The machine begins nothing more, not even to
	// fill a gap; send Drain to be told when the last hand-over and forward have ended.
	Escalate struct {
		Lane    LaneID
		Failure supervision.Failure
	}

	// Quarantined says that a lane waits for its call to return.
	Quarantined struct {
		Lane   LaneID
		Offset Offset
		Err    error
	}

	// Retrying says that a record waits for another delivery.
	Retrying struct {
		Lane    LaneID
		Offset  Offset
		Attempt int // deliveries so far
		At      time.Time
	}
)

func (*HandOver) effect()    {}
func (*Forward) effect()     {}
func (*Cancel) effect()      {}
func (*Commit) effect()      {}
func (*WakeAt) effect()      {}
func (*PauseSet) effect()    {}
func (*Drained) effect()     {}
func (*SkewCapped) effect()  {}
func (*Restarted) effect()   {}
func (*Halted) effect()      {}
func (*Escalate) effect()    {}
func (*Quarantined) effect() {}
func (*Retrying) effect()    {}
