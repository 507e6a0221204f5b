package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// rig is an engine over a client that is a table. It lives in a bubble.
type rig struct {
	t      *testing.T
	e      *Engine
	client *table
	events *eventLog
	topic  Topic
	epoch  observe.Epoch
	leader int32    // of what is fetched
	later  []Leader // behind it

	topicID [16]byte

	failed chan error
}

// table is a Kafka for one group.
type table struct {
	mu        sync.Mutex
	committed map[observe.TopicPartition]int64
	metadata  map[observe.TopicPartition]string
	commits   []CommitLine
	paused    map[observe.TopicPartition]bool
	seeks     []string
	forwards  []*Forward
	rebuilds  []error

	commitAs  func(CommitLine) CommitResult // nil: ok
	forwardAs func(*Forward) error          // nil: acknowledged
}

func (c *table) Pause(tp observe.TopicPartition)  { c.set(tp, true) }
func (c *table) Resume(tp observe.TopicPartition) { c.set(tp, false) }

func (c *table) PauseSoon(tp observe.TopicPartition) { c.set(tp, true) }

func (c *table) set(tp observe.TopicPartition, on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused[tp] = on
}

func (c *table) Seek(tp observe.TopicPartition, _ observe.Epoch, gen uint32, offset int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seeks = append(c.seeks, fmt.Sprintf("%s gen %d to %d", tp, gen, offset))
}

func (c *table) Commit(_ context.Context, lines []CommitLine) []CommitResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	results := make([]CommitResult, len(lines))
	for i, l := range lines {
		if c.commitAs != nil {
			results[i] = c.commitAs(l)
		}
		if results[i].Outcome == observe.OK {
			c.committed[l.TP], c.metadata[l.TP] = l.Next, l.Metadata
			c.commits = append(c.commits, l)
		}
	}
	return results
}

func (c *table) Forward(f *Forward, done func(error)) {
	c.mu.Lock()
	as := c.forwardAs
	c.mu.Unlock()
	var err error
	if as != nil {
		err = as(f)
	}
	if err == nil {
		c.mu.Lock()
		c.forwards = append(c.forwards, f)
		c.mu.Unlock()
	}
	go done(err)
}

func (c *table) Rebuild(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rebuilds = append(c.rebuilds, cause)
}

// eventLog collects what the engine emits.
type eventLog struct {
	before func(observe.Event) // nil: nothing

	mu  sync.Mutex
	all []observe.Event
}

func (e *eventLog) emit(ev observe.Event) {
	if e.before != nil {
		e.before(ev)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// count is how many events of type T there were.
func count[T observe.Event](e *eventLog) int { return len(find[T](e)) }

func find[T observe.Event](e *eventLog) []T {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []T
	for _, ev := range e.all {
		if ev, ok := ev.(T); ok {
			found = append(found, ev)
		}
	}
	return found
}

const (
	commitEvery = time.Second
	drainFor    = 10 * time.Second
	commitFor   = 5 * time.Second
	sessionFor  = 45 * time.Second
)

func tp(p int32) observe.TopicPartition { return observe.TopicPartition{Topic: "t", Partition: p} }

// inBubble runs a test with an engine for one topic "t".
func inBubble(t *testing.T, change func(*Topic), test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, change)
		test(r)
		r.stop()
	})
}

func newRig(t *testing.T, change func(*Topic)) *rig {
	t.Helper()
	r := &rig{
		t:      t,
		client: &table{committed: map[observe.TopicPartition]int64{}, metadata: map[observe.TopicPartition]string{}, paused: map[observe.TopicPartition]bool{}},
		events: &eventLog{},
		failed: make(chan error, 1),
		topic: Topic{
			Name:        "t",
			Supervision: supervision.Policy{MaxRestarts: 10, Within: 10 * time.Minute, Backoff: supervision.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}},
		},
	}
	r.topic.Core = core.Config{
		Lanes: 3, MaxSkew: time.Hour,
		Retry:        supervision.Backoff{Min: time.Second, Max: time.Minute},
		ForwardRetry: supervision.Backoff{Min: 100 * time.Millisecond, Max: time.Second},
		Supervision:  r.topic.Supervision, BufferRecords: 10_000, BufferBytes: 1 << 26, MaxAhead: 100_000, MaxForwards: 1000,
		HandOverMax: 256, HandOverTime: 2 * time.Millisecond, Doubt: sessionFor,
	}
	if change != nil {
		change(&r.topic)
		r.topic.Core.Supervision = r.topic.Supervision
	}
	r.e = New(Options{
		Group: "g", Topics: []Topic{r.topic}, CommitInterval: commitEvery, CommitTimeout: commitFor, DrainTimeout: drainFor,
		Client: r.client, Logger: zaptest.NewLogger(t), Emit: r.events.emit,
		Jitter: func() float64 { return 0 }, Owner: r,
		Fail: func(err error) {
			select {
			case r.failed <- err:
			default:
			}
		},
	})
	r.lease()
	return r
}

// lease renews the session, as heartbeats would.
func (r *rig) lease() { r.e.Renew(time.Now(), 1000*time.Hour) }

func (r *rig) stop() {
	r.t.Helper()
	r.e.Lost(r.e.present(), actors.ErrLost)
	synctest.Wait()
	r.e.Stop()
}

// assign begins a partition at what the group has committed.
func (r *rig) assign(p int32) {
	r.t.Helper()
	r.epoch++
	start := r.client.at(p)
	r.e.Assigned([]Assignment{{TP: tp(p), Epoch: r.epoch, Start: start, Committed: start, Metadata: r.client.text(p), TopicID: r.topicID}})
	synctest.Wait()
}

// fetch brings records with these offsets; a record's key is what keys says, in turn.
func (r *rig) fetch(p int32, keys []string, offsets ...int64) {
	r.t.Helper()
	b := Batch{TP: tp(p), Epoch: r.epoch, Gen: r.e.lookup(tp(p)).gen.Load(), LeaderEpoch: r.leader, Later: r.later}
	for i, o := range offsets {
		b.Records = append(b.Records, actors.Record{
			Topic: "t", Partition: p, Offset: o, Key: []byte(keys[i%len(keys)]), Attempt: 1, Timestamp: time.Now(),
		})
		b.LogEnd = o + 1
	}
	r.e.Fetched([]Batch{b})
	synctest.Wait()
}

func (c *table) at(p int32) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.committed[tp(p)]
}

func (c *table) text(p int32) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.metadata[tp(p)]
}

func (r *rig) wantCommitted(p int32, want int64) {
	r.t.Helper()
	if got := r.client.at(p); got != want {
		r.t.Errorf("committed of partition %d: got %d, want %d", p, got, want)
	}
}

// laneKeys is a key for each of the first n lanes.
func laneKeys(n int) []string {
	keys := make([]string, n)
	for i := 0; slices.Contains(keys, ""); i++ {
		key := fmt.Sprint("k", i)
		keys[lane0(key, n)] = key
	}
	return keys
}

func lane0(key string, n int) int {
	return int(float64(hash([]byte(key))) / math.MaxUint64 * float64(n))
}

// journal is what a behavior writes down.
type journal struct {
	mu   sync.Mutex
	seen []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen = append(j.seen, fmt.Sprintf(format, args...))
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.seen)
}

func (j *journal) want(t *testing.T, want ...string) {
	t.Helper()
	if got := j.lines(); !slices.Equal(got, want) {
		t.Errorf("journal:\n got %q\nwant %q", got, want)
	}
}
