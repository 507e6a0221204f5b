package core

import (
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// Offset is a record's offset in its partition.
type Offset = int64

// LaneID names a lane of a machine. It is opaque: get it from Machine.Acquire.
type LaneID int32

// Record is what the machine knows of a Kafka record.
type Record struct {
	Offset    Offset
	Timestamp int64  // milliseconds since the epoch; below 0: none
	Lane      LaneID // ignored when Control
	Bytes     int32  // key, value and headers, for the byte limit
	Control   bool   // a transaction marker, or not for this group: it enters the machine finished
	Looped    bool   // it was dead-lettered too often: instead of once more, its lane stops
	Handle    any    // the owner's way back to the payload; the machine never looks at it
}

// Call names a hand-over. What a closed one still reports is ignored.
type Call struct {
	Epoch uint64
	Lane  LaneID
	Seq   uint64 // counts the hand-overs of the machine, from 1
}

// Event is something that happened outside the machine. Events are pointers, so
// that their sender can use them again: the machine keeps none past Step.
//
//sumtype:decl
type Event interface{ event() }

// Records and where they come from.
type (
	// Fetched brings records in ascending order of offset, all of one leader epoch. It is
	// dropped when Gen is not that of the last Repositioned (0 before the first).
	Fetched struct {
		Gen         uint32
		LeaderEpoch int32 // -1: not known
		Records     []Record
	}

	// Repositioned says that the client fetches from To on, under a new generation.
	// Records that the machine holds stay; when it holds none the line moves to To.
	// To is never below what was fetched.
	Repositioned struct {
		Gen uint32
		To  Offset
	}
)

// What became of a hand-over. Done counts its records, from the first, that are
// complete.
type (
	// Progress says how far a hand-over is that goes on.
	Progress struct {
		Call Call
		Done int
	}

	// Succeeded ends a hand-over: all its records are complete.
	Succeeded struct {
		Call Call
		Took time.Duration // from the hand-over on; the size of the next one follows it
	}

	// Failed ends a hand-over at its record Done; those behind it were not begun.
	Failed struct {
		Call   Call
		Done   int
		Result Result
		Jitter float64 // in [0, 1)
	}

	// Freed says that the call of a quarantined lane has returned. Without a Call it
	// ends the quarantine of the lane, whatever call it was for; with one only if that
	// is the call the lane waits for, or the lane waits for one of an older epoch.
	Freed struct {
		Lane LaneID
		Call Call
	}
)

// Kind tells the ways in which a hand-over ends early.
type Kind int

const (
	// Error is a failed attempt. It waits for the retry backoff.
	Error Kind = iota
	// RetryAfter is a failed attempt that waits for Result.After.
	RetryAfter
	// Snooze is no attempt. The record waits for Result.After.
	Snooze
	// Discard sends the record to the dead letter topic now.
	Discard
	// Panic is a failed attempt whose behavior is suspect.
	Panic
	// Timeout is a failed attempt whose call still runs: the lane is quarantined.
	Timeout
	// Interrupted is no attempt: the call's context ended first, by a restart, a
	// drain or a fence, or the call was never begun.
	Interrupted
	// Hung is Interrupted for a call that still runs: the lane is quarantined.
	Hung
	// StartFailed is no attempt: the behavior's factory or Start failed.
	StartFailed
)

// Result is how a delivery failed.
type Result struct {
	Kind      Kind
	After     time.Duration         // of RetryAfter and Snooze
	Directive supervision.Directive // what the topic's policy decided; see Machine for what overrides it
	Err       error
	Stack     []byte // of a panic
}

// The rest of the outside world.
type (
	// Forwarded answers a Forward.
	Forwarded struct {
		Epoch  uint64
		Seq    uint64 // of the Forward
		Err    error  // nil: acknowledged; else it is sent again after a backoff
		Jitter float64
	}

	// Committed answers a Commit.
	Committed struct {
		Epoch uint64
		Seq   uint64 // of the Commit
		OK    bool   // false: refused or unknown; the line is sent again
		Plain bool   // the line was stored, without what Done and Attempts say

		// Late says that the broker may yet store a request of this commit: the outcome is
		// unknown, or an earlier one than that which was answered is.
		Late bool
	}

	// Woke says that the time of a WakeAt has come. An early or needless one does no
	// harm.
	Woke struct{}

	// Ticked asks for a commit when the line moved, when what is finished or was tried
	// above it changed, when none of that was acknowledged, or when it is in doubt no
	// longer: see Config.Doubt.
	Ticked struct{}

	// Paused adds a reason to be paused that comes from outside: Operator, GapStop or
	// KeyBy. While Operator is among them no hand-over and no new forward begins; the
	// others only stop fetching.
	Paused struct{ Reason Reason }

	// Resumed takes a reason away that came from outside.
	Resumed struct{ Reason Reason }

	// Restart replaces a lane's behavior because it was asked for, also that of a
	// stopped lane. With Force a quarantined lane begins anew beside the old call.
	Restart struct {
		Lane  LaneID
		Force bool
	}

	// Drain begins no further forward, and no further hand-over but for gaps: records
	// below the highest one that is finished, a dead letter that was acknowledged among
	// those. Left behind, a gap holds the line, and what is finished above it runs again
	// at the next owner. With Now no gap is filled; a Drain with Now ends the filling of
	// one without, and none begins it again. Drained follows once the last hand-over and
	// forward have ended and no gap can be filled.
	//
	// A lane fills no gap while it waits for a time, is stopped or quarantined, or has a
	// head that is to be a dead letter; no lane does while Operator is among the reasons
	// to be paused, or after Escalate. Nobody waits for any of that, or for a forward that
	// failed: it is not sent again. A record that fails now stays unfinished, whatever its
	// directive, and its lane begins nothing more; one that is Interrupted may begin again.
	// A drained machine still answers Ticked, Progress and Committed. A line that is
	// in doubt at a Drain with Now is committed as one that was not acknowledged.
	Drain struct{ Now bool }
)

func (*Fetched) event()      {}
func (*Repositioned) event() {}
func (*Progress) event()     {}
func (*Succeeded) event()    {}
func (*Failed) event()       {}
func (*Freed) event()        {}
func (*Forwarded) event()    {}
func (*Committed) event()    {}
func (*Woke) event()         {}
func (*Ticked) event()       {}
func (*Paused) event()       {}
func (*Resumed) event()      {}
func (*Restart) event()      {}
func (*Drain) event()        {}
