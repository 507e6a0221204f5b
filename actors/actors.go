package actors

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Record is one Kafka record as a behavior sees it.
//
// The runtime never reuses a record's memory, so a behavior may keep it, also
// past the end of Receive. Key, Value and Headers must not be modified. They
// share the memory of the fetched batch: who keeps a record for long copies
// what it needs.
type Record struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       []byte // nil: the record has no key
	Value     []byte // nil: a tombstone
	Headers   []Header
	Timestamp time.Time // zero: the record has none

	// Attempt counts deliveries of this record, 1 for the first. It survives
	// restarts of the lane and of the partition within a process.
	Attempt int
}

// Header is one header of a record. Keys may repeat.
type Header struct {
	Key   string
	Value []byte
}

// VirtualPartition names one ordered lane of a topic-partition.
type VirtualPartition struct {
	Topic     string
	Partition int32

	// Index tells the lanes of a partition apart, from 0.
	Index int32
}

// String is topic/partition/index.
func (v VirtualPartition) String() string {
	return fmt.Sprintf("%s/%d/%d", v.Topic, v.Partition, v.Index)
}

// Behavior handles the records of one virtual partition: one at a time, in
// offset order, never concurrently with itself. It may therefore keep state in
// plain fields. They are a cache, not a store: a restart and a rebalance empty
// them.
//
// A nil error completes the record. An error sends it through the topic's retry
// policy and then to its dead letter topic; [RetryAfter], [Snooze] and
// [Discard] choose otherwise. A panic is a bug: the supervisor decides, and by
// default replaces the behavior with a new one and redelivers the record.
//
// ctx ends when the partition is revoked or lost, the topic's Timeout passes, or
// the drain at shutdown passes its deadline; [context.Cause] tells which. A call
// that goes on after that quarantines its virtual partition: nothing more is
// delivered there until the call returns or an operator forces a restart.
type Behavior interface {
	Receive(ctx context.Context, rec *Record) error
}

// Starter is implemented by behaviors that load state before the first record.
// An error, or a panic, is a failure of the lane: it restarts with backoff, and no
// record is blamed for it.
type Starter interface {
	Start(ctx context.Context, vp VirtualPartition) error
}

// Stopper is implemented by behaviors that release what Start took. The cause is
// one of the Err values of this package, or the failure that led to a restart.
// It is called on the lane's goroutine after the lane's last call, within what is
// left of the drain; in a quarantined lane when its call returns. An error, a panic
// and a hang are logged and block nothing.
type Stopper interface {
	Stop(ctx context.Context, cause error) error
}

// Factory makes the behavior of one virtual partition. It is called when the lane
// gets its first record and again on every restart, and must return a new value.
type Factory func(vp VirtualPartition) Behavior

// Func adapts a stateless function. It must be safe for concurrent use: all
// lanes share it.
func Func(f func(ctx context.Context, rec *Record) error) Factory {
	return func(VirtualPartition) Behavior { return behaviorFunc(f) }
}

type behaviorFunc func(context.Context, *Record) error

func (f behaviorFunc) Receive(ctx context.Context, rec *Record) error { return f(ctx, rec) }

// ByKey keeps records with the same key in order.
func ByKey(rec *Record) []byte { return rec.Key }

// ByHeader keeps records with the same value of header name in order. Of a header
// that repeats the first counts; a record without it has no key.
func ByHeader(name string) func(*Record) []byte {
	return func(rec *Record) []byte {
		for i := range rec.Headers {
			if rec.Headers[i].Key == name {
				return rec.Headers[i].Value
			}
		}
		return nil
	}
}

// Unordered keeps no order: records spread over the lanes by their offsets.
func Unordered(rec *Record) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(rec.Offset)) //nolint:gosec // only the bits matter
}
