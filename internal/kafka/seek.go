package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// seekAgain is when a seek that kgo did not take is tried again: it takes none until
// the partition's first offset is set, moments after Handler.Assigned.
const seekAgain = 50 * time.Millisecond

// ask is a new position for a partition.
type ask struct {
	tp      observe.TopicPartition
	epoch   observe.Epoch
	gen     uint32
	offset  int64
	repairs *trouble // what it ends; nil: Seek asked, which ends any
}

// Pause stops fetching tp, until Resume or the end of its assignment. What kgo has
// fetched and not polled is fetched again after Resume. It does not block, and does
// nothing for a partition that is not assigned.
func (c *Client) Pause(tp observe.TopicPartition) { c.setPaused(tp, true) }

// Resume fetches tp again, unless a gap stopped it. It does not block.
func (c *Client) Resume(tp observe.TopicPartition) { c.setPaused(tp, false) }

func (c *Client) setPaused(tp observe.TopicPartition, paused bool) {
	m := c.member()
	if m == nil || c.steps.Hit(failpoint.Pause) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.parts[tp]; p != nil {
		p.paused = paused
		m.relieve(p)
		m.sync(p)
	}
}

// Seek goes on at offset: batches of tp that are fetched from there carry gen. It also
// sets going again what a gap stopped or kgo dropped. It does not block: it is done
// between two polls, so that no Batch of an older generation follows one of gen.
// Nothing happens when epoch is not tp's assignment any more. A partition that is paused
// stays so, and one that is not is not fetched until it has moved: kgo gives up a fetch
// that is under way when a position changes, closes its connection and waits 250 ms.
func (c *Client) Seek(tp observe.TopicPartition, epoch observe.Epoch, gen uint32, offset int64) {
	if m := c.member(); m != nil {
		m.ask(ask{tp: tp, epoch: epoch, gen: gen, offset: offset})
	}
}

func (m *member) ask(a ask) {
	m.mu.Lock()
	if p := m.parts[a.tp]; p != nil && p.epoch == a.epoch && a.repairs == nil {
		p.seeks++
		m.sync(p)
	}
	m.mu.Unlock()
	m.queue(a)
}

func (m *member) queue(a ask) {
	m.mu.Lock()
	if !m.over {
		m.asks = append(m.asks, a)
	}
	m.mu.Unlock()
	m.gate.nudge()
}

// reposition runs on the poll goroutine.
func (m *member) reposition(a ask) {
	m.mu.Lock()
	p := m.parts[a.tp]
	if p == nil || p.epoch != a.epoch {
		m.mu.Unlock()
		return
	}
	if a.gen < p.gen || !p.begun || (a.repairs != nil && p.trouble != a.repairs) {
		m.settle(p, a)
		m.mu.Unlock()
		return
	}
	moved := p.next != a.offset
	m.mu.Unlock()
	if m.c.steps.Hit(failpoint.Seek) != nil || !m.set(a.tp, a.offset, moved) {
		time.AfterFunc(seekAgain, func() { m.queue(a) })
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.parts[a.tp] != p {
		return
	}
	p.gen, p.next, p.trouble = a.gen, a.offset, nil
	if a.repairs == nil {
		p.stopped = false
	}
	m.settle(p, a)
}

// settle is the end of an ask, done or not. The caller holds m.mu.
func (m *member) settle(p *partition, a ask) {
	if a.repairs == nil {
		p.seeks--
	}
	m.sync(p)
}

// set moves kgo's cursor, and reports whether kgo took it. kgo ignores an offset that it
// thinks it has, even for a partition that it has dropped: then it is moved away first.
// Nothing is fetched from there: whatever asks for a move holds the partition.
func (m *member) set(tp observe.TopicPartition, offset int64, moved bool) bool {
	to := func(offset int64) {
		m.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{tp.Topic: {tp.Partition: {Epoch: -1, Offset: offset}}})
	}
	if !moved {
		to(offset + 1)
	}
	to(offset)
	got, ok := m.cl.CommittedOffsets()[tp.Topic][tp.Partition]
	return ok && got.Offset == offset
}
