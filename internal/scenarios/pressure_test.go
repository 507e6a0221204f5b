//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

const (
	breath   = 10 * time.Millisecond // how long a full partition holds up the polls, at most
	heavy    = 20 << 10              // bytes of a record: a fetch brings some 26
	maxBatch = 128 << 10
)

// deliveries counts how often each record was finished, and how long after it was produced.
type deliveries struct {
	mu    sync.Mutex
	times map[string]int // guarded by mu; by partition/offset
	late  time.Duration  // guarded by mu; the most, of partition 1
}

func (d *deliveries) receive(_ context.Context, rec *actors.Record) error {
	if rec.Partition == 0 {
		time.Sleep(20 * time.Millisecond)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.times[fmt.Sprintf("%d/%d", rec.Partition, rec.Offset)]++
	if rec.Partition == 1 {
		d.late = max(d.late, time.Since(rec.Timestamp))
	}
	return nil
}

// onceEach: every one of n records was finished, and none twice.
func (d *deliveries) onceEach(t *testing.T, n int) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.times) != n {
		t.Errorf("%d records were finished, want %d", len(d.times), n)
	}
	for at, times := range d.times {
		if times != 1 {
			t.Errorf("%s was finished %d times", at, times)
		}
	}
}

// pauses are how often a partition was paused for a reason, and resumed.
func (n *node) pauses(at observe.TopicPartition, reason string) (int, int) {
	paused, resumed := 0, 0
	for _, p := range find[observe.Paused](n) {
		if p.TP == at && p.Reason == reason {
			paused++
		}
	}
	for _, r := range find[observe.Resumed](n) {
		if r.TP == at && r.Reason == reason {
			resumed++
		}
	}
	return paused, resumed
}

// A partition whose buffer is full pauses, goes on at half of the limit, reads nothing
// twice, and holds up another one for a breath at most.
func TestAFullBufferPausesItsPartitionAlone(t *testing.T) {
	t.Parallel()
	const records = 100
	for name, c := range map[string]struct {
		buffer runtime.Buffer
		used   func(runtime.PartitionStats) int64
		limit  int64
		step   int64 // of one record
	}{
		"records": {runtime.Buffer{Records: 20}, func(s runtime.PartitionStats) int64 { return int64(s.Buffered) }, 20, 1},
		"bytes":   {runtime.Buffer{Bytes: 256 << 10}, func(s runtime.PartitionStats) int64 { return s.BufferedBytes }, 256 << 10, heavy + 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S3, check.S5}, func(w *world) {
				done := &deliveries{times: map[string]int{}}
				n := w.startWith("a", func(cfg *runtime.Config) { cfg.MaxDecompressedBatch = maxBatch },
					runtime.Topic{Name: "orders", Buffer: c.buffer, Behavior: handle(done.receive)})
				value := strings.Repeat("x", heavy)
				for range records / 5 {
					w.produce("orders", 0, "k", slices.Repeat([]string{value}, 5)...)
				}
				others := 0
				last := int64(0) // what it held when it was last seen paused
				for n.partition("orders", 0).Buffered > 0 {
					w.produce("orders", 1, "k", "v")
					others++
					s := n.partition("orders", 0)
					switch {
					case slices.Equal(s.PauseReasons, []string{"back-pressure"}):
						last = c.used(s)
						if last <= c.limit/2 {
							t.Fatalf("paused with %d of %d", last, c.limit)
						}
					case len(s.PauseReasons) > 0:
						t.Fatalf("paused for %v, want back-pressure", s.PauseReasons)
					case c.used(s) >= c.limit:
						t.Fatalf("fetched with %d of %d", c.used(s), c.limit)
					}
					time.Sleep(3 * time.Millisecond)
				}
				if last-c.step > c.limit/2 {
					t.Errorf("it went on at %d of %d, want at half", last-c.step, c.limit)
				}
				w.drained(10*time.Second, map[string][]int64{"orders": {records, int64(others)}})
				if paused, resumed := n.pauses(tp("orders", 0), "back-pressure"); paused < 2 || resumed != paused {
					t.Errorf("paused %d times and resumed %d times, want some and as many", paused, resumed)
				}
				if paused, _ := n.pauses(tp("orders", 1), "back-pressure"); paused > 0 {
					t.Errorf("the other partition was paused %d times", paused)
				}
				done.onceEach(t, records+others)
				if done.late > breath {
					t.Errorf("a record of the other partition waited %v, want a breath of %v at most", done.late, breath)
				}
			})
		})
	}
}

