//go:build synctests

package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
)

// forward produces and waits.
func (n *node) forward(f *Forward) error {
	n.t.Helper()
	if f.Record == nil {
		f.Record = &actors.Record{Value: []byte("v")}
	}
	done := make(chan error, 1)
	n.Produce(context.Background(), f, func(err error) { done <- err })
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		n.t.Fatal("no answer within a minute")
		return nil
	}
}

// read returns what a topic holds.
func (r *rig) read(topic string, count int) []*kgo.Record {
	r.t.Helper()
	cl := r.connect(kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var out []*kgo.Record
	for len(out) < count {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			r.t.Fatalf("%d of %d records of %s: %v", len(out), count, topic, err)
		}
		out = append(out, fetches.Records()...)
	}
	return out
}

func TestForwardIsFaithful(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		time.Sleep(time.Minute)
		own := []actors.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}}
		for i, key := range [][]byte{nil, {}, []byte("k")} {
			rec := &actors.Record{Topic: testTopic, Key: key, Value: nil, Headers: own, Timestamp: time.Unix(1, 0)}
			if i == 2 {
				rec.Value = []byte("v")
			}
			if err := n.forward(&Forward{Topic: "dlq", Record: rec, Headers: []actors.Header{{Key: "b", Value: []byte("2")}}}); err != nil {
				r.t.Fatal(err)
			}
		}
		for _, got := range r.read("dlq", 3) {
			text := fmt.Sprint(got.Headers)
			if want := "[{a [49]} {a []} {b [50]}]"; text != want {
				r.t.Errorf("headers %v, want %v", text, want)
			}
			if age := time.Since(got.Timestamp); age > time.Second {
				r.t.Errorf("timestamp %v, want the forward's", got.Timestamp)
			}
			keyed := string(got.Key) == "k"
			if keyed != (got.Value != nil) {
				r.t.Errorf("key %q value %q", got.Key, got.Value)
			}
		}
	}, kfake.SeedTopics(1, "dlq"))
}

// shrinks is a forward to a topic, of which nothing is left in the end but the last value.
func shrinks(topic string, values ...string) *Forward {
	f := &Forward{Topic: topic, Record: &actors.Record{Value: []byte(values[0])}}
	if len(values) > 1 {
		f.Smaller = func() *Forward { return shrinks(topic, values[1:]...) }
	}
	return f
}

// What is refused for its size is sent once more as it is, and then smaller, as long as it
// can be made so.
func TestAForwardThatIsTooLargeIsMadeSmaller(t *testing.T) {
	t.Parallel()
	for refusals, want := range map[int]string{0: "whole", 1: "whole", 2: "less", 3: "least"} {
		t.Run(fmt.Sprint(refusals, " refusals"), func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				n := r.start()
				n.joined(0)
				if refusals > 0 {
					r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.MessageTooLarge, Count: refusals})
				}
				if err := n.forward(shrinks("dlq", "whole", "less", "least")); err != nil {
					r.t.Fatal(err)
				}
				if got := string(r.read("dlq", 1)[0].Value); got != want {
					r.t.Errorf("%q was written, want %q", got, want)
				}
			}, kfake.SeedTopics(1, "dlq"))
		})
	}
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "dlq", Err: kerr.MessageTooLarge, Count: 4})
		wantErr(r.t, n.forward(shrinks("dlq", "whole", "less", "least")), ErrTooLarge)
	}, kfake.SeedTopics(1, "dlq"))
}

// One that is too large and then cannot be written holds up no other topic's.
func TestATopicThatIsAwayHoldsUpNoForwardOfAnother(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		for _, topic := range []string{"dlq", "away"} {
			r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.MessageTooLarge, Count: 1})
		}
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "away", Err: kerr.NotEnoughReplicas, Count: -1})
		n.Produce(context.Background(), shrinks("away", "whole", "less"), func(error) {})
		time.Sleep(time.Second) // it is being sent again
		begun := time.Now()
		if err := n.forward(shrinks("dlq", "whole", "less")); err != nil || time.Since(begun) > time.Second {
			r.t.Errorf("the forward took %v and ended with %v", time.Since(begun), err)
		}
	}, kfake.SeedTopics(1, "dlq", "away"))
}

// Records of a key go where Kafka's own clients send it, those without one where their
// source partition says.
func TestForwardPartitions(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		for i := range 12 {
			for _, key := range [][]byte{nil, []byte("k"), []byte("other")} {
				f := &Forward{Topic: "dlq", Partition: int32(i), Record: &actors.Record{Key: key, Value: fmt.Appendf(nil, "%d", i)}}
				if err := n.forward(f); err != nil {
					r.t.Fatal(err)
				}
			}
		}
		// murmur2 of "k" and "other", as Kafka's DefaultPartitioner has it.
		where := map[string]map[int32]bool{}
		for _, got := range r.read("dlq", 36) {
			if got.Key == nil {
				if int32(atoi(r.t, got.Value)%5) != got.Partition {
					r.t.Errorf("record of partition %s went to %d", got.Value, got.Partition)
				}
				continue
			}
			if where[string(got.Key)] == nil {
				where[string(got.Key)] = map[int32]bool{}
			}
			where[string(got.Key)][got.Partition] = true
		}
		for key, partitions := range where {
			if len(partitions) != 1 {
				r.t.Errorf("key %s went to %v", key, partitions)
			}
		}
		reference := r.connectPlain()
		rec := &kgo.Record{Topic: "dlq", Key: []byte("k")}
		if err := reference.ProduceSync(context.Background(), rec).FirstErr(); err != nil {
			r.t.Fatal(err)
		}
		if !where["k"][rec.Partition] {
			r.t.Errorf("kgo's own producer sends k to %d, this one to %v", rec.Partition, where["k"])
		}
	}, kfake.SeedTopics(5, "dlq"))
}

// connectPlain is a client with kgo's default partitioner.
func (r *rig) connectPlain() *kgo.Client {
	r.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.Dialer(r.dial))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.Close)
	return cl
}

func atoi(t *testing.T, b []byte) int {
	t.Helper()
	var i int
	if _, err := fmt.Sscan(string(b), &i); err != nil {
		t.Fatal(err)
	}
	return i
}

func TestForwardErrors(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		large := &actors.Record{Value: make([]byte, 2<<20)}
		wantErr(r.t, n.forward(&Forward{Topic: "dlq", Record: large}), ErrTooLarge)
		wantErr(r.t, n.forward(&Forward{Topic: "absent"}), ErrTopicUnknown)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		done := make(chan error, 1)
		n.Produce(ctx, &Forward{Topic: "dlq", Record: large}, func(err error) { done <- err })
		if err := <-done; err == nil {
			r.t.Error("produced under a context that had ended")
		}
		n.Stop()
		_ = n.ended()
		wantErr(r.t, n.forward(&Forward{Topic: "dlq"}), errNotJoined)
	}, kfake.SeedTopics(1, "dlq"))
}
