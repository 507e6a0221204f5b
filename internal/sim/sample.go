package sim

import (
	"cmp"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/probe"
	"github.com/troupe-go/troupe/runtime"
)

// The defaults of what a topic's plan leaves open.
const (
	bufferRecords = 10_000
	bufferBytes   = 64 << 20
	aheadMax      = 100_000
	batchBytes    = 512<<10 + 64<<20 // a fetch of a partition, and the largest batch behind it
)

// sample looks at the members: what they hold is written down, and the probes look too.
// One that stands still shows nothing.
func (w *world) sample(info *kfake.GroupInfo) {
	w.stable = info != nil && info.State == "Stable"
	w.commits = nil
	if info != nil {
		w.commits = info.Commits
	}
	w.mu.Lock()
	nodes := slices.Clone(w.nodes)
	w.mu.Unlock()
	for _, n := range nodes {
		if n.running() && !n.gate.Held() {
			n.sample()
		}
	}
}

func (n *node) sample() {
	n.stats = n.rt.Stats()
	for i := range n.stats.Partitions {
		p := &n.stats.Partitions[i]
		if p.Unresponsive {
			continue
		}
		t := n.w.topic(p.Topic)
		n.w.observer.Sampled(n.name, tp(p.Topic, p.Partition), &history.Sample{
			Next: p.Next, LogEnd: p.LogEnd, Buffered: p.Buffered, Bytes: p.BufferedBytes, Ahead: p.Ahead, Reasons: p.PauseReasons,
			MaxBuffered: cmp.Or(t.Buffer, bufferRecords), MaxBytes: bufferBytes, MaxAhead: cmp.Or(t.MaxAhead, aheadMax), BatchBytes: batchBytes,
		})
	}
	n.probe.Sample(time.Now())
}

// topic is a plan's input; nil: the plan has none of that name.
func (w *world) topic(name string) *Topic {
	i := slices.IndexFunc(w.plan.Topics, func(t Topic) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &w.plan.Topics[i]
}

// watched makes the probe of a node. It sees what sample has read.
func (n *node) watched() *probe.Probe {
	g := &n.w.plan.Group
	stall := time.Minute
	for i := range n.w.plan.Topics {
		stall = max(stall, 3*time.Duration(n.w.plan.Topics[i].Calls.TailMax))
	}
	return probe.New(probe.SourceFunc(func() runtime.Stats { return n.stats }), probe.Config{
		CommitInterval: time.Duration(g.Interval), DrainTimeout: time.Duration(g.Drain), CommitTimeout: time.Duration(g.Commit),
		ShutdownTimeout: time.Duration(g.Shutdown), Stall: stall, Stable: n.w.isCalm,
		Committed: func(topic string, partition int32) (int64, error) {
			if c, ok := n.w.commits[topic][partition]; ok {
				return c.Offset, nil
			}
			return -1, nil
		},
	})
}

// probed takes what the probes found and compared. How a process ends that was killed or
// stood still is not judged.
func (w *world) probed() {
	for _, n := range w.nodes {
		for name, times := range n.probe.Compared() {
			w.result.Compared[name] += times
		}
		for _, f := range n.probe.Findings() {
			if f.Probe != probe.L4 || !n.dead.Load() && !n.stalled {
				w.violated(f.Probe, "%s: %s", n.name, f.What)
			}
		}
	}
}

// leaks are goroutines that runtimes left behind: L7.
func (w *world) leaks() {
	w.result.Compared[probe.L7]++
	for _, stack := range probe.Leaks() {
		w.violated(probe.L7, "a goroutine is left behind: %s", stack)
	}
}
