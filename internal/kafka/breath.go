package kafka

import (
	"time"

	"github.com/troupe-go/troupe/runtime/observe"
)

// breath is how long the poll loop waits, at most, for a partition whose buffer is full
// and whose records are being worked at, before it stops fetching the partition.
//
// kgo drops what it has fetched of a partition that is paused, and fetches it again
// later. A behavior that is nearly as fast as the broker fills the buffer with every
// other poll and is through with it a millisecond later: paused at once, it had half of
// all records fetched and decoded twice, and waited for a long poll to end besides. A
// partition that is not relieved in time is slow: from then on it is paused without a
// wait, until a pause of it was shorter than a breath.
const breath = 10 * time.Millisecond

// PauseSoon is Pause for a partition that its owner expects to resume in moments. Until
// it does, or a breath has passed, nothing at all is polled.
func (c *Client) PauseSoon(tp observe.TopicPartition) {
	m := c.member()
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.parts[tp]
	if p == nil {
		return
	}
	p.fullAt = time.Now()
	if p.slow {
		p.paused = true
		m.sync(p)
		return
	}
	p.full = true
}

// relieve ends a PauseSoon. The caller holds m.mu.
func (m *member) relieve(p *partition) {
	if p.slow && time.Since(p.fullAt) < breath {
		p.slow = false
	}
	if !p.full {
		return
	}
	p.full = false
	select {
	case m.relieved <- struct{}{}:
	default: // one is as good as many
	}
}

// breathe holds the poll loop while partitions are full, and then pauses those that
// still are.
func (m *member) breathe(done <-chan struct{}) {
	if !m.anyFull() {
		return
	}
	timer := time.NewTimer(breath)
	defer timer.Stop()
	for m.anyFull() {
		select {
		case <-m.relieved:
		case <-done:
			return
		case <-timer.C:
			m.pauseFull()
			return
		}
	}
}

func (m *member) anyFull() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.parts {
		if p.full {
			return true
		}
	}
	return false
}

func (m *member) pauseFull() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.parts {
		if p.full {
			p.full, p.slow, p.paused = false, true, true
			m.sync(p)
		}
	}
}
