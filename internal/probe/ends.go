package probe

import (
	"fmt"
	"time"

	"github.com/troupe-go/troupe/runtime/observe"
)

// OnEvent is observe.Hook's. What begins has to end within its budget (L4), also where the
// group is not stable.
func (p *Probe) OnEvent(at time.Time, ev observe.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	drain := func(tp observe.TopicPartition, epoch observe.Epoch) string {
		return fmt.Sprintf("the drain of %s, epoch %d", tp, epoch)
	}
	switch ev := ev.(type) {
	case observe.RevokeBegan:
		p.begins(at, drain(ev.TP, ev.Epoch), p.cfg.DrainTimeout+p.cfg.CommitTimeout)
	case observe.RevokeEnded:
		p.ended(at, drain(ev.TP, ev.Epoch))
	case observe.Lost:
		p.ended(at, drain(ev.TP, ev.Epoch))
	case observe.ShutdownBegan:
		p.begins(at, shutdown, p.cfg.ShutdownTimeout)
	case observe.ShutdownEnded:
		p.ended(at, shutdown)
	default: // nothing else has a budget
	}
}

const shutdown = "the shutdown"

func (p *Probe) begins(at time.Time, what string, budget time.Duration) {
	p.ends[what] = at.Add(budget + slack)
}

func (p *Probe) ended(at time.Time, what string) {
	until, ok := p.ends[what]
	if !ok {
		return
	}
	p.compared[L4]++
	delete(p.ends, what)
	if at.After(until) {
		p.found(at, L4, what, "it has ended %v over its budget", at.Sub(until)+slack)
	}
}

// overdue looks for what should have ended and has not.
func (p *Probe) overdue(now time.Time) {
	for what, until := range p.ends {
		if now.After(until) {
			p.compared[L4]++
			p.found(now, L4, what, "it goes on, %v over its budget", now.Sub(until)+slack)
		}
	}
}
