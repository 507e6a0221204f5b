//go:build synctests

package scenarios

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
)

// Two topics in one group, five partitions: the last one is delayed by 10 s. A record a
// millisecond to each in turn, and lag and age of every partition each 100 ms.
const (
	loadFor    = 11 * time.Second
	loadDelay  = 10 * time.Second
	sampleEach = 100 * time.Millisecond
)

var loaded = []struct {
	topic     string
	partition int32
}{{"orders", 0}, {"orders", 1}, {"orders", 2}, {"orders", 3}, {"later", 0}}

// sample is what was seen of one partition at a time.
type sample struct {
	at        time.Duration
	partition int
	lag       int64
	age       time.Duration // of the oldest record that is not committed
}

// load is a run of the workload: when each record was produced and handled.
type load struct {
	mu       sync.Mutex
	produced [5][]time.Time
	handled  [5]map[int64]time.Time
	samples  []sample
	delayed  int64 // handled
}

func newLoad() *load {
	l := &load{}
	for i := range l.handled {
		l.handled[i] = map[int64]time.Time{}
	}
	return l
}

func loadIndex(rec *actors.Record) int {
	if rec.Topic == "later" {
		return 4
	}
	return int(rec.Partition)
}

func (l *load) receive(_ context.Context, rec *actors.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.handled[loadIndex(rec)][rec.Offset] = time.Now()
	if rec.Topic == "later" {
		l.delayed++
	}
	return nil
}

// drive produces a record each millisecond and samples, for loadFor.
func (l *load) drive(w *world) {
	w.t.Helper()
	client := w.c.Client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	begun := time.Now()
	var acks sync.WaitGroup
	for i := range int(loadFor / time.Millisecond) {
		p := i % len(loaded)
		attempted := w.producer.Sent(loaded[p].topic, strconv.Itoa(i), []byte(fmt.Sprint("key-", i%31)))
		acks.Add(1)
		client.Produce(context.Background(), &kgo.Record{
			Topic: loaded[p].topic, Partition: loaded[p].partition, Key: []byte(fmt.Sprint("key-", i%31)),
		}, func(r *kgo.Record, err error) {
			defer acks.Done()
			if err != nil {
				w.t.Error(err)
				return
			}
			attempted.Acked(r.Partition, r.Offset)
		})
		l.produced[p] = append(l.produced[p], time.Now())
		if i%int(sampleEach/time.Millisecond) == 0 {
			l.sample(w, time.Since(begun))
		}
		time.Sleep(time.Millisecond)
	}
	acks.Wait()
	for range 130 { // until the delayed ones are through
		l.sample(w, time.Since(begun))
		time.Sleep(sampleEach)
	}
}

// sample reads what the broker holds.
func (l *load) sample(w *world, at time.Duration) {
	info := w.c.Broker().GroupInfo(group)
	for i, tp := range loaded {
		s := sample{at: at, partition: i}
		line := int64(0)
		if info != nil {
			line = info.Commits[tp.topic][tp.partition].Offset
		}
		s.lag = int64(len(l.produced[i])) - line
		if s.lag > 0 {
			s.age = time.Since(l.produced[i][line])
		}
		l.samples = append(l.samples, s)
	}
}

// worst are the highest lag and age of a partition.
func (l *load) worst(partition int) (lag int64, age time.Duration) { //nolint:nonamedreturns // tells them apart
	for _, s := range l.samples {
		if s.partition == partition {
			lag, age = max(lag, s.lag), max(age, s.age)
		}
	}
	return lag, age
}

// lateness is how long after its due time each record was handed over.
func (l *load) lateness(partition int, delay time.Duration) []time.Duration {
	var late []time.Duration
	for o, at := range l.produced[partition] {
		if handled, ok := l.handled[partition][int64(o)]; ok {
			late = append(late, handled.Sub(at)-delay)
		}
	}
	return late
}

