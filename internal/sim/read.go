package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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
				w.observer.Record(at, r.Offset, r.Key)
			}
		})
		if t.DeadLetters {
			w.read(deadLetters(t.Name), w.deadLetter)
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

// deadLetter writes down a copy.
func (w *world) deadLetter(r *kgo.Record) {
	if r.Attrs.IsControl() {
		return
	}
	var at observe.TopicPartition
	var offset int64
	for _, h := range r.Headers {
		switch h.Key {
		case "__dlq.errors.topic":
			at.Topic = string(h.Value)
		case "__dlq.errors.partition":
			_, _ = fmt.Sscan(string(h.Value), &at.Partition) // S1 sees it when it is none
		case "__dlq.errors.offset":
			_, _ = fmt.Sscan(string(h.Value), &offset) // as above
		}
	}
	w.observer.DeadLetter(r.Topic, at, offset, r.Timestamp)
}
