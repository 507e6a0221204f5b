//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtimetest"
)

const group = "g"

// The defaults that times follow from.
const (
	commitEvery  = time.Second
	drainFor     = 10 * time.Second
	commitFor    = 5 * time.Second
	sessionFor   = 45 * time.Second
	shutdownFor  = 25 * time.Second
	heartbeatFor = 3 * time.Second
)

// world is a cluster with everything that is known of a run. It lives in a bubble.
type world struct {
	t        *testing.T
	c        *runtimetest.Cluster
	h        *history.History
	producer *history.Producer
	observer *history.Observer
	topics   []string    // inputs, for the final read
	dead     []string    // dead letter topics, for the final read
	calm     atomic.Bool // no fault is active: the probes may judge what they sample
	mu       sync.Mutex
	nodes    []*node // guarded by mu where the poller reads them
	polling  sync.WaitGroup
	over     chan struct{}
	closed   sync.Once
	produced int
	counters *counters
	info     [16]byte // the id of orders, for answers that a test makes up
}

// scenario runs a test in a bubble and judges it. checks are those that must have
// compared something.
func scenario(t *testing.T, topics, checks []string, run func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, topics...)
		run(w)
		w.judge(checks...)
	})
}

func newWorld(t *testing.T, topics ...string) *world {
	t.Helper()
	h := history.New()
	w := &world{
		t: t, c: runtimetest.New(t, topics...), h: h,
		producer: history.NewProducer(h), observer: history.NewObserver(h), over: make(chan struct{}),
		counters: newCounters(),
	}
	w.polling.Go(w.poll)
	t.Cleanup(w.close) // also of a test that gave up
	return w
}

// close ends the reader of committed offsets.
func (w *world) close() {
	w.closed.Do(func() {
		select {
		case <-w.over:
		default:
			close(w.over)
		}
	})
	w.polling.Wait()
}

// produce appends values with a key to a partition.
func (w *world) produce(topic string, partition int32, key string, values ...string) {
	w.t.Helper()
	recs := make([]*actors.Record, len(values))
	for i, v := range values {
		recs[i] = &actors.Record{Topic: topic, Partition: partition, Key: []byte(key), Value: []byte(v)}
	}
	w.produceRecords(recs...)
}

func (w *world) produceRecords(recs ...*actors.Record) {
	w.t.Helper()
	sent := make([]*history.Attempted, len(recs))
	for i, r := range recs {
		if string(r.Value) == canary || string(r.Key) == canary {
			w.observer.Canary(canary)
		}
		w.produced++
		w.consumes(r.Topic)
		sent[i] = w.producer.Sent(r.Topic, fmt.Sprint("r", w.produced), r.Key)
	}
	w.c.ProduceRecords(recs...)
	for i, r := range recs {
		sent[i].Acked(r.Partition, r.Offset)
	}
}

// produceBy appends a record with a client of the test's own.
func (w *world) produceBy(client *kgo.Client, rec *kgo.Record) {
	w.t.Helper()
	w.produced++
	w.consumes(rec.Topic)
	sent := w.producer.Sent(rec.Topic, fmt.Sprint("r", w.produced), rec.Key)
	if err := client.ProduceSync(context.Background(), rec).FirstErr(); err != nil {
		w.t.Fatalf("produce to %s/%d: %v", rec.Topic, rec.Partition, err)
	}
	sent.Acked(rec.Partition, rec.Offset)
}

func (w *world) consumes(topic string) {
	if !slices.Contains(w.topics, topic) {
		w.topics = append(w.topics, topic)
	}
}

func (w *world) wantCommitted(topic string, partition int32, want int64) {
	w.t.Helper()
	w.c.Settle()
	got := int64(-1)
	if info := w.c.Broker().GroupInfo(group); info != nil {
		if c, ok := info.Commits[topic][partition]; ok {
			got = c.Offset
		}
	}
	if got != want {
		w.t.Errorf("committed of %s/%d: got %d, want %d", topic, partition, got, want)
	}
}

// drained waits, for the bubble's limit at most, until the group committed everything.
func (w *world) drained(limit time.Duration, ends map[string][]int64) {
	w.t.Helper()
	begun := time.Now()
	for {
		w.c.Settle()
		if w.isDrained(ends) {
			w.observer.Settled()
			return
		}
		if time.Since(begun) > limit {
			w.t.Errorf("not drained after %v: want %v, group %+v", limit, ends, w.c.Broker().GroupInfo(group))
			return
		}
		time.Sleep(max(100*time.Millisecond, limit/500))
	}
}

// heal starts a member that takes everything, and waits until it has. A scenario whose
// records could not be finished ends so: the next start gets them.
func (w *world) heal(ends map[string][]int64) {
	w.t.Helper()
	var topics []runtime.Topic
	for name := range ends {
		topics = append(topics, runtime.Topic{
			Name: name, VirtualPartitions: lanes(3), Behavior: handle(func(context.Context, *actors.Record) error { return nil }),
		})
	}
	w.start("healer", topics...)
	w.drained(time.Minute, ends)
}

func (w *world) isDrained(ends map[string][]int64) bool {
	info := w.c.Broker().GroupInfo(group)
	for topic, list := range ends {
		for p, end := range list {
			if info == nil || info.Commits[topic][int32(p)].Offset != end {
				return false
			}
		}
	}
	return true
}
