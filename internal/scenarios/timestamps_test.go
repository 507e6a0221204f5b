//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// stamped is a record of a partition of its own: when it is produced, relative to now, and
// when it is to be handed over.
type stamped struct {
	timestamps []time.Time
	want       []time.Duration // after it was produced
}

// due produces each case to its own partition and wants the hand-overs at their times.
func (w *world) due(topic runtime.Topic, limit time.Duration, cases func(now time.Time) []stamped) *node {
	w.t.Helper()
	n := len(cases(time.Now()))
	seen := make([]*stamps, n)
	for p := range seen {
		seen[p] = newStamps()
	}
	topic.Behavior = handle(func(ctx context.Context, rec *actors.Record) error {
		w.hit("delayed")
		return seen[rec.Partition].receive(ctx, rec)
	})
	a := w.start("a", topic)
	w.c.Settle()
	now, ends := time.Now(), []int64{}
	all := cases(now)
	for p, c := range all {
		for _, at := range c.timestamps {
			w.produceRecords(&actors.Record{Topic: topic.Name, Partition: int32(p), Key: []byte("k"), Timestamp: at}) //nolint:gosec // few
		}
		ends = append(ends, int64(len(c.timestamps)))
	}
	w.drained(limit, map[string][]int64{topic.Name: ends})
	for p, c := range all {
		for o, want := range c.want {
			if got := seen[p].at[int64(o)].Sub(now); got != want {
				w.t.Errorf("partition %d offset %d: handed over after %v, want %v", p, o, got, want)
			}
		}
	}
	return a
}

func TestScenario066DueNowAndAroundIt(t *testing.T) {
	t.Parallel()
	const delay = 10 * time.Second
	scenario(t, []string{"later:4"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		w.due(delayed(delay, nil), time.Minute, func(now time.Time) []stamped {
			return []stamped{
				{[]time.Time{now.Add(-delay)}, []time.Duration{0}},
				{[]time.Time{now.Add(-delay + time.Millisecond)}, []time.Duration{time.Millisecond}},
				{[]time.Time{now.Add(-delay - time.Millisecond)}, []time.Duration{0}},
				{[]time.Time{now}, []time.Duration{delay}},
			}
		})
	})
}

func TestScenario066ThirtyDays(t *testing.T) {
	t.Parallel()
	const delay = 30 * 24 * time.Hour
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		w.due(delayed(delay, nil), time.Hour, func(now time.Time) []stamped {
			return []stamped{{[]time.Time{now.Add(-delay + 10*time.Minute)}, []time.Duration{10 * time.Minute}}}
		})
	})
}

// The head of a lane holds the records behind it, due or not.
func TestScenario067TimestampsOutOfOrder(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S5, check.S8}, func(w *world) {
		w.due(delayed(10*time.Second, nil), time.Minute, func(now time.Time) []stamped {
			return []stamped{{
				[]time.Time{now, now.Add(-5 * time.Second), now.Add(2 * time.Second), now.Add(-time.Hour)},
				[]time.Duration{10 * time.Second, 10 * time.Second, 12 * time.Second, 12 * time.Second},
			}}
		})
	})
}

// A record without a timestamp counts from when it was first seen; others that cannot be
// true are late or capped, and nothing overflows or waits for ever.
func TestScenario068TimestampsThatCannotBeTrue(t *testing.T) {
	t.Parallel()
	const delay, skew = 10 * time.Second, 5 * time.Minute
	scenario(t, []string{"later:3"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		topic := delayed(delay, nil)
		topic.MaxSkew = skew
		n := w.due(topic, 2*skew, func(time.Time) []stamped {
			return []stamped{
				{[]time.Time{time.UnixMilli(-1)}, []time.Duration{delay}},
				{[]time.Time{time.UnixMilli(0)}, []time.Duration{0}},
				{[]time.Time{time.UnixMilli(math.MaxInt64 / 1_000_000)}, []time.Duration{skew + delay}},
			}
		})
		if skewed := find[observe.SkewCapped](n); len(skewed) != 1 {
			t.Errorf("told of the skew of %+v, want one partition", skewed)
		}
	})
}

// Timestamps of the broker's log that are further from 1970 than nanoseconds in 64 bits
// reach: nanoseconds that a producer gave for milliseconds, and the largest one. kgo turns
// them into others, which nobody can tell from true ones. None of them waits for longer
// than MaxSkew and the delay, and what stands behind them goes on.
func TestScenario068NanosecondsForMilliseconds(t *testing.T) {
	t.Parallel()
	const delay, skew = 10 * time.Second, 5 * time.Minute
	scenario(t, []string{"later:3"}, []string{check.S1, check.S2, check.S5}, func(w *world) {
		var mu sync.Mutex
		began := map[int32][]time.Duration{} // since they were produced
		now := time.Now()
		topic := delayed(delay, handle(func(_ context.Context, rec *actors.Record) error {
			mu.Lock()
			defer mu.Unlock()
			began[rec.Partition] = append(began[rec.Partition], time.Since(now))
			return nil
		}))
		topic.MaxSkew = skew
		w.start("a", topic)
		for p, millis := range []int64{now.UnixNano(), math.MaxInt64, math.MaxInt64 / 1_000_000 * 3 / 2} {
			w.produceRaw("later", int32(p), millis) //nolint:gosec // few
			w.hit("timestamp out of range")
			w.produceRecords(&actors.Record{Topic: "later", Partition: int32(p), Key: []byte("k"), Timestamp: now}) //nolint:gosec // few
		}
		w.drained(2*skew, map[string][]int64{"later": {2, 2, 2}})
		mu.Lock()
		defer mu.Unlock()
		for p := range int32(3) {
			if got := began[p]; len(got) != 2 || got[0] > skew+delay+time.Second || got[1] < delay || got[1] > skew+delay+time.Second {
				t.Errorf("partition %d: handed over after %v; want two, the first within %v and the second after %v at least", p, got, skew+delay, delay)
			}
		}
	})
}

