package sim

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func (n *nemesis) membership(f *injected) {
	node := n.w.current[f.Member]
	switch f.Kind {
	case FaultRebalance:
		h := n.w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: group, TopLevel: true, Err: kerr.RebalanceInProgress, Count: 10, When: members})
		f.count, f.end = h.Hits, h.Remove
		return
	case FaultJoin:
		if node != nil && node.running() {
			return
		}
		node = n.w.start(Member{Name: f.Member})
		f.hits.Add(1)
		f.end = func() { n.w.leave(node) }
		return
	default:
	}
	if node == nil || !node.running() || node.asked {
		return
	}
	if f.Kind == FaultExpel {
		n.expel(f, node)
		return
	}
	f.hits.Add(1)
	switch f.Kind {
	case FaultKill:
		node.kill()
		f.end = func() { n.again(node) }
	case FaultLeave:
		n.w.leave(node)
		f.end = func() { n.again(node) }
	case FaultFreeze:
		n.freeze(f, node)
	}
}

// thawing is how much later than the process its connections go on: what was sent to it
// meanwhile is on its way.
const thawing = 50 * time.Millisecond

// freeze stops a process: connections and gates stall, while the clock goes on. Of several
// that overlap the last one to end lets it go on.
func (n *nemesis) freeze(f *injected, node *node) {
	if !node.gate.Held() {
		node.frozen = time.Now()
	}
	open, pass := node.gate.Hold(), node.link.Hold()
	f.end = func() {
		open()
		if !node.gate.Held() && time.Since(node.frozen) >= time.Duration(n.w.plan.Group.Session) && !node.dead.Load() {
			n.w.observer.Fault(f.of, thawedLate, false)
		}
		n.w.background.Go(func() {
			time.Sleep(thawing)
			pass()
		})
	}
}

// again starts the member of a node that was told to end. An instance id is one process's:
// what is left of it is killed before, as by a StatefulSet, since the group replaces it at
// once, and one that is frozen or cut off would not hear of that.
func (n *nemesis) again(node *node) {
	if n.w.current[node.member.Name] != node {
		return
	}
	if node.member.Instance != "" && node.running() {
		node.kill()
	}
	n.w.start(node.member)
}
