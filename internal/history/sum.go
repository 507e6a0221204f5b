package history

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/actors"
	deadletterv1 "github.com/troupe-go/troupe/proto/troupe/deadletter/v1"
)

// SumOf is a checksum of what a record holds: key, value, headers and timestamp. No key
// and an empty one differ. It is never 0.
func SumOf(rec *actors.Record) uint64 {
	var d xxhash.Digest
	d.Reset()
	add(&d, rec.Key)
	add(&d, rec.Value)
	for i := range rec.Headers {
		add(&d, []byte(rec.Headers[i].Key))
		add(&d, rec.Headers[i].Value)
	}
	at := int64(-1) // as Kafka has it: none
	if !rec.Timestamp.IsZero() {
		at = rec.Timestamp.UnixMilli()
	}
	addNumber(&d, at)
	return max(d.Sum64(), 1)
}

func add(d *xxhash.Digest, b []byte) {
	n := int64(len(b))
	if b == nil {
		n = -1
	}
	addNumber(d, n)
	_, _ = d.Write(b)
}

func addNumber(d *xxhash.Digest, n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // its bits
	_, _ = d.Write(b[:])
}

// The headers that a dead letter has behind those of its source, in this order.
const (
	headerHops      = "troupe.dlq.hops"
	headerGroup     = "__dlq.errors.group"
	headerTrimmed   = "troupe.dlq.trimmed"
	headerTopic     = "__dlq.errors.topic"
	headerPartition = "__dlq.errors.partition"
	headerOffset    = "__dlq.errors.offset"
	headerTimestamp = "troupe.dlq.timestamp"

	headerForm = "troupe.dlq.form" // the last one of a dead letter that is a message
)

// sourceOf is the record that a dead letter is a copy of, by what the copy says. A record
// that was dead-lettered before carries those headers twice: the last ones count.
func sourceOf(rec *actors.Record) (actors.Record, bool) {
	if n := len(rec.Headers); n > 0 && rec.Headers[n-1].Key == headerForm {
		return sourceWithin(rec.Value)
	}
	first := -1
	for i := range rec.Headers {
		if rec.Headers[i].Key == headerTopic {
			first = i
		}
	}
	if first < 0 {
		return actors.Record{}, false
	}
	for first > 0 && slices.Contains([]string{headerHops, headerGroup, headerTrimmed}, rec.Headers[first-1].Key) {
		first--
	}
	source := actors.Record{Key: rec.Key, Value: rec.Value, Headers: rec.Headers[:first]}
	for _, h := range rec.Headers[first:] {
		switch n, _ := strconv.ParseInt(string(h.Value), 10, 64); h.Key {
		case headerTopic:
			source.Topic = string(h.Value)
		case headerPartition:
			source.Partition = int32(n) //nolint:gosec // it was one
		case headerOffset:
			source.Offset = n
		case headerTimestamp:
			source.Timestamp = time.UnixMilli(n)
		}
	}
	return source, true
}

// sourceWithin is the record in a dead letter that is a message.
func sourceWithin(value []byte) (actors.Record, bool) {
	var letter deadletterv1.DeadLetter
	if err := proto.Unmarshal(value, &letter); err != nil || letter.GetRecord().GetTopic() == "" {
		return actors.Record{}, false
	}
	from := letter.GetRecord()
	source := actors.Record{
		Topic: from.GetTopic(), Partition: from.GetPartition(), Offset: from.GetOffset(), Key: from.GetKey(), Value: from.GetValue(),
	}
	if at := from.GetTimestamp(); at != nil {
		source.Timestamp = at.AsTime()
	}
	for _, h := range from.GetHeaders() {
		source.Headers = append(source.Headers, actors.Header{Key: string(h.GetKey()), Value: h.GetValue()})
	}
	return source, true
}
