package runtimetest

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
)

// Produce appends a record and returns once it is acknowledged. Its partition follows
// from its key, as with Kafka's own producers; an empty key is none, and goes to the
// partition 0. Its timestamp is now.
func (c *Cluster) Produce(topic, key, value string) {
	c.tb.Helper()
	rec := &kgo.Record{Topic: topic, Value: []byte(value), Partition: -1}
	if key == "" {
		rec.Partition = 0
	} else {
		rec.Key = []byte(key)
	}
	c.produce([]*kgo.Record{rec})
}

// ProduceRecords appends records to exactly the partitions they name, in order, with
// their headers and timestamps, and sets their offsets. A zero timestamp is now; one of
// time.UnixMilli(-1) writes a record that has none.
func (c *Cluster) ProduceRecords(recs ...*actors.Record) {
	c.tb.Helper()
	out := make([]*kgo.Record, len(recs))
	for i, r := range recs {
		out[i] = &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, kgo.RecordHeader(h))
		}
	}
	c.produce(out)
	for i, r := range recs {
		r.Offset = out[i].Offset
	}
}

func (c *Cluster) produce(recs []*kgo.Record) {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	if err := c.client.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		c.tb.Fatalf("runtimetest: produce to %q: %v", recs[0].Topic, err)
	}
}

// partitioner keeps the partitions that are set, and lets keys decide on the others.
type partitioner struct{ byKey kgo.Partitioner }

// ForTopic is kgo.Partitioner's.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ byKey kgo.TopicPartitioner }

// RequiresConsistency is kgo.TopicPartitioner's.
func (topicPartitioner) RequiresConsistency(*kgo.Record) bool { return true }

// Partition is kgo.TopicPartitioner's.
func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if r.Partition < 0 {
		return p.byKey.Partition(r, n)
	}
	return int(r.Partition)
}

// Committed is the committed offset of the group of the runtime that was started last:
// the first one that is not complete. It is -1 when nothing is committed.
func (c *Cluster) Committed(topic string, partition int32) int64 {
	c.tb.Helper()
	if len(c.members) == 0 {
		c.tb.Fatal("runtimetest: Committed asks for the group of a runtime, and none was started")
	}
	return c.committed(c.members[len(c.members)-1].group, topic, partition)
}

func (c *Cluster) committed(group, topic string, partition int32) int64 {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	offsets, err := kadm.NewClient(c.client).FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return -1
	}
	if err != nil {
		c.tb.Fatalf("runtimetest: committed offsets of %q: %v", group, err)
	}
	if o, ok := offsets.Lookup(topic, partition); ok {
		return o.At
	}
	return -1
}

// Records reads a topic from its start to its end: partition by partition, in offset
// order, without those of transactions that were aborted or are open.
func (c *Cluster) Records(topic string) []*actors.Record {
	c.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	ends := c.ends(ctx, topic)
	from := map[int32]kgo.Offset{}
	left := map[int32]int64{} // where each partition ends
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().AtStart(), o.Offset
		}
	})
	if len(left) == 0 {
		return nil
	}
	reader := c.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	defer reader.Close()
	return c.read(ctx, reader, left)
}

// ends are where the topic's partitions end. Leaders may have moved since anybody asked.
func (c *Cluster) ends(ctx context.Context, topic string) kadm.ListedOffsets {
	c.tb.Helper()
	for {
		ends, err := kadm.NewClient(c.client).ListCommittedOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		switch {
		case err == nil:
			return ends
		case !kerr.IsRetriable(err) || ctx.Err() != nil:
			c.tb.Fatalf("runtimetest: read %q: %v", topic, err)
		}
		c.client.ForceMetadataRefresh()
		time.Sleep(time.Second)
	}
}

func (c *Cluster) read(ctx context.Context, reader *kgo.Client, left map[int32]int64) []*actors.Record {
	c.tb.Helper()
	var recs []*actors.Record
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			c.tb.Fatalf("runtimetest: read to the ends %v: %v", left, err)
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			// What was deleted or compacted away has no record, but moves the start.
			if p.LogStartOffset >= left[p.Partition] {
				delete(left, p.Partition)
			}
		})
		fetches.EachRecord(func(r *kgo.Record) {
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				recs = append(recs, record(r))
			}
		})
	}
	slices.SortStableFunc(recs, func(a, b *actors.Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return recs
}

func record(r *kgo.Record) *actors.Record {
	rec := &actors.Record{
		Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp,
	}
	if r.Timestamp.UnixMilli() == -1 {
		rec.Timestamp = time.Time{}
	}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, actors.Header(h))
	}
	return rec
}
