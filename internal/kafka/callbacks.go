package kafka

import (
	"cmp"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// onAssigned is kgo's callback. It comes before the offsets are fetched, after each
// join, also when nothing is new.
func (m *member) onAssigned(_ context.Context, cl *kgo.Client, added map[string][]int32) {
	m.c.steps.Pass(failpoint.Joined)
	id, _ := cl.GroupMetadata()
	m.gate.park()
	expelled, empty := m.adopt(id, added)
	m.gate.unpark()
	if expelled {
		m.expelled()
		return
	}
	if empty {
		m.tell(func() { m.c.h.Assigned(nil) })
	}
}

// adopt enters new partitions. It reports whether the member id changed under ones that
// are held, and whether the handler is to hear of a first assignment that is empty.
func (m *member) adopt(id string, added map[string][]int32) (expelled, empty bool) { //nolint:nonamedreturns // tells the two apart
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return false, false
	}
	if m.isOther(id) {
		return true, false
	}
	m.id = id
	for topic, partitions := range added {
		for _, number := range partitions {
			tp := observe.TopicPartition{Topic: topic, Partition: number}
			m.parts[tp] = &partition{tp: tp, epoch: m.c.nextEpoch()}
		}
	}
	m.cl.ResumeFetchPartitions(added) // a pause outlives a revocation (K4)
	empty = len(m.parts) == 0 && !m.told
	m.told = true
	return false, empty
}

// isOther reports whether kgo joined as another member and keeps the partitions of the old
// one without a word (A1). The caller holds m.mu.
func (m *member) isOther(id string) bool { return m.id != "" && m.id != id && len(m.parts) > 0 }

// expelled loses everything and begins anew.
func (m *member) expelled() {
	m.lose(errExpelled)
	m.end(errExpelled, false)
}

// onRevoked is kgo's callback. kgo heartbeats and fetches what stays meanwhile; when it
// leaves the group it does not heartbeat, but by then the member is over. What it joined
// without as another member was not revoked but lost, some time ago.
func (m *member) onRevoked(_ context.Context, cl *kgo.Client, revoked map[string][]int32) {
	m.c.steps.Pass(failpoint.Revoke)
	id, _ := cl.GroupMetadata()
	m.mu.Lock()
	other := m.isOther(id)
	m.mu.Unlock()
	if other {
		m.expelled()
		return
	}
	if tps := m.drop(revoked); len(tps) > 0 {
		m.await(func() { m.c.h.Revoked(tps) })
	}
}

// onLost is kgo's callback.
func (m *member) onLost(context.Context, *kgo.Client, map[string][]int32) { m.lose(errSessionLost) }

// lose drops everything that is held.
func (m *member) lose(cause error) {
	all := map[string][]int32{}
	m.mu.Lock()
	for tp := range m.parts {
		all[tp.Topic] = append(all[tp.Topic], tp.Partition)
	}
	m.mu.Unlock()
	tps := m.drop(all)
	m.mu.Lock()
	m.id = ""
	m.mu.Unlock()
	if len(tps) > 0 {
		m.await(func() { m.c.h.Lost(tps, cause) })
	}
}

// drop takes partitions out, so that nothing that was polled of them is handed over any
// more, and returns those that the handler knows.
func (m *member) drop(gone map[string][]int32) []observe.TopicPartition {
	m.gate.park()
	defer m.gate.unpark()
	m.mu.Lock()
	defer m.mu.Unlock()
	var tps []observe.TopicPartition
	for topic, partitions := range gone {
		for _, number := range partitions {
			tp := observe.TopicPartition{Topic: topic, Partition: number}
			if p := m.parts[tp]; p != nil && p.begun {
				tps = append(tps, tp)
			}
			delete(m.parts, tp)
		}
	}
	if len(gone) > 0 {
		m.cl.ResumeFetchPartitions(gone) // a pause outlives a revocation (K4)
	}
	slices.SortFunc(tps, byTopic)
	return tps
}

// await calls one of the handler's methods and waits for it, but not beyond the
// member's end: Stop and Rebuild close the kgo client, which waits for its callbacks.
func (m *member) await(f func()) {
	done := make(chan struct{})
	m.c.calls.Go(func() { // Run waits for it
		defer close(done)
		m.tell(f)
	})
	select {
	case <-done:
	case <-m.ctx.Done():
	}
}

func byTopic(a, b observe.TopicPartition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
}
