package kafka

import (
	"context"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// onFetched is kgo's callback, right before adjust, which gets the same lines without what
// came with them. The names of topics are kgo's doing where the answer has ids alone.
func (m *member) onFetched(_ context.Context, _ *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			name := m.topicName(t.Topic, t.TopicID)
			for _, p := range t.Partitions {
				if p.Metadata != nil {
					m.note(observe.TopicPartition{Topic: name, Partition: p.Partition}, *p.Metadata)
				}
			}
		}
	}
	return nil
}

// note keeps what came with a commit line until its partition begins.
func (m *member) note(tp observe.TopicPartition, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.parts[tp]; p != nil && !p.begun {
		p.text = text
	}
}

// adjust is kgo's callback: it gets the commit lines of newly assigned partitions and
// returns where each is fetched from. kgo calls it again for the same partitions when a
// rebalance cuts it short.
//
// What cannot be resolved at once does not hold up the others: such a partition gets a
// stand-in position, is not fetched, and becomes a repair.
func (m *member) adjust(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	lines := map[observe.TopicPartition]int64{}
	failed := map[observe.TopicPartition]error{}
	m.mu.Lock()
	for tp, p := range m.parts {
		if p.begun || p.trouble != nil {
			continue
		}
		if offset, ok := offsets[tp.Topic][tp.Partition]; ok {
			lines[tp] = max(offset.EpochOffset().Offset, -1)
		} else {
			failed[tp] = errNoAnswer // kgo has reported why to the poll
		}
	}
	m.mu.Unlock()
	try, cancel := context.WithTimeout(ctx, m.c.opts.CommitTimeout)
	defer cancel()
	maps.Copy(failed, m.begin(try, lines))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return m.positions(offsets, failed), nil
}

// positions are what kgo is to fetch: exact offsets, all of them, since anything else it
// would resolve, and move, by itself.
func (m *member) positions(offsets map[string]map[int32]kgo.Offset, failed map[observe.TopicPartition]error) map[string]map[int32]kgo.Offset {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]map[int32]kgo.Offset{}
	put := func(tp observe.TopicPartition, at int64) {
		if out[tp.Topic] == nil {
			out[tp.Topic] = map[int32]kgo.Offset{}
		}
		out[tp.Topic][tp.Partition] = kgo.NewOffset().At(at)
	}
	for topic, partitions := range offsets {
		for partition := range partitions {
			tp := observe.TopicPartition{Topic: topic, Partition: partition}
			if p := m.parts[tp]; p != nil && p.begun {
				m.sync(p)
				put(tp, p.next)
			}
		}
	}
	for tp, err := range failed {
		if p := m.parts[tp]; p != nil {
			m.trouble(p, starting, err)
			put(tp, 0)
		}
	}
	return out
}

// begin finds out where partitions start, commits the start of those without a line, and
// tells the handler. It returns the partitions that it could not begin, and why.
func (m *member) begin(ctx context.Context, lines map[observe.TopicPartition]int64) map[observe.TopicPartition]error {
	failed := map[observe.TopicPartition]error{}
	if len(lines) == 0 {
		return failed
	}
	tps := slices.SortedFunc(maps.Keys(lines), byTopic)
	if err := m.c.steps.Hit(failpoint.Start); err != nil {
		for _, tp := range tps {
			failed[tp] = err
		}
		return failed
	}
	unknown := m.learn(ctx, group(tps))
	tps = slices.DeleteFunc(tps, func(tp observe.TopicPartition) bool {
		if err := unknown[tp.Topic]; err != nil {
			failed[tp] = err
		}
		return failed[tp] != nil
	})
	logs := m.logs(ctx, tps, lines)
	var as []Assignment
	var fresh []Offset
	for _, tp := range tps {
		log := logs[tp]
		if log.err != nil {
			failed[tp] = log.err
			continue
		}
		a := start(m.c.topics[tp.Topic], lines[tp], log)
		a.TP = tp
		as = append(as, a)
		if a.Committed < 0 {
			fresh = append(fresh, Offset{TP: tp, Next: a.Start})
		}
	}
	if len(fresh) > 0 {
		for i, r := range m.commit(ctx, fresh) {
			if r.Outcome != observe.OK {
				failed[fresh[i].TP] = r.Err
			}
			if r.Outcome == observe.Unknown || r.Resent {
				m.doubt(fresh[i].TP)
			}
		}
	}
	as = slices.DeleteFunc(as, func(a Assignment) bool { return failed[a.TP] != nil })
	m.tell(func() { m.assigned(as) })
	return failed
}

// doubt notes that the broker may store the start of a partition late, when its commit
// line is beyond it.
func (m *member) doubt(tp observe.TopicPartition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.parts[tp]; p != nil {
		p.inDoubt = true
	}
}

// assigned enters what begins and tells the handler. The caller is within tell.
func (m *member) assigned(as []Assignment) {
	m.mu.Lock()
	as = slices.DeleteFunc(as, func(a Assignment) bool {
		p := m.parts[a.TP]
		return p == nil || p.begun
	})
	for i := range as {
		p := m.parts[as[i].TP]
		as[i].Epoch, as[i].InDoubt = p.epoch, p.inDoubt
		if as[i].TopicID = m.ids[as[i].TP.Topic]; as[i].Gap == nil || as[i].Gap.Err == nil {
			as[i].Metadata = p.text
		}
		p.text = ""
		p.begun, p.next = true, as[i].Start
		p.stopped = as[i].Gap != nil && as[i].Gap.Stopped
		m.sync(p)
	}
	m.mu.Unlock()
	if len(as) > 0 {
		m.c.h.Assigned(as)
	}
}

// extent is what a partition's log holds.
type extent struct {
	start, end int64 // end as the isolation level shows it
	high       int64 // the high watermark, known where the line is above end
	err        error
}

// logs asks for the extents of tps.
func (m *member) logs(ctx context.Context, tps []observe.TopicPartition, lines map[observe.TopicPartition]int64) map[observe.TopicPartition]extent {
	starts := m.list(ctx, tps, logStart, readUncommitted)
	ends := m.list(ctx, tps, logEnd, m.c.opts.isolation())
	logs := make(map[observe.TopicPartition]extent, len(tps))
	var above []observe.TopicPartition
	for _, tp := range tps {
		log := extent{start: starts[tp].offset, end: ends[tp].offset, high: ends[tp].offset, err: starts[tp].err}
		if log.err == nil {
			log.err = ends[tp].err
		}
		if log.err == nil && lines[tp] > log.end && !m.c.opts.ReadUncommitted {
			above = append(above, tp) // within a transaction that is open, or above the log
		}
		logs[tp] = log
	}
	for tp, high := range m.list(ctx, above, logEnd, readUncommitted) {
		log := logs[tp]
		log.high, log.err = high.offset, high.err
		logs[tp] = log
	}
	return logs
}

// start decides where a partition starts whose commit line is line; -1: it has none.
func start(topic Topic, line int64, log extent) Assignment {
	a := Assignment{Committed: line, Start: line, LogStart: log.start, LogEnd: log.end}
	switch {
	case line < 0 && topic.StartAt == Latest:
		a.Start = log.end
	case line < 0:
		a.Start = log.start
	case line < log.start:
		a.Start = log.start
		a.Gap = &Gap{From: line, To: log.start, Stopped: !topic.GapGoOn}
	case line > log.high:
		a.Start = log.high
		a.Gap = &Gap{From: line, To: log.high, Possible: true, Stopped: true, Err: ErrTruncated}
	}
	return a
}
