package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/failpoint"
)

// bySource sends records with a key where the key's hash says, as Kafka's own clients
// do, and those without one where their source partition says.
type bySource struct{ keyed kgo.Partitioner }

// ForTopic makes the partitioner of one topic.
func (b bySource) ForTopic(topic string) kgo.TopicPartitioner {
	return bySourceTopic{b.keyed.ForTopic(topic)}
}

type bySourceTopic struct{ keyed kgo.TopicPartitioner }

// RequiresConsistency is true: a record waits for its partition's leader.
func (bySourceTopic) RequiresConsistency(*kgo.Record) bool { return true }

// Partition chooses among n. Produce has put the source partition in r.
func (b bySourceTopic) Partition(r *kgo.Record, n int) int {
	if r.Key == nil {
		return int(r.Partition) % n
	}
	return b.keyed.Partition(r, n)
}

// Produce sends f with the present time as its timestamp, and calls done once, on
// another goroutine, with the broker's acknowledgment or why there is none. All in-sync
// replicas have it then. An error may still have left a copy.
//
// What is too large, for the broker or for kgo's own limit, is sent again smaller as long
// as f can be made so.
//
// Errors: ErrTooLarge, ErrTopicUnknown, ErrTopicUnauthorized, ctx's, one when the
// client is not connected or is being rebuilt, and whatever else the broker says.
func (c *Client) Produce(ctx context.Context, f *Forward, done func(error)) {
	c.produce(ctx, f, func(err error) {
		if f.Smaller == nil || !errors.Is(err, ErrTooLarge) {
			done(err)
			return
		}
		go func() { done(c.shrink(ctx, f)) }() // ends with done
	})
}

// shrink sends f again and, while that is too large, what Smaller makes of it. A broker
// refuses a batch as a whole: the first refusal may have been for others in it. So f
// gets a second try as it is, and those of a topic that were refused are sent one by one.
func (c *Client) shrink(ctx context.Context, f *Forward) error {
	turn := c.shrinker(f.Topic)
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-turn }()
	for {
		answer := make(chan error, 1)
		c.produce(ctx, f, func(err error) { answer <- err })
		err := <-answer
		if f.Smaller == nil || !errors.Is(err, ErrTooLarge) {
			return err
		}
		f = f.Smaller()
	}
}

// shrinker is a channel that has room for whose turn it is with a topic.
func (c *Client) shrinker(topic string) chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shrinking[topic] == nil {
		c.shrinking[topic] = make(chan struct{}, 1)
	}
	return c.shrinking[topic]
}

// produce sends f once.
func (c *Client) produce(ctx context.Context, f *Forward, done func(error)) {
	m := c.member()
	if m == nil {
		go done(errNotJoined) // ends with done
		return
	}
	r := &kgo.Record{
		Topic: f.Topic, Partition: f.Partition,
		Key: f.Record.Key, Value: f.Record.Value, Headers: headers(f.Record.Headers, f.Headers),
	}
	m.cl.TryProduce(ctx, r, func(_ *kgo.Record, err error) {
		if broken := c.steps.Hit(failpoint.Produced); broken != nil {
			err = broken
		}
		if !errors.Is(err, kerr.UnknownTopicID) {
			done(typed(err))
			return
		}
		// The topic was deleted and created again: kgo fails it until it has forgotten the
		// old one (K11). Not within the promise, which what is purged may wait for.
		go func() { // ends with done
			m.cl.PurgeTopicsFromProducing(f.Topic)
			done(typed(err))
		}()
	})
}

func headers(own, added []actors.Header) []kgo.RecordHeader {
	if len(own)+len(added) == 0 {
		return nil
	}
	out := make([]kgo.RecordHeader, 0, len(own)+len(added))
	for _, h := range own {
		out = append(out, kgo.RecordHeader(h))
	}
	for _, h := range added {
		out = append(out, kgo.RecordHeader(h))
	}
	return out
}
