package engine

import (
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/deadletter"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// hopsMax is how often a record may be dead-lettered. One that comes round once more
// goes in a loop: its lane stops.
const hopsMax = 5

// forward sends a record to the dead letter topic.
func (p *partition) forward(fx *core.Forward) {
	rec, reason := payloadOf(fx.Record.Handle).rec, fx.Failure.Err
	msg := forwarded{incarnation: p.incarnation, seq: fx.Seq, offset: rec.Offset, reason: reason}
	e, pid := p.e, p.ctx.Self()
	letter := &deadletter.Letter{
		Record: rec, Group: e.opts.Group, Err: reason, Attempts: fx.Failure.Attempt, Panicked: fx.Failure.Panicked, First: fx.First, Last: fx.Last,
	}
	if err := e.steps.Hit(failpoint.Forward); err != nil {
		msg.err = err
		e.root.Send(pid, msg)
		return
	}
	e.opts.Client.Forward(p.topic.letter(letter, 0, &msg.trimmed), func(err error) {
		msg.err = err
		e.root.Send(pid, msg)
	})
}

// letter is what to send after so many steps to make it smaller. sent is set to them: the
// client asks for the next one before it answers, on one goroutine at a time.
func (t *Topic) letter(l *deadletter.Letter, steps int, sent *int) *Forward {
	*sent = steps
	f := &Forward{Topic: t.DeadLetter}
	f.Record, f.Headers = l.Encode(t.Form, steps)
	if steps < deadletter.Trims {
		f.Smaller = func() *Forward { return t.letter(l, steps+1, sent) }
	}
	return f
}

func (p *partition) forwarded(msg forwarded) {
	if msg.incarnation != p.incarnation {
		return
	}
	p.e.steps.Pass(failpoint.Forwarded)
	dest := p.topic.DeadLetter
	if msg.err != nil {
		p.refusal = msg.err
		p.emit(observe.ForwardFailed{TP: p.a.tp, Epoch: p.a.epoch, Offset: msg.offset, Dest: dest, Err: msg.err})
	} else {
		p.emit(observe.Forwarded{TP: p.a.tp, Epoch: p.a.epoch, Offset: msg.offset, Dest: dest, Err: msg.reason, Trimmed: msg.trimmed})
	}
	p.ev.forwarded = core.Forwarded{Epoch: p.incarnation, Seq: msg.seq, Err: msg.err, Jitter: p.e.opts.Jitter()}
	p.step(&p.ev.forwarded)
}
