package sim

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime/observe"
)

func tp(topic string, partition int32) observe.TopicPartition {
	return observe.TopicPartition{Topic: topic, Partition: partition}
}

// finalRead reads all topics back.
func (w *world) finalRead() {
	for i := range w.plan.Topics {
		t := &w.plan.Topics[i]
		for _, p := range w.kafka.PartitionInfos(t.Name) {
			w.observer.Log(tp(t.Name, p.Partition), p.LogStartOffset, p.HighWatermark)
		}
		next := map[int32]int64{}
		w.read(t.Name, func(r *kgo.Record) {
			at := tp(t.Name, r.Partition)
			if t.Compact && r.Offset > next[r.Partition] { // what lies between was compacted away
				w.observer.Removed(at, next[r.Partition], r.Offset)
			}
			next[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				w.observer.Read(record(r))
			}
		})
		w.observer.TopicRead(t.Name)
		if t.DeadLetters {
			w.read(deadLetters(t.Name), w.deadLetter)
			w.observer.TopicRead(deadLetters(t.Name))
		}
	}
}

// read calls each for all records of a topic that are visible, and for markers.
func (w *world) read(topic string, each func(*kgo.Record)) {
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	for _, p := range w.kafka.PartitionInfos(topic) {
		if p.HighWatermark > p.LogStartOffset {
			from[p.Partition], left[p.Partition] = kgo.NewOffset().AtStart(), p.HighWatermark
		}
	}
	if len(left) == 0 {
		return
	}
	cl := w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if cl == nil {
		return
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			w.broken("final read of %s, to %v: %v", topic, left, err)
			return
		}
		fetches.EachRecord(func(r *kgo.Record) {
			each(r)
			if end, ok := left[r.Partition]; ok && r.Offset+1 >= end {
				delete(left, r.Partition)
			}
		})
	}
}

// record is a record as behaviors get it.
func record(r *kgo.Record) *actors.Record {
	rec := &actors.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	if r.Timestamp.UnixMilli() == -1 {
		rec.Timestamp = time.Time{}
	}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, actors.Header(h))
	}
	return rec
}

// deadLetter writes down a copy.
func (w *world) deadLetter(r *kgo.Record) {
	if !r.Attrs.IsControl() && !w.observer.Copy(record(r)) {
		w.violated(check.S10, "offset %d of %s does not say what it is a copy of", r.Offset, r.Topic)
	}
}
