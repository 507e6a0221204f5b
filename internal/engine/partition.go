package engine

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
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
	ending      *finish              // nil until the last commit
	rebuild     *supervision.Failure // why the partition is to be rebuilt; nil: it is not
	stopped     bool

	ev events
}

// beginning is where a partition's actor starts from.
type beginning struct {
	handoff core.Handoff
	gen     uint32
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
	p.ctx = ctx
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		p.start()
	case *actor.Stopping:
		p.release(actors.ErrRestart, time.Time{})
	default:
		if !p.stopped {
			p.handle(msg)
		}
	}
}

func (p *partition) handle(msg any) {
	switch msg := msg.(type) {
	case *Batch:
		p.fetched(msg)
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
		p.ev.freed = core.Freed{Lane: msg.lane}
		p.step(&p.ev.freed)
	case keyed:
		p.keyedBack(msg.batch)
	case drain:
		p.drain(false)
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

// start makes the machine. The actor shows itself before it reads which lanes are
// quarantined: a call that returns after that finds it.
func (p *partition) start() {
	p.a.actor.Store(p.ctx.Self())
	p.incarnation = p.e.epochs.next()
	p.from.handoff.Hung = p.e.held.lanes(p.a.tp, p.topic.Core.Lanes)
	p.m = core.New(p.topic.Core, p.incarnation, p.from.handoff)
	p.lanes = make([]lane, p.topic.Core.Lanes)
	p.timer.p = p
	if p.topic.KeyBy != nil {
		p.keyer = newKeyer(p)
	}
	if p.gen != 0 {
		p.step(&core.Repositioned{Gen: p.gen, To: p.from.handoff.Next})
		p.e.opts.Client.Seek(p.a.tp, p.a.epoch, p.gen, p.from.handoff.Next)
	}
	_, gap := p.a.stoppedAt()
	if gap {
		p.step(&core.Paused{Reason: core.GapStop})
	}
	if p.a.held.Load() {
		p.step(&core.Paused{Reason: core.Operator})
	}
	if p.gen != 0 && !gap && !p.a.held.Load() {
		p.e.opts.Client.Resume(p.a.tp) // the group paused it before the rebuild
	}
}

// halt stops fetching at a gap, until an operator lets the partition go on at to.
func (p *partition) halt(to int64) {
	p.a.stops(to)
	p.step(&core.Paused{Reason: core.GapStop})
}

// hold is an operator's pause, and its end.
func (p *partition) hold(on bool) {
	p.a.held.Store(on)
	if on {
		p.step(&core.Paused{Reason: core.Operator})
	} else {
		p.step(&core.Resumed{Reason: core.Operator})
	}
}

// restart is an operator's. Behind a gap the partition goes on at the start of the
// log, with what it holds; otherwise it is rebuilt.
func (p *partition) restart() {
	to, gap := p.a.stoppedAt()
	if !gap {
		p.escalated(supervision.Failure{Err: actors.ErrRestart})
		return
	}
	p.a.stops(-1)
	p.gen = p.a.gen.Add(1)
	p.step(&core.Repositioned{Gen: p.gen, To: to})
	p.e.opts.Client.Seek(p.a.tp, p.a.epoch, p.gen, to)
	p.step(&core.Resumed{Reason: core.GapStop})
}

// step gives an event to the machine and carries its effects out.
func (p *partition) step(ev core.Event) {
	p.fx = p.m.Step(time.Now(), ev, p.fx[:0])
	for _, fx := range p.fx {
		p.perform(fx)
	}
	clear(p.fx)
}

func (p *partition) fetched(b *Batch) {
	if b.Gen != p.gen || p.a.fence.raised() {
		return
	}
	p.a.sawEnd(b.LogEnd, time.Now())
	if p.e.opts.Record != nil && len(b.Records) > 0 {
		p.e.opts.Record(observe.Fetched{
			TP: p.a.tp, Epoch: p.a.epoch, Count: len(b.Records),
			First: b.Records[0].Offset, Last: b.Records[len(b.Records)-1].Offset,
		})
	}
	if p.keyer != nil {
		p.keyer.ask(b)
		return
	}
	p.enter(b, nil)
}

// enter puts a batch into the machine. keys are nil where records are keyed by their
// own keys.
func (p *partition) enter(b *Batch, keys *keyedBatch) {
	p.recs = p.recs[:0]
	control := b.Control
	for i := range b.Records {
		rec := &b.Records[i]
		for len(control) > 0 && control[0] < rec.Offset {
			p.recs = append(p.recs, core.Record{Offset: control[0], Control: true})
			control = control[1:]
		}
		p.recs = append(p.recs, p.record(rec, keys, i))
	}
	for _, offset := range control {
		p.recs = append(p.recs, core.Record{Offset: offset, Control: true})
	}
	if len(p.recs) == 0 {
		return
	}
	p.ev.fetched = core.Fetched{Gen: p.gen, Records: p.recs}
	p.step(&p.ev.fetched)
	p.ev.fetched.Records = nil
	clear(p.recs)
}

// record is what the machine gets of a record.
func (p *partition) record(rec *actors.Record, keys *keyedBatch, i int) core.Record {
	r := core.Record{Offset: rec.Offset, Timestamp: -1, Bytes: size(rec), Handle: rec}
	r.Looped = len(rec.Headers) > 0 && hops(rec) >= hopsMax
	if !rec.Timestamp.IsZero() {
		r.Timestamp = rec.Timestamp.UnixMilli()
	}
	switch {
	case keys == nil:
		r.Lane = p.laneOf(rec.Key)
	case keys.errs[i] != nil:
		r.Lane = p.laneOf(rec.Key)
		r.Handle = &unkeyed{rec, keys.errs[i]}
	default:
		r.Lane = p.laneOf(keys.keys[i])
	}
	return r
}

func size(rec *actors.Record) int32 {
	n := len(rec.Key) + len(rec.Value)
	for i := range rec.Headers {
		n += len(rec.Headers[i].Key) + len(rec.Headers[i].Value)
	}
	return int32(n) //nolint:gosec // a record is smaller than 2 GiB
}

// reported takes a hand-over back from its lane.
func (p *partition) reported(ho *handOver) {
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
	if p.e.held.free(place{p.a.tp, msg.ho.call.Lane}) {
		p.ev.freed = core.Freed{Lane: msg.ho.call.Lane}
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
	p.ev.committed = core.Committed{Epoch: p.incarnation, Seq: msg.seq, OK: msg.result.Outcome == observe.OK}
	p.step(&p.ev.committed)
	p.unanswered = false
	if p.ending != nil {
		p.lastCommit(msg.result)
	}
}

// laneOf is the lane of a key: see the documentation of package actors.
func (p *partition) laneOf(key []byte) core.LaneID {
	if key == nil {
		return p.m.Acquire(0)
	}
	return p.m.Acquire(hash(key))
}

func (p *partition) vp(id core.LaneID) actors.VirtualPartition {
	return actors.VirtualPartition{Topic: p.a.tp.Topic, Partition: p.a.tp.Partition, Index: int32(id)}
}

// String names the actor in logs.
func (p *partition) String() string { return fmt.Sprintf("partition %s", p.a.tp) }
