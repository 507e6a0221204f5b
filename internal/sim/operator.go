package sim

import (
	"github.com/troupe-go/troupe/actors"
)

func (n *nemesis) operator(f *injected) {
	if f.Kind == FaultForceLane && n.force(f) {
		return
	}
	for _, node := range n.w.nodes {
		if !node.running() || node.gate.Held() || !node.owns(f.Topic, f.Partition) {
			continue
		}
		var err error
		switch f.Kind {
		case FaultPause:
			err = node.rt.PausePartition(f.Topic, f.Partition)
			f.end = func() { _ = node.rt.ResumePartition(f.Topic, f.Partition) } // it may have gone elsewhere
		case FaultRestartPartition:
			err = node.rt.RestartPartition(f.Topic, f.Partition)
		default:
			vp := actors.VirtualPartition{Topic: f.Topic, Partition: f.Partition, Index: int32(f.Count)} //nolint:gosec // a lane
			err = node.rt.RestartLane(vp, f.Kind == FaultForceLane)
		}
		if err == nil {
			f.hits.Add(1)
		}
	}
}

// force forces a lane whose call hangs, which is what that is for, and reports whether there
// is one: the plan cannot know which.
func (n *nemesis) force(f *injected) bool {
	for _, node := range n.w.nodes {
		if !node.running() {
			continue
		}
		if vp, ok := node.quarantined(); ok && node.rt.RestartLane(vp, true) == nil {
			f.hits.Add(1)
			return true
		}
	}
	return false
}

// quarantined is the first lane that is.
func (n *node) quarantined() (actors.VirtualPartition, bool) {
	for _, p := range n.rt.Stats().Partitions {
		for _, l := range p.Lanes {
			if l.State == "quarantined" {
				return actors.VirtualPartition{Topic: p.Topic, Partition: p.Partition, Index: l.Index}, true
			}
		}
	}
	return actors.VirtualPartition{}, false
}

func (n *node) owns(topic string, partition int32) bool {
	for _, p := range n.rt.Stats().Partitions {
		if p.Topic == topic && p.Partition == partition {
			return true
		}
	}
	return false
}