// More than a buffer of records that are not due: the partition pauses for the delay, and
// every record is handed over at its time all the same, beside an idle partition whose
// fetches wait at the broker.
func TestADelayWithAFullBufferIsExact(t *testing.T) {
	t.Parallel()
	const records, delay = 100, 5 * time.Second
	for name, partitions := range map[string]int{"alone": 1, "beside an idle partition": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{fmt.Sprint("later:", partitions)}, []string{check.S1, check.S2, check.S5, check.S8}, func(w *world) {
				seen := newStamps()
				topic := delayed(delay, handle(seen.receive))
				topic.Buffer.Records = 20
				n := w.start("a", topic)
				for i := range records {
					w.produce("later", 0, fmt.Sprint("key-", i%7), "v")
					time.Sleep(100 * time.Millisecond)
				}
				ends := make([]int64, partitions)
				ends[0] = records
				if partitions > 1 {
					w.produce("later", 1, "k", "v")
					ends[1] = 1
				}
				w.drained(20*time.Second, map[string][]int64{"later": ends})
				for o := int64(1); o < records; o++ {
					if got := seen.after(o); got != delay {
						t.Errorf("offset %d was handed over %v after its timestamp, want %v", o, got, delay)
					}
				}
				if paused, resumed := n.pauses(tp("later", 0), "delay"); paused == 0 || resumed != paused {
					t.Errorf("paused for the delay %d times and resumed %d times, want some and as many", paused, resumed)
				}
			})
		})
	}
}

// While one lane waits ten minutes for a retry, the others run on up to MaxAhead; then
// nothing is fetched until the line moves.
func TestScenario087TheOthersRunUpToMaxAhead(t *testing.T) {
	t.Parallel()
	const ahead, records = 50, 120
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3, check.S5, check.S14, check.S16}, func(w *world) {
		var others tape
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2), Buffer: runtime.Buffer{Records: 10}, MaxAhead: ahead,
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if string(rec.Value) == "held" {
					if rec.Attempt == 1 {
						w.hit("retry in ten minutes")
						return actors.RetryAfter(10*time.Minute, errNotYet)
					}
					return nil
				}
				others.add("%s", rec.Value)
				return nil
			}),
		})
		w.produce("orders", 0, laneKey(0, 2), "held")
		for i := range records {
			w.produce("orders", 0, laneKey(1, 2), numbers(i, i+1)...)
			w.c.Settle()
		}
		time.Sleep(time.Minute)
		others.want(t, numbers(0, ahead-1)...)
		if s := n.partition("orders", 0); !slices.Equal(s.PauseReasons, []string{"ahead"}) || s.Ahead != ahead || s.Buffered != 1 {
			t.Errorf("paused for %v, %d ahead, %d buffered; want ahead, %d and 1", s.PauseReasons, s.Ahead, s.Buffered, ahead)
		}
		w.wantCommitted("orders", 0, 0)
		n.wantProbe("/livez", 200)
		w.drained(10*time.Minute, map[string][]int64{"orders": {records + 1}})
		others.want(t, numbers(0, records)...)
		if paused, resumed := n.pauses(tp("orders", 0), "ahead"); paused == 0 || resumed != paused {
			t.Errorf("paused %d times and resumed %d times, want some and as many", paused, resumed)
		}
	})
}
