//go:build synctests

package scenarios

import (
	"slices"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// poll is the independent reader of committed offsets.
func (w *world) poll() {
	for {
		select {
		case <-w.over:
			return
		case <-time.After(time.Second):
			w.observeCommitted()
			w.sample()
		}
	}
}

// sample reads the Stats of all nodes.
func (w *world) sample() {
	w.mu.Lock()
	nodes := slices.Clone(w.nodes)
	w.mu.Unlock()
	for _, n := range nodes {
		if !n.dead.Load() {
			n.sample()
		}
	}
}

func (w *world) observeCommitted() {
	info := w.c.Broker().GroupInfo(group)
	if info == nil {
		return
	}
	for topic, partitions := range info.Commits {
		for p, c := range partitions {
			w.observer.Committed(observe.TopicPartition{Topic: topic, Partition: p}, c.Offset)
		}
	}
}

// judge ends the runtimes, reads everything back and gives the verdict.
func (w *world) judge(checks ...string) {
	w.t.Helper()
	for _, n := range w.nodes {
		w.countTaken(n)
		if !n.killed && !n.ended {
			if err := n.shutDown(); err != nil {
				w.t.Errorf("%s: stop: %v", n.name, err)
			}
		}
	}
	w.observeCommitted()
	w.close()
	for _, topic := range w.topics {
		for _, r := range w.c.Records(topic) {
			w.observer.Read(r)
		}
		w.observer.TopicRead(topic)
		for _, info := range w.c.Broker().PartitionInfos(topic) {
			w.observer.Log(tp(topic, info.Partition), info.LogStartOffset, info.HighWatermark)
		}
	}
	for _, topic := range w.dead {
		for _, r := range w.c.Records(topic) {
			w.observer.Copy(r)
		}
		w.observer.TopicRead(topic)
	}
	w.enteredOnce()
	w.probed()
	report := check.Judge(w.h.Events(), checks...)
	if err := report.Err(); err != nil {
		w.t.Errorf("verdict:\n%v", err)
	}
	tell(w.t, checks, w.counters.total(), compared(report))
}

// countTaken counts what membership did to a node: a rebalance that took nothing is none.
func (w *world) countTaken(n *node) {
	w.counters.hitN("revoked", int64(count[observe.RevokeEnded](n)))
	w.counters.hitN("lost", int64(count[observe.Lost](n)))
}

// probed are the findings of the probes, but of nodes that were killed or stood still: they
// end as they may.
func (w *world) probed() {
	w.t.Helper()
	for _, n := range w.nodes {
		for _, f := range n.watcher.Findings() {
			if !n.killed && !n.stalled {
				w.t.Errorf("%s: %v", n.name, f)
			}
		}
	}
}

// enteredOnce: within an assignment no offset enters a machine twice, but for those that
// a rebuild reads again from the line.
func (w *world) enteredOnce() {
	w.t.Helper()
	type assigned struct {
		incarnation string
		tp          observe.TopicPartition
		epoch       uint64
	}
	next, rebuilds, batches := map[assigned]int64{}, map[assigned]int{}, 0
	events := w.h.Events()
	for i := range events {
		ev := &events[i]
		at := assigned{ev.Incarnation, ev.TP(), ev.Epoch}
		switch ev.Kind { //nolint:exhaustive // the others do not matter
		case history.Escalated:
			rebuilds[at]++
		case history.Fetched:
			batches++
			if ev.Offset < next[at] {
				if rebuilds[at]--; rebuilds[at] < 0 {
					w.t.Errorf("%s: [%d, %d) of %s enters in epoch %d, and %d was reached before",
						at.incarnation, ev.Offset, ev.To, at.tp, at.epoch, next[at])
				}
			}
			next[at] = ev.To
		}
	}
	if batches == 0 && slices.ContainsFunc(events, func(ev history.Event) bool { return ev.Kind == history.Enter }) {
		w.t.Error("nobody told of what was fetched")
	}
}
