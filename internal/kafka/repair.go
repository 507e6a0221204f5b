package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/runtime/observe"
)

// kind is what is wrong with a partition.
type kind int

const (
	starting   kind = iota // its start is not resolved
	outOfRange             // its position is outside of the log
	truncated              // the log was cut off below its position
	poisoned               // a batch decompresses beyond the limit
	missing                // its topic is unknown to a broker
	transient              // kgo mends it; asking at once would be a hot loop
	failing                // anything else that kgo reports and does not mend
)

// transientFor is how long a partition waits at most for kgo to find its leader, and
// patience how many waits in a row are nothing to warn about.
const (
	transientFor = 500 * time.Millisecond
	patience     = 20
)

// trouble keeps a partition from being fetched until it is repaired. It is immutable but
// for tries and due, which member.mu guards.
type trouble struct {
	kind  kind
	err   error
	due   time.Time // of the next try
	tries int
}

// trouble makes p a case for repairs, unless it is one. The caller holds m.mu.
func (m *member) trouble(p *partition, k kind, err error) {
	if p.trouble != nil || p.stopped {
		return
	}
	p.trouble = &trouble{kind: k, err: err, due: time.Now()}
	switch {
	case k == transient:
		p.trouble.due = p.trouble.due.Add(min(backoff(p.tries), transientFor))
	case k == failing, k == starting, p.tries > 0:
		p.trouble.due = p.trouble.due.Add(backoff(p.tries))
	}
	p.tries++
	m.sync(p)
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// repairs runs on a goroutine of its own until the member is over. It is the only one
// that waits for brokers and for the handler on behalf of partitions in trouble.
func (m *member) repairs() {
	timer := time.NewTimer(pollFor)
	defer timer.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-m.wake:
		case <-timer.C:
		}
		for _, c := range m.due() {
			m.repair(c)
		}
		timer.Reset(m.wait())
	}
}

// patient is a snapshot of a partition in trouble.
type patient struct {
	tp      observe.TopicPartition
	epoch   observe.Epoch
	gen     uint32
	next    int64
	begun   bool
	trouble *trouble
}

// due returns the partitions whose repair is due, and puts off the next try of each.
func (m *member) due() []patient {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	var out []patient
	for tp, p := range m.parts {
		if p.trouble == nil || p.trouble.due.After(now) {
			continue
		}
		p.trouble.tries++
		p.trouble.due = now.Add(m.c.opts.CommitTimeout + backoff(p.trouble.tries))
		out = append(out, patient{tp, p.epoch, p.gen, p.next, p.begun, p.trouble})
	}
	slices.SortFunc(out, func(a, b patient) int { return byTopic(a.tp, b.tp) })
	return out
}

// wait is how long until the next repair is due.
func (m *member) wait() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := pollFor
	for _, p := range m.parts {
		if p.trouble != nil {
			wait = min(wait, time.Until(p.trouble.due))
		}
	}
	return max(wait, 0)
}

func (m *member) repair(c patient) {
	ctx, cancel := context.WithTimeout(m.ctx, m.c.opts.CommitTimeout)
	defer cancel()
	var err error
	switch c.trouble.kind {
	case starting:
		err = m.repairStart(ctx, c)
	case outOfRange:
		err = m.repairRange(ctx, c)
	case truncated:
		m.repairTruncated(c)
	case poisoned:
		m.repairPoisoned(c)
	case missing:
		err = m.repairMissing(ctx, c)
	case transient:
		m.resume(c)
	case failing:
		m.c.warn(fmt.Sprintf("%s cannot be fetched; trying again", c.tp), typed(c.trouble.err))
		m.ask(ask{tp: c.tp, epoch: c.epoch, gen: c.gen, offset: c.next, repairs: c.trouble})
	}
	if err == nil || m.ctx.Err() != nil {
		return
	}
	if end := fatal(err); end != nil {
		m.end(end, true)
		return
	}
	m.c.warn(fmt.Sprintf("%s is not fetched; trying again", c.tp), typed(err))
	m.mu.Lock()
	c.trouble.due = time.Now().Add(backoff(c.trouble.tries))
	m.mu.Unlock()
}

// resume fetches again from where the partition is.
func (m *member) resume(c patient) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.parts[c.tp]; p != nil && p.trouble == c.trouble {
		p.trouble = nil
		m.sync(p)
		if p.tries > patience {
			defer m.c.warn(fmt.Sprintf("%s cannot be fetched; trying again", c.tp), c.trouble.err)
		}
	}
}

