package runtime

import (
	"cmp"
	"slices"
	"time"

	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/engine"
)

// Stats is a snapshot of a Runtime.
type Stats struct {
	Partitions []PartitionStats // by topic, then partition
}

// PartitionStats is a snapshot of one assigned partition.
type PartitionStats struct {
	Topic     string
	Partition int32

	Next   int64         // the commit line: the first offset that is not complete
	LogEnd int64         // the end of the log, at the last sample
	Lag    int64         // offsets from Next to LogEnd, markers and holes included
	LagAge time.Duration // how old the sample is; at most about 10 seconds while a broker answers

	InFlight      int // records given to lanes and not finished
	Buffered      int // records in memory and not finished
	BufferedBytes int64
	Ahead         int // records from Next on that were read, finished or not
	Forwarding    int // dead letters not acknowledged yet

	// Foreign counts the dead letters of other groups that were passed over since the
	// partition was assigned: see Topic.DeadLettersOf.
	Foreign int64

	// Of those that are not acknowledged: when the oldest was given up by its behavior (zero: there is none), how
	// many tries to write one have failed at most, and why the last one did.
	ForwardingSince time.Time
	ForwardTries    int
	ForwardErr      error

	OldestOffset int64         // of the oldest record that is not finished; -1: none
	OldestAge    time.Duration // since its timestamp; 0: none, or it has no timestamp
	WaitingUntil time.Time     // when the next record that waits for its time is due; zero: none waits

	Restarts     int      // of lanes; those of a lane are forgotten when it completes or dead-letters a record
	Quarantined  int      // lanes whose call outlived its Timeout or its assignment
	PauseReasons []string // why it is not fetched; empty: it is

	// Unresponsive says that the supervisor did not answer within a second. What it
	// would have told is missing.
	Unresponsive bool

	Lanes []LaneStats // those that hold records or failed, by index
}

// LaneStats is a snapshot of one virtual partition.
type LaneStats struct {
	Index    int32
	State    string // idle, active, waiting, stopped, quarantined, forwarding
	Queued   int    // records, those in flight among them
	InFlight int
	Head     int64 // offset of the first record; -1: none
	Attempt  int   // deliveries of it so far
	Restarts int   // 0 again when a record is completed or dead-lettered
	Until    time.Time
	LastErr  error // of the last failure since a record was completed
}

// Stats is a snapshot: each partition's is consistent in itself.
func (r *Runtime) Stats() Stats {
	r.mu.Lock()
	e := r.engine
	r.mu.Unlock()
	if e == nil {
		return Stats{}
	}
	now := time.Now()
	var s Stats
	for _, p := range e.Stats() {
		s.Partitions = append(s.Partitions, partitionStats(now, &p))
	}
	slices.SortFunc(s.Partitions, func(a, b PartitionStats) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return s
}

func partitionStats(now time.Time, p *engine.PartitionStats) PartitionStats {
	c := &p.Core
	s := PartitionStats{
		Topic: p.TP.Topic, Partition: p.TP.Partition,
		Next: c.Next, LogEnd: p.LogEnd, Lag: max(p.LogEnd-c.Next, 0), LagAge: now.Sub(p.LogAt),
		InFlight: c.InFlight, Buffered: c.Buffered, BufferedBytes: c.Bytes, Ahead: c.Ahead, Forwarding: c.Forwarding,
		Foreign: p.Foreign, ForwardingSince: c.ForwardSince, ForwardTries: c.ForwardTries, ForwardErr: p.Refusal,
		OldestOffset: -1, WaitingUntil: c.Waiting, Quarantined: c.Quarantined, Unresponsive: p.Wedged,
	}
	if p.Wedged {
		s.Next, s.Lag = p.Acked, max(p.LogEnd-p.Acked, 0)
	}
	if c.Buffered > 0 {
		s.OldestOffset = c.Oldest.Offset
		if c.Oldest.Timestamp >= 0 {
			s.OldestAge = max(now.Sub(time.UnixMilli(c.Oldest.Timestamp)), 0)
		}
	}
	for reason := range c.Reasons.All {
		s.PauseReasons = append(s.PauseReasons, reason.String())
	}
	for i := range c.Lanes {
		l := &c.Lanes[i]
		s.Restarts += l.Restarts
		if l.State != core.LaneIdle || l.Restarts > 0 || l.Err != nil {
			s.Lanes = append(s.Lanes, laneStats(l))
		}
	}
	return s
}

func laneStats(l *core.LaneStats) LaneStats {
	return LaneStats{
		Index: int32(l.Lane), State: l.State.String(), Queued: l.Queued, InFlight: l.InFlight, Head: l.Head,
		Attempt: l.Attempt, Restarts: l.Restarts, Until: l.Until, LastErr: l.Err,
	}
}
