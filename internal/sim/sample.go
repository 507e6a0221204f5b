package sim

import (
	"slices"

	"github.com/troupe-go/troupe/internal/history"
)

// sample writes down what the members hold of topics whose limits the plan sets.
func (w *world) sample() {
	limited := map[string]*Topic{}
	for i := range w.plan.Topics {
		if t := &w.plan.Topics[i]; t.Buffer > 0 {
			limited[t.Name] = t
		}
	}
	if len(limited) == 0 {
		return
	}
	w.mu.Lock()
	nodes := slices.Clone(w.nodes)
	w.mu.Unlock()
	for _, n := range nodes {
		if !n.running() || n.gate.Held() {
			continue
		}
		stats := n.rt.Stats()
		for i := range stats.Partitions {
			p := &stats.Partitions[i]
			t := limited[p.Topic]
			if t == nil || p.Unresponsive {
				continue
			}
			w.observer.Sampled(n.name, tp(p.Topic, p.Partition), &history.Sample{
				Next: p.Next, LogEnd: p.LogEnd, Buffered: p.Buffered, Bytes: p.BufferedBytes, Ahead: p.Ahead,
				Reasons: p.PauseReasons, MaxBuffered: t.Buffer, MaxAhead: t.MaxAhead,
			})
		}
	}
}
