package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/runtime/observe"
)

// What ListOffsets takes instead of a timestamp, and its isolation levels.
const (
	logStart = -2
	logEnd   = -1

	readUncommitted = 0
	readCommitted   = 1
)

// found is the answer for one partition.
type found struct {
	offset int64
	text   string // what came with a commit line
	err    error
}

var errNoAnswer = errors.New("kafka: the broker did not answer for the partition")

// EndOffsets asks the brokers how far the logs of tps reach: to the last stable offset
// under read_committed. It returns what they answered, and the errors of the others
// joined, each with its partition.
func (c *Client) EndOffsets(ctx context.Context, tps []observe.TopicPartition) ([]EndOffset, error) {
	m := c.member()
	if m == nil {
		return nil, errNotJoined
	}
	ends := make([]EndOffset, 0, len(tps))
	var errs []error
	answers := m.list(ctx, tps, logEnd, c.opts.isolation())
	now := time.Now()
	for _, tp := range tps {
		if a := answers[tp]; a.err != nil {
			errs = append(errs, fmt.Errorf("end of %s: %w", tp, typed(a.err)))
		} else {
			ends = append(ends, EndOffset{TP: tp, LogEnd: a.offset, At: now})
		}
	}
	return ends, errors.Join(errs...)
}

func (o *Options) isolation() int8 {
	if o.ReadUncommitted {
		return readUncommitted
	}
	return readCommitted
}

// list asks the leaders of tps for an offset each. Every one of tps has an answer.
func (m *member) list(ctx context.Context, tps []observe.TopicPartition, which int64, isolation int8) map[observe.TopicPartition]found {
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	req.IsolationLevel = isolation
	for topic, partitions := range group(tps) {
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = topic
		for _, partition := range partitions {
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, which, -1
			t.Partitions = append(t.Partitions, p)
		}
		req.Topics = append(req.Topics, t)
	}
	answers := make(map[observe.TopicPartition]found, len(tps))
	for _, tp := range tps {
		answers[tp] = found{err: errNoAnswer}
	}
	if len(tps) == 0 {
		return answers
	}
	for _, shard := range m.cl.RequestSharded(ctx, req) {
		readList(shard, answers)
	}
	return answers
}

func readList(shard kgo.ResponseShard, answers map[observe.TopicPartition]found) {
	if shard.Err != nil {
		asked, ok := shard.Req.(*kmsg.ListOffsetsRequest)
		if !ok {
			return
		}
		for _, t := range asked.Topics {
			for _, p := range t.Partitions {
				answers[observe.TopicPartition{Topic: t.Topic, Partition: p.Partition}] = found{err: shard.Err}
			}
		}
		return
	}
	resp, ok := shard.Resp.(*kmsg.ListOffsetsResponse)
	if !ok {
		return
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			tp := observe.TopicPartition{Topic: t.Topic, Partition: p.Partition}
			answers[tp] = found{offset: p.Offset, err: kerr.ErrorForCode(p.ErrorCode)}
			if p.ErrorCode == 0 && p.Offset < 0 {
				answers[tp] = found{err: errNoAnswer}
			}
		}
	}
}

// group sorts partitions by topic.
func group(tps []observe.TopicPartition) map[string][]int32 {
	out := map[string][]int32{}
	for _, tp := range tps {
		out[tp.Topic] = append(out[tp.Topic], tp.Partition)
	}
	return out
}

// committed asks the group for the commit lines of tps; -1 where there is none. Offsets
// of transactions that are not finished are waited for: they are an error until then.
func (m *member) committed(ctx context.Context, tps []observe.TopicPartition) map[observe.TopicPartition]found {
	answers := make(map[observe.TopicPartition]found, len(tps))
	fail := func(err error) map[observe.TopicPartition]found {
		for _, tp := range tps {
			answers[tp] = found{err: err}
		}
		return answers
	}
	fail(errNoAnswer)
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = m.c.opts.Group
	for topic, partitions := range group(tps) {
		t := kmsg.NewOffsetFetchRequestGroupTopic()
		t.Topic, t.TopicID, t.Partitions = topic, m.topicID(topic), partitions
		g.Topics = append(g.Topics, t)
	}
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return fail(err)
	}
	if len(resp.Groups) != 1 {
		return fail(errNoAnswer)
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return fail(err)
	}
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			tp := observe.TopicPartition{Topic: m.topicName(t.Topic, t.TopicID), Partition: p.Partition}
			line := found{offset: max(p.Offset, -1), err: kerr.ErrorForCode(p.ErrorCode)}
			if p.Metadata != nil {
				line.text = *p.Metadata
			}
			answers[tp] = line
		}
	}
	return answers
}

// learn asks for the ids of topics that are not known yet: raw requests of newer versions
// name topics by id, and without it no answer could be told to be a topic's. It returns
// the topics whose ids it could not learn, and why.
func (m *member) learn(ctx context.Context, topics map[string][]int32) map[string]error {
	req := kmsg.NewPtrMetadataRequest()
	unknown := map[string]error{}
	m.mu.Lock()
	for topic := range topics {
		if _, ok := m.ids[topic]; !ok {
			unknown[topic] = errNoAnswer
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(topic)
			req.Topics = append(req.Topics, t)
		}
	}
	m.mu.Unlock()
	if len(req.Topics) == 0 {
		return nil
	}
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		for topic := range unknown {
			unknown[topic] = err
		}
		return unknown
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range resp.Topics {
		switch {
		case t.Topic == nil: // not one that was asked for by name
		case t.ErrorCode != 0:
			unknown[*t.Topic] = kerr.ErrorForCode(t.ErrorCode)
		default:
			m.ids[*t.Topic] = t.TopicID
			delete(unknown, *t.Topic)
		}
	}
	return unknown
}

func (m *member) topicID(topic string) [16]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ids[topic]
}

// topicName is the name in an answer, which may carry the id alone.
func (m *member) topicName(name string, id [16]byte) string {
	if name != "" {
		return name
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, known := range m.ids {
		if known == id {
			return topic
		}
	}
	return ""
}