// produceRaw appends a record whose timestamp is written as it is.
func (w *world) produceRaw(topic string, partition int32, millis int64) {
	w.t.Helper()
	b := batchOf(0, millis, "v")
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis = -1, 1000
	t, p := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, seal(b.AppendTo(nil))
	t.Topic, t.TopicID, t.Partitions = topic, w.c.Broker().TopicInfo(topic).TopicID, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	w.produced++
	w.consumes(topic)
	sent := w.producer.Sent(topic, fmt.Sprint("r", w.produced), []byte("k"))
	leader := w.c.Broker().LeaderFor(topic, partition)
	resp, err := req.RequestWith(context.Background(), w.c.Client().Broker(int(leader)))
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		w.t.Fatalf("produce to %s/%d: %+v, %v", topic, partition, resp, err)
	}
	sent.Acked(partition, resp.Topics[0].Partitions[0].BaseOffset)
}

// A producer's clock is 100 years ahead: its records wait MaxSkew, and others not at all.
func TestScenario069AClockAHundredYearsAhead(t *testing.T) {
	t.Parallel()
	const delay, skew = 10 * time.Second, 5 * time.Minute
	scenario(t, []string{"later:3"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		topic := delayed(delay, nil)
		topic.MaxSkew = skew
		n := w.due(topic, 2*skew, func(now time.Time) []stamped {
			return []stamped{
				{[]time.Time{now.AddDate(100, 0, 0)}, []time.Duration{skew + delay}},
				{[]time.Time{now}, []time.Duration{delay}},
				{[]time.Time{now.Add(3 * time.Minute)}, []time.Duration{3*time.Minute + delay}},
			}
		})
		if skewed := find[observe.SkewCapped](n); len(skewed) != 1 || skewed[0].TP.Partition != 0 {
			t.Errorf("told of the skew of %+v, want that of partition 0", skewed)
		}
	})
}

// A pause has every reason at once, and ends when the last one is gone.
func TestScenario072PausesOverlap(t *testing.T) {
	t.Parallel()
	const delay = time.Minute
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S5, check.S8}, func(w *world) {
		topic := delayed(delay, handle(func(context.Context, *actors.Record) error {
			time.Sleep(5 * time.Second)
			return nil
		}))
		topic.Buffer.Records, topic.VirtualPartitions.Max = 10, 1
		n := w.start("a", topic)
		for range 15 {
			w.produce("later", 0, "k", "v")
			w.c.Settle()
		}
		want := func(reasons ...string) {
			t.Helper()
			w.c.Settle()
			if s := n.partition("later", 0); !slices.Equal(s.PauseReasons, reasons) {
				t.Errorf("paused for %v, want %v", s.PauseReasons, reasons)
			}
		}
		want("delay")
		if err := n.rt.PausePartition("later", 0); err != nil {
			t.Fatal(err)
		}
		want("delay", "operator")
		time.Sleep(delay + time.Second)
		want("back-pressure", "operator") // due, and an operator's pause begins nothing
		time.Sleep(10 * time.Minute)
		want("back-pressure", "operator")
		if err := n.rt.ResumePartition("later", 0); err != nil {
			t.Fatal(err)
		}
		want("back-pressure")
		w.drained(5*time.Minute, map[string][]int64{"later": {15}})
		want()
		for _, r := range []string{"delay", "operator", "back-pressure"} {
			if paused, resumed := n.pauses(tp("later", 0), r); paused == 0 || resumed != paused {
				t.Errorf("paused for %s %d times and resumed %d times, want some and as many", r, paused, resumed)
			} else {
				w.counters.hitN("paused for "+r, int64(paused))
			}
		}
	})
}

// Committed offsets expire after an hour, and the delay is three: those of a group with
// members do not, as those of an empty group do.
func TestScenario076OffsetsDoNotExpireBehindADelay(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later", "orders"}, []string{check.S1, check.S2, check.S3, check.S8}, func(w *world) {
		adm := kadm.NewClient(w.c.Client())
		hour := "60"
		if _, err := adm.AlterBrokerConfigs(context.Background(), []kadm.AlterConfig{{Name: "offsets.retention.minutes", Value: &hour}}); err != nil {
			t.Fatal(err)
		}
		var idle kadm.Offsets
		idle.AddOffset("orders", 0, 0, -1)
		if err := adm.CommitAllOffsets(context.Background(), "idle", idle); err != nil {
			t.Fatal(err)
		}
		seen := newStamps()
		first := w.start("first", delayed(0, handle(seen.receive)))
		w.produce("later", 0, "k", "at once")
		w.drained(time.Minute, map[string][]int64{"later": {1}})
		if _, err := first.stop(); err != nil {
			t.Error(err)
		}
		w.start("a", delayed(3*time.Hour, handle(seen.receive)))
		w.produce("later", 0, "k", "in three hours")
		time.Sleep(2*time.Hour + 30*time.Minute)
		w.wantCommitted("later", 0, 1)
		if info := w.c.Broker().GroupInfo("idle"); info == nil || len(info.Commits) == 0 {
			w.hit("an idle group's offset expired")
		}
		w.drained(time.Hour, map[string][]int64{"later": {2}})
	})
}
