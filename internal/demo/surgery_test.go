package demo

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func batchOf(first int64, keys ...string) []byte {
	b := kmsg.RecordBatch{FirstOffset: first, Magic: 2, LastOffsetDelta: int32(len(keys) - 1), FirstTimestamp: 5000, MaxTimestamp: 5000, ProducerID: -1}
	records := make([]kmsg.Record, len(keys))
	for i, key := range keys {
		records[i] = kmsg.Record{OffsetDelta: int32(i), Key: []byte(key), Value: []byte{byte('0' + i)}}
	}
	return encoded(b, records)
}

func decode(t *testing.T, raw []byte) (kmsg.RecordBatch, []kmsg.Record) {
	t.Helper()
	var b kmsg.RecordBatch
	if err := b.ReadFrom(raw); err != nil {
		t.Fatal(err)
	}
	records, err := kfake.BatchRecords(b)
	if err != nil {
		t.Fatal(err)
	}
	return b, records
}

func TestFaultsChangeWhatIsFetched(t *testing.T) {
	t.Parallel()
	n := newNames("")
	for _, c := range []struct {
		fault, topic string
		raw          []byte
		values       string
		timestamp    int64
		hits         int
	}{
		{faultDrop, n.orders, batchOf(5, "a", "b", "c", "d"), "013", 5000, 1},
		{faultDrop, n.orders, batchOf(dropOffset, "a"), "", 5000, 1},
		{faultDrop, n.orders, batchOf(8, "a", "b"), "01", 5000, 0},
		{faultDrop, n.payments, batchOf(5, "a", "b", "c", "d"), "0123", 5000, 0},
		{faultSwap, n.orders, batchOf(0, "a", "b", "c", "b"), "0321", 5000, 1},
		{faultSwap, n.orders, batchOf(0, "a", "b"), "01", 5000, 0},
		{faultEarly, n.reminders, batchOf(0, "a", "b"), "01", 5000 - earlyBy.Milliseconds(), 1},
		{faultEarly, n.orders, batchOf(0, "a", "b"), "01", 5000, 0},
	} {
		w := &wire{fault: c.fault, names: n, swapped: map[batchPlace]bool{}}
		p := kmsg.FetchResponseTopicPartition{RecordBatches: append(bytes.Clone(c.raw), "partial"...)}
		resp := &kmsg.FetchResponse{Topics: []kmsg.FetchResponseTopic{{Topic: c.topic, Partitions: []kmsg.FetchResponseTopicPartition{p}}}}
		if err := w.fetched(resp); err != nil {
			t.Fatal(err)
		}
		raw, whole := bytes.CutSuffix(resp.Topics[0].Partitions[0].RecordBatches, []byte("partial"))
		if !whole {
			t.Errorf("%s: the partial batch is gone", c.fault)
		}
		before, _ := decode(t, c.raw)
		b, records := decode(t, raw)
		var values []byte
		for _, r := range records {
			values = append(values, r.Value...)
		}
		if string(values) != c.values || b.FirstTimestamp != c.timestamp || w.hits != c.hits {
			t.Errorf("%s in %s: values %s, timestamp %d, %d hits; want %s, %d, %d",
				c.fault, c.topic, values, b.FirstTimestamp, w.hits, c.values, c.timestamp, c.hits)
		}
		if b.FirstOffset != before.FirstOffset || b.LastOffsetDelta != before.LastOffsetDelta {
			t.Errorf("%s: the batch's offsets changed", c.fault)
		}
	}
}

// What was swapped once is swapped whenever it is fetched, and nothing else is.
func TestSwapSticksToItsBatch(t *testing.T) {
	t.Parallel()
	w := &wire{fault: faultSwap, names: newNames(""), swapped: map[batchPlace]bool{}}
	for i, c := range []struct {
		first int64
		swaps bool
	}{{10, true}, {20, false}, {10, true}} {
		b, records := decode(t, batchOf(c.first, "k", "k"))
		if got := w.swap(0, &b, records) != nil; got != c.swaps {
			t.Errorf("fetch %d: swapped %v, want %v", i, got, c.swaps)
		}
	}
}

func TestCommitsAreMovedInOnePartition(t *testing.T) {
	t.Parallel()
	n := newNames("")
	id := [16]byte{1}
	w := &wire{fault: faultCommit, names: n, topics: map[[16]byte]string{id: n.orders}}
	part := func(p int32, at int64) kmsg.OffsetCommitRequestTopicPartition {
		return kmsg.OffsetCommitRequestTopicPartition{Partition: p, Offset: at}
	}
	req := &kmsg.OffsetCommitRequest{Topics: []kmsg.OffsetCommitRequestTopic{
		{Topic: n.orders, Partitions: []kmsg.OffsetCommitRequestTopicPartition{part(0, 5), part(1, 5)}},
		{TopicID: id, Partitions: []kmsg.OffsetCommitRequestTopicPartition{part(0, 0)}},
		{Topic: n.payments, Partitions: []kmsg.OffsetCommitRequestTopicPartition{part(0, 5)}},
	}}
	w.commit(req)
	var got []int64
	for _, topic := range req.Topics {
		for _, p := range topic.Partitions {
			got = append(got, p.Offset)
		}
	}
	if want := []int64{5 + commitAhead, 5, 0, 5}; len(got) != 4 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] || got[3] != want[3] {
		t.Errorf("offsets %v, want %v", got, want)
	}
}
