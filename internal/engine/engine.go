// Package engine runs the machines of package core on Proto.Actor.
//
// The tree is group supervisor, partition supervisors, virtual partitions. A
// partition supervisor is the only owner of a core.Machine: it turns messages into
// events and carries effects out, and never blocks. A virtual partition's actor
// owns the goroutine on which the user's behavior runs.
package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/deadletter"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/internal/metadata"
	"github.com/troupe-go/troupe/internal/wallclock"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// Options are all set, but for Record: defaults are the business of package runtime.
type Options struct {
	Group          string
	Topics         []Topic
	CommitInterval time.Duration
	CommitTimeout  time.Duration
	DrainTimeout   time.Duration

	Client Client
	Logger *zap.Logger
	Emit   func(observe.Event)
	Record func(observe.Event) // nil: no hook asks for the events of single records
	Jitter func() float64      // in [0, 1)

	// Fail ends the runtime: a partition is over its budget of rebuilds.
	Fail func(error)

	// Owner is whose engine this is: package failpoint tells it apart from others by that.
	Owner any
}

// Topic is what an input topic asks for.
type Topic struct {
	Name        string
	Behavior    actors.Factory
	KeyBy       func(*actors.Record) []byte // nil: by key
	Timeout     time.Duration               // of one call; 0: none
	DeadLetter  string                      // empty: none
	Form        deadletter.Form             // of dead letters
	Groups      []string                    // whose dead letters are handed over; nil: everybody's
	Supervision supervision.Policy
	Core        core.Config
}

// Client is what the engine needs of Kafka. No method but Commit blocks.
type Client interface {
	Pause(tp observe.TopicPartition)
	Resume(tp observe.TopicPartition)

	// PauseSoon is Pause for a partition that is full and worked at: it may take effect
	// moments later, and never when Resume comes first.
	PauseSoon(tp observe.TopicPartition)

	// Seek goes on at offset; batches from there on carry gen.
	Seek(tp observe.TopicPartition, epoch observe.Epoch, gen uint32, offset int64)

	// Commit stores commit lines and returns within the commit timeout, with a result
	// for each line, in order.
	Commit(ctx context.Context, lines []CommitLine) []CommitResult

	// Forward produces a record and calls done, on any goroutine, once it is
	// acknowledged or has failed.
	Forward(f *Forward, done func(error))

	// Rebuild joins the group anew, with another client: this member was thrown out.
	Rebuild(cause error)
}

// CommitLine is the first offset of a partition that is not complete.
type CommitLine struct {
	TP       observe.TopicPartition
	Next     int64
	Metadata string // what package metadata says of the records from there on
}

// CommitResult is what became of a CommitLine.
type CommitResult struct {
	Outcome observe.Outcome
	Err     error
	Fenced  bool // the group does not know this member any more
	Resent  bool // an earlier request of it may be stored after the one that was answered

	TooLarge bool // it was refused because of its Metadata alone
}

// Forward is a record on its way to another topic.
type Forward struct {
	Topic   string
	Record  *actors.Record
	Headers []actors.Header // added behind the record's own

	// Smaller is what to send instead when this is too large; nil: nothing can be left out.
	Smaller func() *Forward
}

// Assignment is a partition that begins at an offset.
type Assignment struct {
	TP     observe.TopicPartition
	Epoch  observe.Epoch
	Start  int64
	LogEnd int64
	Halted bool // records are missing before Start, and OnGap says stop

	InDoubt bool // the broker may yet store a commit of another start

	Committed int64  // -1: nothing was
	Metadata  string // that came with it, by whoever committed it; empty: none
	TopicID   [16]byte
}

// Leader is the leader epoch of the records from an offset on. It is an alias, so that a
// batch of the client's is one of ours, which has the same type.
type Leader = struct {
	From  int64
	Epoch int32
}

// Batch is what a poll brought for a partition. The engine owns it from then on.
type Batch struct {
	TP      observe.TopicPartition
	Epoch   observe.Epoch
	Gen     uint32
	Records []actors.Record // ascending
	Control []int64         // offsets of transaction markers, ascending
	LogEnd  int64

	LeaderEpoch int32    // of the first record or marker; -1: not known
	Later       []Leader // behind it, ascending; mostly none
}

