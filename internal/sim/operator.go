package sim

import (
	"github.com/troupe-go/troupe/actors"
)

func (n *nemesis) operator(f *injected) {
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

func (n *node) owns(topic string, partition int32) bool {
	for _, p := range n.rt.Stats().Partitions {
		if p.Topic == topic && p.Partition == partition {
			return true
		}
	}
	return false
}
