package sim

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

func tp(topic string, partition int32) observe.TopicPartition {
	return observe.TopicPartition{Topic: topic, Partition: partition}
}

// finalRead reads all topics back, and dead letters once all that they may be copies of is
// known.
func (w *world) finalRead() {
	feeders := map[string][]string{}
	for i := range w.plan.Topics {
		t := &w.plan.Topics[i]
		w.readInput(t)
		if t.DeadLetters {
			feeders[t.deadLetters()] = append(feeders[t.deadLetters()], t.Name)
		}
		if n := len(w.kafka.PartitionInfos(t.deadLetters())); t.Create && n != int(t.Partitions) {
			w.violated(check.S10, "%s was created with %d partitions, its input has %d", t.deadLetters(), n, t.Partitions)
		}
	}
	for _, dead := range slices.Sorted(maps.Keys(feeders)) {
		w.read(dead, func(r *kgo.Record) { w.deadLetter(r, feeders[dead]) })
		w.observer.TopicRead(dead)
	}
}

func (w *world) readInput(t *Topic) {
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

// deadLetter writes down a copy of a record of one of some topics.
func (w *world) deadLetter(r *kgo.Record, of []string) {
	if !r.Attrs.IsControl() && !w.observer.CopyFrom(record(r), of...) {
		w.violated(check.S10, "offset %d of %s does not say what it is a copy of", r.Offset, r.Topic)
	}
}

// looped reports whether the record at a commit line was dead-lettered as often as may be:
// its lane stands still, and the line does.
func (w *world) looped(t *Topic, partition int32, at int64) bool {
	if !t.Loop {
		return false
	}
	cl := w.client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{t.Name: {partition: kgo.NewOffset().At(at)}}))
	if cl == nil {
		return false
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	records := cl.PollRecords(ctx, 1).Records()
	return len(records) == 1 && records[0].Offset == at && history.HopsOf(record(records[0])) >= hopsMax
}

// hopsMax is how often a record may be dead-lettered.
const hopsMax = 5