// write leaves the figures as CSV, in TROUPE_CSV if that is set.
func (l *load) write(t *testing.T, name string, delay time.Duration) {
	t.Helper()
	dir := cmp.Or(os.Getenv("TROUPE_CSV"), t.TempDir())
	var series, late strings.Builder
	series.WriteString("ms,topic,partition,lag,age_ms\n")
	for _, s := range l.samples {
		fmt.Fprintf(&series, "%d,%s,%d,%d,%d\n", s.at.Milliseconds(), loaded[s.partition].topic, loaded[s.partition].partition, s.lag, s.age.Milliseconds())
	}
	late.WriteString("topic,partition,offset,lateness_us\n")
	for p, tp := range loaded {
		d := time.Duration(0)
		if tp.topic == "later" {
			d = delay
		}
		for o, x := range l.lateness(p, d) {
			fmt.Fprintf(&late, "%s,%d,%d,%d\n", tp.topic, tp.partition, o, x.Microseconds())
		}
	}
	for file, text := range map[string]string{name + "_series.csv": series.String(), name + "_lateness.csv": late.String()} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Error(err)
		}
		if got := lines(text); got < 1000 {
			t.Errorf("%s has %d lines: nothing was measured", file, got)
		}
	}
}

func lines(text string) int {
	n := 0
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); n++ {
	}
	return n
}

// troupeLoad runs the workload on a runtime.
func troupeLoad(t *testing.T, name string, delay time.Duration) *load {
	t.Helper()
	l := newLoad()
	checks := []string{check.S1, check.S2, check.S3, check.S5, check.S6}
	if delay > 0 {
		checks = append(checks, check.S8)
	}
	scenario(t, []string{"orders:4", "later"}, checks, func(w *world) {
		topic := func(name string, delay time.Duration) runtime.Topic {
			return runtime.Topic{Name: name, Delay: delay, VirtualPartitions: lanes(4), Behavior: handle(l.receive)}
		}
		w.start("a", topic("orders", 0), topic("later", delay))
		l.drive(w)
		l.write(t, name, delay)
		w.counters.hitN("delayed", l.delayed)
	})
	return l
}

func TestScenario075ADelayedPartitionBesideOthers(t *testing.T) {
	t.Parallel()
	with, without := troupeLoad(t, "delayed", loadDelay), troupeLoad(t, "undelayed", 0)
	for p := range 4 {
		lag, age := with.worst(p)
		wantLag, wantAge := without.worst(p)
		if lag > wantLag+5 || age > wantAge+10*time.Millisecond { // a tick's worth of chance
			t.Errorf("partition %d: lag up to %d and age up to %v beside a delayed one, %d and %v without", p, lag, age, wantLag, wantAge)
		}
		if late := slices.Max(with.lateness(p, 0)); late != 0 {
			t.Errorf("partition %d: a record waited %v beside a delayed one, want none", p, late)
		}
	}
	late := with.lateness(4, loadDelay)
	if n := int(loadFor/time.Millisecond) / 5; len(late) != n {
		t.Fatalf("%d delayed records were handed over, want %d", len(late), n)
	}
	if least, most := slices.Min(late), slices.Max(late); least < 0 || most > time.Millisecond {
		t.Errorf("delayed records were %v to %v late, want 0 to 1ms", least, most)
	}
	if _, age := with.worst(4); age < loadDelay || age > loadDelay+2*commitEvery {
		t.Errorf("the oldest delayed record was %v old, want %v and a commit interval", age, loadDelay)
	}
}

// The same load on a bare consumer, whose behavior sleeps until a record is due: all five
// partitions wait for the delayed one. The figures go beside ours.
func TestABareConsumerThatSleepsHoldsUpEverything(t *testing.T) {
	t.Parallel()
	l := newLoad()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, "orders:4", "later")
		consumer := w.c.Client(kgo.ConsumerGroup(group), kgo.ConsumeTopics("orders", "later"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
		ctx, cancel := context.WithCancel(context.Background())
		var loop sync.WaitGroup
		loop.Go(func() { bare(ctx, consumer, l) })
		time.Sleep(5 * time.Second) // it joins the group
		l.drive(w)
		cancel()
		loop.Wait()
		consumer.Close()
		w.close()
		l.write(t, "bare", loadDelay)
	})
	for p := range 4 {
		if _, age := l.worst(p); age < loadDelay {
			t.Errorf("partition %d: age up to %v, so nothing was shown", p, age)
		}
	}
}

// bare polls in batches, sleeps where a record is not due, and commits after each batch.
func bare(ctx context.Context, consumer *kgo.Client, l *load) {
	for ctx.Err() == nil {
		fetches := consumer.PollRecords(ctx, 500)
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Topic == "later" {
				select {
				case <-time.After(time.Until(r.Timestamp.Add(loadDelay))):
				case <-ctx.Done():
					return
				}
			}
			_ = l.receive(ctx, &actors.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset})
		})
		if !fetches.Empty() {
			_ = kadm.NewClient(consumer).CommitAllOffsets(ctx, group, kadm.OffsetsFromFetches(fetches))
		}
	}
}
