package sim

import (
	"math/rand/v2"
	"time"

	"github.com/troupe-go/troupe/internal/link"
)

func (n *nemesis) network(f *injected) {
	node := n.w.current[f.Member]
	if node == nil || !node.running() {
		return
	}
	to := address(f.Broker)
	switch f.Kind {
	case FaultCut:
		f.hits.Add(int64(node.link.Cut(to)))
	case FaultFlap:
		n.flap(f, node)
	case FaultHold:
		f.end = node.link.Hold()
		f.hits.Add(1)
	default:
		rule := &link.Rule{Address: to, In: true, Out: true}
		switch f.Kind {
		case FaultCutAfter:
			rule.CutAfter = max(f.Count, 1)
		case FaultDropResponses:
			rule.Drop, rule.Out = true, false
		case FaultDropRequests:
			rule.Drop, rule.In = true, false
		case FaultHalfOpen:
			rule.Drop = true
		case FaultDelayIn:
			rule.Delay, rule.Out = time.Duration(f.Lag), false
		case FaultDelayOut:
			rule.Delay, rule.In = time.Duration(f.Lag), false
		}
		f.count, f.end = rule.Hits, node.link.Add(rule)
	}
}

// flap cuts connections every 500 to 1,500 ms.
func (n *nemesis) flap(f *injected, node *node) {
	over := make(chan struct{})
	rng := rand.New(rand.NewPCG(n.w.plan.Seed, uint64(f.index))) //nolint:gosec // an index
	n.w.background.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(500*time.Millisecond + time.Duration(rng.Int64N(int64(time.Second)))):
				f.hits.Add(int64(node.link.Cut(address(f.Broker))))
			}
		}
	})
	f.end = func() { close(over) }
}