// Engine runs the partitions of one group member. Its methods may be called from
// any goroutine.
type Engine struct {
	opts   Options
	steps  failpoint.Steps
	topics map[string]*Topic
	system *actor.ActorSystem
	pool   *dispatcher
	root   *actor.RootContext
	group  *actor.PID
	lease  lease
	held   quarantine
	epochs incarnations
	room   atomic.Int32           // bytes that the broker stores with a commit line, as far as is known
	fell   signal                 // the group supervisor panicked: nothing drains or commits any more
	gone   signal                 // all actors have ended
	unread atomic.Pointer[unread] // of the last Fetched; nil: there was none

	mu       sync.RWMutex
	assigned map[observe.TopicPartition]*assignment // guarded by mu
	stopping map[observe.TopicPartition]*assignment // guarded by mu: those that a stop drains
	revoked  map[*assignment]bool                   // guarded by mu: those whose revoke is under way
	closing  bool                                   // guarded by mu: nothing begins any more
}

// New makes an engine and starts its group supervisor.
func New(opts Options) *Engine {
	e := &Engine{
		opts:     opts,
		steps:    failpoint.Steps{Of: opts.Owner},
		topics:   make(map[string]*Topic, len(opts.Topics)),
		pool:     newDispatcher(),
		assigned: map[observe.TopicPartition]*assignment{},
		stopping: map[observe.TopicPartition]*assignment{},
		revoked:  map[*assignment]bool{},
		fell:     newSignal(),
		gone:     newSignal(),
	}
	for i := range opts.Topics {
		e.topics[opts.Topics[i].Name] = &opts.Topics[i]
	}
	e.lease.init(opts.Owner)
	e.held.init()
	e.room.Store(metadata.MaxBytes)
	e.system = newSystem(opts.Logger)
	e.root = e.system.Root
	props := e.props(overGroup{e}, func() actor.Actor { return newGroup(e) }).Configure(actor.WithGuardian(overRoot{e}))
	e.group = e.root.WithGuardian(overRoot{e}).Spawn(props)
	return e
}

// stopPatience is how long Stop waits for actors, which never block.
const stopPatience = time.Second

// Stop ends the actors. Partitions have to be drained or lost by then. A call that was
// abandoned goes on until it returns by itself. Actors that ended before, with a group
// supervisor that panicked, are not asked: a message to them is never answered.
func (e *Engine) Stop() {
	e.root.Stop(e.group)
	e.gone.wait(time.Now().Add(stopPatience))
	e.system.Shutdown()
	e.pool.stop()
}

// now is the time by the wall clock, with a monotonic reading.
func (e *Engine) now() time.Time { return wallclock.Now(e.opts.Owner) }

// Renew says that the group session lives for ttl from sent on.
func (e *Engine) Renew(sent time.Time, ttl time.Duration) { e.lease.renew(sent, ttl) }

// Fetched hands batches to their partitions. What is not assigned, or was assigned
// anew since, is dropped. It waits until the batches before were read, see [unread].
func (e *Engine) Fetched(batches []Batch) {
	if before := e.unread.Load(); before != nil {
		before.wait()
	}
	u := newUnread()
	e.hand(batches, u)
	e.unread.Store(u)
	u.read()
}

func (e *Engine) hand(batches []Batch, u *unread) {
	sent := make([]unreadBatch, len(batches))
	e.mu.RLock()
	defer e.mu.RUnlock()
	for i := range batches {
		b := &batches[i]
		if a := e.assigned[b.TP]; a != nil && a.epoch == b.Epoch {
			sent[i] = unreadBatch{b, u}
			u.left.Add(1)
			e.root.Send(a.pid(), &sent[i])
		}
	}
}

// lookup is the partition's present assignment, or nil.
func (e *Engine) lookup(tp observe.TopicPartition) *assignment {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.assigned[tp]
}

// all is every present assignment.
func (e *Engine) all() []*assignment {
	e.mu.RLock()
	defer e.mu.RUnlock()
	as := make([]*assignment, 0, len(e.assigned))
	for _, a := range e.assigned {
		as = append(as, a)
	}
	return as
}

// take removes assignments from the table: from here on they get nothing new.
func (e *Engine) take(tps []observe.TopicPartition) []*assignment {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.takeLocked(tps)
}

// takeLocked is take for who holds mu. What a stop drains can still be revoked or lost:
// the group goes on meanwhile.
func (e *Engine) takeLocked(tps []observe.TopicPartition) []*assignment {
	var as []*assignment
	for _, tp := range tps {
		for _, table := range []map[observe.TopicPartition]*assignment{e.assigned, e.stopping} {
			if a := table[tp]; a != nil {
				as = append(as, a)
				delete(table, tp)
			}
		}
	}
	return as
}
