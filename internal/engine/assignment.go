package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
)

// assignment is a partition of this member, from its start to its fence. It outlives
// rebuilds of the partition's actor. Lanes, callbacks and actors share it through its
// atomics; the rest does not change.
type assignment struct {
	tp      observe.TopicPartition
	epoch   observe.Epoch
	topic   *Topic
	topicID [16]byte
	fence   fence
	slots   []atomic.Pointer[handOver]    // what each lane holds
	actor   atomic.Pointer[actor.PID]     // the supervisor of this moment
	acked   atomic.Pointer[CommitLine]    // the highest that the broker acknowledged; the start before
	stored  atomic.Pointer[CommitLine]    // the highest that it may have stored without an acknowledgment; nil: none
	asked   atomic.Pointer[commitRequest] // the last commit that is not answered; nil: none
	foreign atomic.Int64                  // dead letters of other groups that were passed over
	logEnd  atomic.Int64                  // of the last fetch or look-up
	logAt   atomic.Int64                  // when, nanoseconds since the epoch
	gen     atomic.Uint32                 // the last seek
	held    atomic.Bool                   // an operator paused it
	sending atomic.Int32                  // commits that are past the fence and not told of yet
	gapEnd  atomic.Int64                  // it is stopped at a gap, behind which it goes on here; -1: it is not
	spawned signal                        // the supervisor has a mailbox
	drained signal                        // a drain has nothing left to wait for
	done    signal                        // the engine is through with the partition
	leaving []chan struct{}               // of the lanes whose Stop is under way; to be read once done has happened
	clean   atomic.Bool                   // the drain came to its end, and the last commit was acknowledged; before a rebuild, also: nothing stands above the line
}

// signal happens once.
type signal struct {
	ch   chan struct{}
	once *sync.Once
}

func newSignal() signal { return signal{make(chan struct{}), new(sync.Once)} }

func (s signal) happen() { s.once.Do(func() { close(s.ch) }) }

func (s signal) happened() bool {
	select {
	case <-s.ch:
		return true
	default:
		return false
	}
}

// wait reports whether s happened before until.
func (s signal) wait(until time.Time) bool {
	if s.happened() {
		return true
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-s.ch:
		return true
	case <-timer.C:
		return false
	}
}

// incarnations numbers the machines of an engine: results name the machine that they
// are for, so those of an older one are ignored.
type incarnations struct{ last atomic.Uint64 }

func (i *incarnations) next() uint64 { return i.last.Add(1) }

func newAssignment(topic *Topic, as Assignment) *assignment {
	a := &assignment{
		tp: as.TP, epoch: as.Epoch, topic: topic, topicID: as.TopicID,
		slots:   make([]atomic.Pointer[handOver], topic.Core.Lanes),
		spawned: newSignal(),
		drained: newSignal(),
		done:    newSignal(),
	}
	a.acked.Store(&CommitLine{TP: as.TP, Next: as.Start, Metadata: as.Metadata})
	a.gapEnd.Store(-1)
	a.sawEnd(as.LogEnd, time.Now())
	return a
}

func (a *assignment) pid() *actor.PID { return a.actor.Load() }

// sawEnd notes how far the log reaches.
func (a *assignment) sawEnd(end int64, at time.Time) {
	a.logEnd.Store(end)
	a.logAt.Store(at.UnixNano())
}

// stops notes that the partition is stopped at a gap, which ends at to.
func (a *assignment) stops(to int64) { a.gapEnd.Store(to) }

// stoppedAt is where the partition goes on behind the gap that it is stopped at.
func (a *assignment) stoppedAt() (int64, bool) {
	to := a.gapEnd.Load()
	return to, to >= 0
}

// shut raises the fence all the way and waits for claims to settle.
func (a *assignment) shut() {
	a.fence.raise()
	a.settle()
}

// Messages to a partition supervisor.
type (
	// tick is the commit interval.
	tick struct{}

	// woke is a timer's.
	woke struct{ timer uint64 }

	// committed answers a commit line.
	committed struct {
		incarnation uint64
		seq         uint64
		result      CommitResult
		plain       bool // the line was sent without its metadata
	}

	// forwarded answers a forward.
	forwarded struct {
		incarnation uint64
		seq         uint64
		offset      int64
		reason      error
		trimmed     int // steps that were taken to make it small enough
		err         error
	}

	// freed says that a quarantined lane's call returned.
	freed struct{ lane core.LaneID }

	// drain begins no more but what fills gaps, and lets drained happen when nothing is
	// under way. A partition's own comes before its rebuild.
	drain struct{ own bool }

	// drainOver ends the drain before a rebuild.
	drainOver struct{}

	// commitAgain tries a refused last commit again.
	commitAgain struct{}

	// finish ends the partition: close what still runs, commit, fence, stop. With lost
	// nothing is committed.
	finish struct {
		cause error
		limit time.Time // for Stop hooks; zero: DrainTimeout from now
		lost  bool
	}

	// keyed brings back a batch whose records the topic's KeyBy was asked about.
	keyed struct{ batch *keyedBatch }

	// statsRequest asks for a snapshot. reply has room for it.
	statsRequest struct{ reply chan<- PartitionStats }

	// laneRestart, rebuild and setPause are an operator's.
	laneRestart struct {
		lane  core.LaneID
		force bool
	}
	rebuildNow   struct{}
	setPause     struct{ on bool }
	halted       struct{ to int64 }
	repositioned struct {
		gen uint32
		to  int64
	}
)
