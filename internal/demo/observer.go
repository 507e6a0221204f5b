package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

const (
	sampleEvery      = 100 * time.Millisecond
	sampleTimeout    = 2 * time.Second
	sampleFailureMax = 10 // in a row
)

// observer reads from the broker what a separate client can see, and writes it down:
// committed offsets again and again, the dead letter topic as it grows, and at the end
// all of the inputs.
type observer struct {
	cluster *cluster
	history *history.History
	sees    *history.Observer
	sent    map[string]*entry // by id
	tail    *kgo.Client       // of the dead letter topic
	next    int64             // of its one partition: what the tail has not read

	deadLetters atomic.Int64
	samples     atomic.Int64
	caughtUp    atomic.Bool // at the last sample every input was committed to its end
}

func newObserver(c *cluster, h *history.History, sent []entry) (*observer, error) {
	tail, err := c.connect(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		c.names.deadLetters(): {0: kgo.NewOffset().AtStart()},
	}))
	if err != nil {
		return nil, err
	}
	o := &observer{cluster: c, history: h, sees: history.NewObserver(h), sent: map[string]*entry{}, tail: tail}
	for i := range sent {
		o.sent[sent[i].id] = &sent[i]
	}
	return o, nil
}

// run samples until ctx ends. An observer that has gone blind is an error.
func (o *observer) run(ctx context.Context) error {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for failures := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := o.sample(ctx)
		switch {
		case err == nil:
			failures = 0
		case ctx.Err() != nil:
			return nil
		default:
			if failures++; failures == sampleFailureMax {
				return fmt.Errorf("observer: %d failures in a row: %w", failures, err)
			}
		}
	}
}

// sample reads the committed offsets, and then the dead letters up to the end that the
// topic has by then. It writes the copies down first: a copy that existed when the
// offsets were read comes before them in the history.
func (o *observer) sample(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	committed, err := o.cluster.admin.FetchOffsets(ctx, o.cluster.names.group)
	if err != nil {
		return fmt.Errorf("committed offsets: %w", err)
	}
	if err := committed.Error(); err != nil {
		return fmt.Errorf("committed offsets: %w", err)
	}
	ends, err := o.ends(ctx)
	if err != nil {
		return err
	}
	dlq, _ := ends.Lookup(o.cluster.names.deadLetters(), 0)
	if err := o.readDeadLetters(ctx, dlq.Offset); err != nil {
		return err
	}
	caughtUp := true
	for topic, partitions := range o.cluster.names.inputs() {
		for p := range partitions {
			at, ok := committed.Lookup(topic, p)
			end, _ := ends.Lookup(topic, p)
			if ok && at.At >= 0 {
				o.sees.Committed(observe.TopicPartition{Topic: topic, Partition: p}, at.At)
			}
			caughtUp = caughtUp && ok && at.At >= end.Offset
		}
	}
	o.caughtUp.Store(caughtUp)
	o.samples.Add(1)
	return nil
}

func (o *observer) ends(ctx context.Context) (kadm.ListedOffsets, error) {
	ends, err := o.cluster.admin.ListEndOffsets(ctx, o.cluster.names.all()...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end offsets: %w", err)
	}
	return ends, nil
}

func (o *observer) readDeadLetters(ctx context.Context, end int64) error {
	for o.next < end {
		fetches := o.tail.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			o.next = r.Offset + 1
			o.deadLetter(r)
		})
	}
	return nil
}

// deadLetter writes down a faithful copy. Any other counts for nothing, so that its
// record is lost.
func (o *observer) deadLetter(r *kgo.Record) {
	original := o.sent[recordID(r)]
	if original == nil || !bytes.Equal(original.key, r.Key) || !bytes.Equal(original.value, r.Value) {
		return
	}
	o.deadLetters.Add(1)
	o.history.Append(history.Event{Kind: history.DeadLetterObserved, Topic: original.topic, ID: original.id, Dest: r.Topic})
}

func recordID(r *kgo.Record) string {
	for _, h := range r.Headers {
		if h.Key == headerID {
			return string(h.Value)
		}
	}
	return ""
}

// finish takes the last sample, when the members have left, and reads the inputs.
func (o *observer) finish(ctx context.Context) error {
	defer o.tail.Close()
	if err := o.sample(ctx); err != nil {
		return err
	}
	ends, err := o.ends(ctx)
	if err != nil {
		return err
	}
	return o.readInputs(ctx, ends)
}

func (o *observer) readInputs(ctx context.Context, ends kadm.ListedOffsets) error {
	start := map[string]map[int32]kgo.Offset{}
	left := map[observe.TopicPartition]int64{}
	for topic, partitions := range o.cluster.names.inputs() {
		start[topic] = map[int32]kgo.Offset{}
		for p := range partitions {
			start[topic][p] = kgo.NewOffset().AtStart()
			tp := observe.TopicPartition{Topic: topic, Partition: p}
			end, _ := ends.Lookup(topic, p)
			o.sees.Log(tp, 0, end.Offset)
			if end.Offset > 0 {
				left[tp] = end.Offset
			}
		}
	}
	client, err := o.cluster.connect(kgo.ConsumePartitions(start))
	if err != nil {
		return err
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the inputs: %w", errors.Join(err, context.Cause(ctx)))
		}
		fetches.EachRecord(func(r *kgo.Record) {
			tp := observe.TopicPartition{Topic: r.Topic, Partition: r.Partition}
			o.sees.Record(tp, r.Offset, r.Key)
			if r.Offset+1 >= left[tp] {
				delete(left, tp)
			}
		})
	}
	return nil
}