// repairStart begins a partition whose start could not be resolved at once.
func (m *member) repairStart(ctx context.Context, c patient) error {
	if !c.begun {
		if err := m.learn(ctx, group([]observe.TopicPartition{c.tp}))[c.tp.Topic]; err != nil {
			return err
		}
		line := m.committed(ctx, []observe.TopicPartition{c.tp})[c.tp]
		if line.err != nil {
			return line.err
		}
		m.note(c.tp, line.text)
		if err := m.begin(ctx, map[observe.TopicPartition]int64{c.tp: line.offset})[c.tp]; err != nil {
			return err
		}
	}
	m.mu.Lock()
	p := m.parts[c.tp]
	if p == nil || p.trouble != c.trouble {
		m.mu.Unlock()
		return nil
	}
	next := p.next
	m.mu.Unlock()
	m.ask(ask{tp: c.tp, epoch: c.epoch, offset: next, repairs: c.trouble})
	return nil
}

// repairRange finds out what lies outside: the log starts above the position, ends below
// it, or a broker was behind.
func (m *member) repairRange(ctx context.Context, c patient) error {
	line := map[observe.TopicPartition]int64{c.tp: c.next}
	log := m.logs(ctx, []observe.TopicPartition{c.tp}, line)[c.tp]
	if log.err != nil {
		return log.err
	}
	a := start(m.c.topics[c.tp.Topic], c.next, log)
	if a.Gap == nil {
		m.ask(ask{tp: c.tp, epoch: c.epoch, gen: c.gen, offset: c.next, repairs: c.trouble})
		return nil
	}
	m.gap(c, *a.Gap)
	return nil
}

// repairTruncated stops where kgo found out that the log was cut off. kgo has gone back
// to where the log diverged.
func (m *member) repairTruncated(c patient) {
	var loss *kgo.ErrDataLoss
	gap := Gap{From: c.next, To: c.next, Possible: true, Stopped: true}
	if errors.As(c.trouble.err, &loss) {
		gap.To = loss.ResetTo
	}
	gap.Err = fmt.Errorf("%w: %w", ErrTruncated, c.trouble.err)
	m.gap(c, gap)
}

// repairPoisoned stops before a batch that is too large.
func (m *member) repairPoisoned(c patient) {
	gap := Gap{From: c.next, To: c.next + 1, Possible: true, Stopped: true}
	var large *kgo.ErrDecompressTooLarge
	if errors.As(c.trouble.err, &large) {
		gap.From, gap.To = max(large.Offset, c.next), large.NextOffset
	}
	gap.Err = fmt.Errorf("%w: %w", ErrBatchTooLarge, c.trouble.err)
	m.gap(c, gap)
}

// gap tells the handler of a gap, and goes on behind it or stops. The generation goes up
// either way. A Seek that came first has mended the partition in its own way.
func (m *member) gap(c patient, gap Gap) {
	gen := c.gen + 1
	m.tell(func() {
		m.mu.Lock()
		p := m.parts[c.tp]
		ok := p != nil && p.trouble == c.trouble
		if ok && gap.Stopped {
			p.gen, p.stopped, p.trouble = gen, true, nil
			m.sync(p)
		}
		m.mu.Unlock()
		if ok {
			m.c.h.Gapped(c.tp, c.epoch, gap, gen)
		}
	})
	if !gap.Stopped {
		m.ask(ask{tp: c.tp, epoch: c.epoch, gen: gen, offset: gap.To, repairs: c.trouble})
	}
}

// repairMissing ends the partition when its topic is gone, or is another one by now.
func (m *member) repairMissing(ctx context.Context, c patient) error {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(c.tp.Topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return err
	}
	if len(resp.Topics) != 1 {
		return errNoAnswer
	}
	err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	known := m.topicID(c.tp.Topic)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition) && c.trouble.tries > 1:
		m.ended(c, ErrTopicUnknown)
		return nil
	case err == nil && known != [16]byte{} && resp.Topics[0].TopicID != known:
		m.ended(c, ErrTopicRecreated)
		return nil
	case err == nil && c.begun:
		m.ask(ask{tp: c.tp, epoch: c.epoch, gen: c.gen, offset: c.next, repairs: c.trouble})
		return nil
	case err == nil:
		return c.trouble.err
	}
	return err
}

// ended lets go of a partition whose topic is gone. Its assignment stays with this
// member, which does nothing about it any more.
func (m *member) ended(c patient, cause error) {
	m.tell(func() {
		m.mu.Lock()
		p := m.parts[c.tp]
		ok := p != nil && p.trouble == c.trouble
		if ok {
			delete(m.parts, c.tp) // kgo goes on holding it back
		}
		m.mu.Unlock()
		if ok {
			m.c.h.Ended(c.tp, &TopicError{Topic: c.tp.Topic, Err: cause})
		}
	})
}
