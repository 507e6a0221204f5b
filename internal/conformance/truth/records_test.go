//go:build kafka

package truth

import (
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// produce writes a record; an empty key is none.
func (s *side) produce(partition int32, value, key string) {
	s.t.Helper()
	r := &kgo.Record{Topic: s.topic, Partition: partition, Value: []byte(value)}
	if key != "" {
		r.Key = []byte(key)
	}
	if err := s.cl.ProduceSync(s.t.Context(), r).FirstErr(); err != nil {
		s.t.Fatalf("produce: %v", err)
	}
}

// transaction is one of a client of its own.
type transaction struct {
	s  *side
	cl *kgo.Client
	id string
}

func (s *side) transaction() *transaction {
	s.t.Helper()
	id := s.group + "-tx"
	cl := s.client(kgo.TransactionalID(id))
	if err := cl.BeginTransaction(); err != nil {
		s.t.Fatal(err)
	}
	return &transaction{s: s, cl: cl, id: id}
}

func (t *transaction) produce(partition int32, value string) {
	t.s.t.Helper()
	if err := t.cl.ProduceSync(t.s.t.Context(), &kgo.Record{Topic: t.s.topic, Partition: partition, Value: []byte(value)}).FirstErr(); err != nil {
		t.s.t.Fatalf("produce: %v", err)
	}
}

// offsets commits an offset within the transaction, as m.
func (t *transaction) offsets(m *member, partition int32, offset int64) string {
	s := t.s
	s.t.Helper()
	t.produce(1, "x") // the transaction has begun on the broker
	pid, epoch, err := t.cl.ProducerID(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = t.id, pid, epoch, s.group
	if code := name(ask[*kmsg.AddOffsetsToTxnResponse](s, add).ErrorCode); code != "ok" {
		return code
	}
	req := kmsg.NewPtrTxnOffsetCommitRequest()
	req.TransactionalID, req.ProducerID, req.ProducerEpoch, req.Group = t.id, pid, epoch, s.group
	req.MemberID, req.Generation = m.id, m.generation
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = s.topic, s.topicID
	p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	return name(ask[*kmsg.TxnOffsetCommitResponse](s, req).Topics[0].Partitions[0].ErrorCode)
}

func (t *transaction) end(commit bool) string {
	t.s.t.Helper()
	if err := t.cl.EndTransaction(t.s.t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		return err.Error()
	}
	return "ok"
}

// fetched is what a fetch brought: all offsets of its batches that are not below where it
// began, markers among them.
type fetched struct {
	code    string
	offsets []int64
	aborted []int64 // first offsets of the aborted transactions that the answer lists
}

// fetch reads a partition from an offset on, by one raw request.
func (s *side) fetch(partition int32, from int64, isolation int8) fetched {
	s.t.Helper()
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel, req.ReplicaID, req.SessionEpoch = 200, 1, 1<<20, isolation, -1, -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = s.topic, s.topicID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes, p.CurrentLeaderEpoch = partition, from, 1<<20, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp := ask[*kmsg.FetchResponse](s, req)
	if resp.ErrorCode != 0 {
		return fetched{code: name(resp.ErrorCode)}
	}
	if len(resp.Topics) == 0 {
		return fetched{code: "ok"}
	}
	got := resp.Topics[0].Partitions[0]
	f := fetched{code: name(got.ErrorCode)}
	for _, a := range got.AbortedTransactions {
		f.aborted = append(f.aborted, a.FirstOffset)
	}
	raw, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Topic: s.topic, Partition: partition, Offset: from, KeepControlRecords: true, IsolationLevel: kgo.ReadUncommitted(),
	}, &got, kgo.DefaultDecompressor(), nil)
	for _, r := range raw.Records {
		f.offsets = append(f.offsets, r.Offset)
	}
	return f
}
