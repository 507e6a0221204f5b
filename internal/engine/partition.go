package engine

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/internal/metadata"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// partition is the supervisor actor of an assigned partition, and the only owner of
// its machine. It never blocks: user code runs on the lanes' goroutines, Kafka is
// asked off the actor, and a mailbox is never the only holder of a record.
type partition struct {
	e     *Engine
	a     *assignment
	topic *Topic
	from  beginning
	ctx   actor.Context

	incarnation uint64
	gen         uint32
	m           *core.Machine
	lanes       []lane
	fx          []core.Effect
	recs        []core.Record
	timer       wakeTimer
	keyer       *keyer               // nil: records are keyed by their keys
	unanswered  bool                 // a commit is on its way
	encoder     metadata.Encoder     // of what goes with commit lines
	short       bool                 // it did not have room for all that it had to say last
	lacks       int64                // when short: the MetadataCut.From that was told last
	ending      *finish              // nil until the last commit
	rebuild     *supervision.Failure // why the partition is to be rebuilt; nil: it is not
	drains      bool                 // a revoke or a stop drains it: it is not rebuilt
	stopped     bool
	refusal     error // why a dead letter could not be written last

	ev events
}

// lane is what a partition knows of a virtual partition.
type lane struct {
	pid     *actor.PID
	worker  *worker
	current *handOver // under way; nil: none
	spare   *handOver // to be used again
	pending error     // the behavior is to be replaced before the next hand-over
	warned  time.Time // of a record that has nowhere to go
}

// events are used again for every Step.
type events struct {
	fetched   core.Fetched
	progress  core.Progress
	succeeded core.Succeeded
	failed    core.Failed
	freed     core.Freed
	forwarded core.Forwarded
	committed core.Committed
	woke      core.Woke
	ticked    core.Ticked
	drain     core.Drain
}

func newPartition(e *Engine, a *assignment, from beginning) *partition {
	return &partition{e: e, a: a, topic: a.topic, from: from, gen: from.gen}
}

// Receive is the actor.
func (p *partition) Receive(ctx actor.Context) {
	defer crashed()
	p.ctx = ctx
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		p.start()
	case *actor.Stopping:
		p.stopping()
	default:
		if !p.stopped {
			p.handle(msg)
		}
	}
}

func (p *partition) handle(msg any) {
	switch msg := msg.(type) {
	case *unreadBatch:
		p.fetched(msg.batch)
		msg.unread.read()
	case *handOver:
		p.reported(msg)
	case *timedOut:
		p.timedOut(msg)
	case tick:
		p.tick()
	case woke:
		if msg.timer == p.timer.seq {
			p.step(&p.ev.woke)
		}
	case committed:
		p.committed(msg)
	case forwarded:
		p.forwarded(msg)
	case freed:
		p.free(msg.lane)
	case keyed:
		p.keyedBack(msg.batch)
	case drain:
		if p.e.steps.Hit(failpoint.Drain) == nil {
			p.toldToDrain(msg)
		}
	case finish:
		p.finish(msg)
	case drainOver:
		p.closeDown(actors.ErrRestart)
	case commitAgain:
		p.commitAgain()
	default:
		p.operate(msg)
	}
}

// operate is what operators and the client ask for.
func (p *partition) operate(msg any) {
	switch msg := msg.(type) {
	case statsRequest:
		msg.reply <- p.stats()
	case laneRestart:
		p.step(&core.Restart{Lane: msg.lane, Force: msg.force})
	case rebuildNow:
		p.restart()
	case halted:
		p.halt(msg.to)
	case setPause:
		p.hold(msg.on)
	case repositioned:
		p.gen = msg.gen
		p.step(&core.Repositioned{Gen: msg.gen, To: msg.to})
	}
}

// step gives an event to the machine and carries its effects out.
func (p *partition) step(ev core.Event) {
	p.fx = p.m.Step(p.e.now(), ev, p.fx[:0])
	for _, fx := range p.fx {
		p.perform(fx)
	}
	clear(p.fx)
}

// reported takes a hand-over back from its lane.
func (p *partition) reported(ho *handOver) {
	p.e.steps.Pass(failpoint.Reported)
	l := &p.lanes[ho.call.Lane]
	if l.current != ho || p.a.fence.raised() {
		return // taken away since; finish has seen, or will see, to what it did
	}
	p.ended(l, ho)
}

// ended turns what a lane reported into an event.
func (p *partition) ended(l *lane, ho *handOver) {
	l.current = nil
	p.a.slots[ho.call.Lane].Store(nil)
	if ho.failed {
		p.ev.failed = core.Failed{Call: ho.call, Done: ho.done(), Result: ho.result, Jitter: p.e.opts.Jitter()}
	} else {
		p.ev.succeeded = core.Succeeded{Call: ho.call, Took: ho.took}
	}
	failed := ho.failed
	ho.reset()
	l.spare = ho
	if failed {
		p.step(&p.ev.failed)
		p.ev.failed.Result = core.Result{}
		return
	}
	p.step(&p.ev.succeeded)
}

func (p *partition) timedOut(msg *timedOut) {
	l := &p.lanes[msg.ho.call.Lane]
	if l.current != msg.ho {
		return
	}
	l.current = nil
	p.a.slots[msg.ho.call.Lane].Store(nil)
	p.step(&core.Failed{Call: msg.ho.call, Done: msg.done, Result: msg.result, Jitter: p.e.opts.Jitter()})
	// The call may have returned before the machine heard of its time-out.
	p.free(msg.ho.call.Lane)
}

// free tells the machine that a lane is free, unless a call has been taken away meanwhile
// that still runs.
func (p *partition) free(id core.LaneID) {
	if p.e.held.free(place{p.a.tp, id}) {
		p.ev.freed = core.Freed{Lane: id}
		p.step(&p.ev.freed)
	}
}

// tick reads how far the lanes are and asks for a commit.
func (p *partition) tick() {
	if p.keyer != nil {
		p.keyer.tick()
	}
	p.progress()
	p.step(&p.ev.ticked)
}

func (p *partition) progress() {
	for i := range p.lanes {
		ho := p.lanes[i].current
		if ho == nil {
			continue
		}
		if n := ho.done(); n > 0 {
			p.ev.progress = core.Progress{Call: ho.call, Done: n}
			p.step(&p.ev.progress)
		}
	}
}

func (p *partition) committed(msg committed) {
	if msg.incarnation != p.incarnation {
		return
	}
	p.e.steps.Pass(failpoint.Committed)
	p.ev.committed = core.Committed{
		Epoch: p.incarnation, Seq: msg.seq, OK: msg.result.Outcome == observe.OK,
		Late: msg.result.Outcome == observe.Unknown || msg.result.Resent, Plain: msg.plain,
	}
	if msg.plain {
		next := p.a.acked.Load().Next
		p.cutShort(observe.MetadataCut{Next: next, From: next, Refused: true})
	}
	p.step(&p.ev.committed)
	p.unanswered = false
	if p.ending != nil {
		p.lastCommit(msg.result)
	}
}

func (p *partition) vp(id core.LaneID) actors.VirtualPartition {
	return actors.VirtualPartition{Topic: p.a.tp.Topic, Partition: p.a.tp.Partition, Index: int32(id)}
}

// String names the actor in logs.
func (p *partition) String() string { return fmt.Sprintf("partition %s", p.a.tp) }
