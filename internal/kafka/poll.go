package kafka

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// fetched is what one poll brought for a partition, before its records are converted.
type fetched struct {
	batch   Batch
	records []*kgo.Record
}

// hand passes what was polled to the handler. It runs on the poll goroutine, within a
// turn of the gate.
func (m *member) hand(fetches kgo.Fetches) {
	fetches.EachError(func(topic string, partition int32, err error) { m.fetchFailed(topic, partition, err) })
	all := m.take(fetches)
	if len(all) == 0 {
		return
	}
	m.c.steps.Pass(failpoint.Polled)
	batches := make([]Batch, len(all))
	for i := range all {
		all[i].batch.Records, all[i].batch.Control = convert(all[i].records)
		batches[i] = all[i].batch
	}
	m.c.h.Fetched(batches)
}

// take drops what is of no assignment or was handed over before, and moves the
// partitions on.
func (m *member) take(fetches kgo.Fetches) []fetched {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []fetched
	for i := range fetches {
		for j := range fetches[i].Topics {
			topic := &fetches[i].Topics[j]
			for k := range topic.Partitions {
				from := &topic.Partitions[k]
				p := m.parts[observe.TopicPartition{Topic: topic.Topic, Partition: from.Partition}]
				if p == nil || !p.begun || p.stopped || (p.trouble != nil && p.trouble.kind == truncated) {
					continue
				}
				if records := p.take(from.Records); len(records) > 0 {
					all = append(all, fetched{
						batch: Batch{
							TP: p.tp, Epoch: p.epoch, Gen: p.gen, LogEnd: m.c.opts.logEnd(from),
							LeaderEpoch: records[0].LeaderEpoch, Later: laterLeaders(records),
						},
						records: records,
					})
				}
			}
		}
	}
	return all
}

// laterLeaders are those behind the first record's. Epochs ascend, so mostly a look at the
// last record tells that there is none.
func laterLeaders(records []*kgo.Record) []Leader {
	var later []Leader
	last := records[len(records)-1].LeaderEpoch
	for i, epoch := 1, records[0].LeaderEpoch; epoch != last; i++ {
		if r := records[i]; r.LeaderEpoch != epoch {
			epoch = r.LeaderEpoch
			later = append(later, Leader{From: r.Offset, Epoch: epoch})
		}
	}
	return later
}

// take cuts off what lies below next: kgo went back, and it was handed over already.
func (p *partition) take(records []*kgo.Record) []*kgo.Record {
	if len(records) == 0 {
		return nil
	}
	if records[0].Offset < p.next {
		from := sort.Search(len(records), func(i int) bool { return records[i].Offset >= p.next })
		records = records[from:]
	}
	if len(records) > 0 {
		p.next = records[len(records)-1].Offset + 1
		p.tries = 0
	}
	return records
}

// logEnd is the end that the isolation level shows.
func (o *Options) logEnd(p *kgo.FetchPartition) int64 {
	if !o.ReadUncommitted && p.LastStableOffset >= 0 {
		return p.LastStableOffset
	}
	return p.HighWatermark
}

// fetchFailed sorts the errors that a poll brings. kgo tries again by itself what it
// does not report.
func (m *member) fetchFailed(topic string, number int32, err error) {
	var session *kgo.ErrGroupSession
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded) && topic == "",
		errors.Is(err, kgo.ErrClientClosed):
		return
	case errors.As(err, &session):
		m.sessionFailed(session.Err)
		return
	}
	if end := fatal(err); end != nil {
		m.end(end, true)
		return
	}
	if topic == "" {
		m.c.warn("a fetch failed", typed(err))
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for tp, p := range m.parts {
		if tp.Topic == topic && (number == tp.Partition || number < 0) && p.begun {
			m.trouble(p, classify(err), err)
		}
	}
}

// sessionFailed handles the end of a session that is no rebalance. kgo has called
// onLost and joins again after a backoff.
func (m *member) sessionFailed(err error) {
	if end := fatal(err); end != nil {
		m.end(end, true)
		return
	}
	if errors.Is(err, kerr.UnreleasedInstanceID) {
		m.unreleased(err)
		return
	}
	m.c.warn("the group session ended; joining again", err)
}

// classify names the trouble that an error of a fetch is.
func classify(err error) kind {
	var loss *kgo.ErrDataLoss
	var large *kgo.ErrDecompressTooLarge
	switch {
	case errors.As(err, &loss):
		return truncated
	case errors.As(err, &large):
		return poisoned
	case errors.Is(err, kerr.OffsetOutOfRange):
		return outOfRange
	case errors.Is(err, kerr.UnknownTopicID), errors.Is(err, kerr.UnknownTopicOrPartition):
		return missing
	case kerr.IsRetriable(err):
		return transient
	}
	return failing
}

// seekAll does what Seek and repairs asked for. It runs on the poll goroutine between
// polls, so that what was handed over before is of the old generation and all that
// follows of the new one.
func (m *member) seekAll() {
	m.mu.Lock()
	asks := m.asks
	m.asks = nil
	m.mu.Unlock()
	for i, a := range asks {
		superseded := a.repairs != nil && slices.ContainsFunc(asks[i+1:], func(b ask) bool { return b.tp == a.tp && b.repairs == nil })
		if !superseded {
			m.reposition(a)
		}
	}
}
