package demo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commit moves what is committed for the first partition of the orders.
func (w *wire) commit(req *kmsg.OffsetCommitRequest) {
	for i := range req.Topics {
		t := &req.Topics[i]
		if w.topic(t.Topic, t.TopicID) != w.names.orders {
			continue
		}
		for j := range t.Partitions {
			if p := &t.Partitions[j]; p.Partition == 0 && p.Offset > 0 {
				p.Offset += commitAhead
				w.hit()
			}
		}
	}
}

// fetched changes the records of an answer. What was changed once is changed again each
// time that it is fetched.
func (w *wire) fetched(resp *kmsg.FetchResponse) error {
	for i := range resp.Topics {
		t := &resp.Topics[i]
		topic := w.topic(t.Topic, t.TopicID)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			raw, err := edited(p.RecordBatches, func(b *kmsg.RecordBatch, records []kmsg.Record) []kmsg.Record {
				return w.edit(topic, p.Partition, b, records)
			})
			if err != nil {
				return fmt.Errorf("%s/%d: %w", topic, p.Partition, err)
			}
			p.RecordBatches = raw
		}
	}
	return nil
}

// edit returns what is left of a batch; nil: it stays as it is.
func (w *wire) edit(topic string, partition int32, b *kmsg.RecordBatch, records []kmsg.Record) []kmsg.Record {
	switch {
	case w.fault == faultDrop && topic == w.names.orders && partition == 0:
		return w.dropped(b, records)
	case w.fault == faultSwap && topic == w.names.orders:
		return w.swap(partition, b, records)
	case w.fault == faultEarly && topic == w.names.reminders:
		w.hit()
		b.FirstTimestamp -= earlyBy.Milliseconds()
		b.MaxTimestamp -= earlyBy.Milliseconds()
		return records
	}
	return nil
}

func (w *wire) dropped(b *kmsg.RecordBatch, records []kmsg.Record) []kmsg.Record {
	for i := range records {
		if b.FirstOffset+int64(records[i].OffsetDelta) == dropOffset {
			w.hit()
			return append(records[:i:i], records[i+1:]...)
		}
	}
	return nil
}

// swap exchanges the first two records of one key that it sees, and those again each
// time that their batch is fetched.
func (w *wire) swap(partition int32, b *kmsg.RecordBatch, records []kmsg.Record) []kmsg.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	place := batchPlace{partition, b.FirstOffset}
	if len(w.swapped) > 0 && !w.swapped[place] {
		return nil
	}
	for i := range records {
		for j := i + 1; j < len(records); j++ {
			a, b := &records[i], &records[j]
			if bytes.Equal(a.Key, b.Key) {
				a.Value, b.Value = b.Value, a.Value
				a.Headers, b.Headers = b.Headers, a.Headers
				w.swapped[place] = true
				w.hits++
				return records
			}
		}
	}
	return nil
}

const (
	batchHead  = 12 // first offset and length, which the length does not count
	batchFixed = 49 // what the length counts beside the records
	crcFrom    = 21 // what the checksum counts begins here
)

// edited passes the batches of a fetch through edit and writes those anew that it
// changed, uncompressed. A partial batch at the end is left as it is.
func edited(raw []byte, edit func(*kmsg.RecordBatch, []kmsg.Record) []kmsg.Record) ([]byte, error) {
	var out []byte
	for len(raw) > batchHead {
		size := batchHead + int(binary.BigEndian.Uint32(raw[8:]))
		if size > len(raw) {
			break
		}
		whole := raw[:size]
		raw = raw[size:]
		var b kmsg.RecordBatch
		if err := b.ReadFrom(whole); err != nil {
			return nil, fmt.Errorf("batch: %w", err)
		}
		records, err := kfake.BatchRecords(b)
		if err != nil {
			return nil, fmt.Errorf("batch at %d: %w", b.FirstOffset, err)
		}
		if left := edit(&b, records); left != nil {
			whole = encoded(b, left)
		}
		out = append(out, whole...)
	}
	return append(out, raw...), nil
}

// encoded writes a batch, with the lengths and the checksum that it needs.
func encoded(b kmsg.RecordBatch, records []kmsg.Record) []byte {
	b.Records = nil
	for _, r := range records {
		r.Length = 0
		r.Length = int32(len(r.AppendTo(nil)) - 1) //nolint:gosec // one byte is the length 0 itself
		b.Records = r.AppendTo(b.Records)
	}
	b.NumRecords = int32(len(records))            //nolint:gosec // of a batch
	b.Length = int32(batchFixed + len(b.Records)) //nolint:gosec // of a batch
	b.Attributes &^= 7                            // no compression
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[crcFrom-4:], crc32.Checksum(raw[crcFrom:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
