//go:build synctests

package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	goruntime "runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// A record panics once, or several times: what is behind it with its key waits, other
// lanes do not.
func TestScenario077APanicOnceOrSeveralTimes(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 5} {
		t.Run(strconv.Itoa(times), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S6}, func(w *world) {
				var seen [2]tape
				w.start("a", runtime.Topic{
					Name: "orders", VirtualPartitions: lanes(2),
					Behavior: func(vp actors.VirtualPartition) actors.Behavior {
						return handle(func(_ context.Context, rec *actors.Record) error {
							seen[vp.Index].add("%s/%d", rec.Value, rec.Attempt)
							if string(rec.Value) == "poison" && rec.Attempt <= times {
								w.hit("panic")
								panic(errPoison)
							}
							return nil
						})(vp)
					},
				})
				w.produce("orders", 0, laneKey(0, 2), "poison", "behind")
				w.produce("orders", 0, laneKey(1, 2), "fine", "fine")
				w.drained(time.Minute, map[string][]int64{"orders": {4}})
				var want []string
				for attempt := range times + 1 {
					want = append(want, fmt.Sprint("poison/", attempt+1))
				}
				seen[0].want(t, append(want, "behind/1")...)
				seen[1].want(t, "fine/1", "fine/1")
			})
		})
	}
}

// Ten restarts within ten minutes are allowed by default: the eleventh panic escalates, and
// nothing of the lane is lost on the way.
func TestScenario078ElevenPanics(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders", Supervision: supervision.Policy{Backoff: patient(500 * time.Millisecond)},
			Retry: runtime.Retry{Backoff: patient(time.Millisecond)},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				seen.add("%d/%d", rec.Offset, rec.Attempt)
				if rec.Offset == 0 && rec.Attempt <= 11 {
					w.hit("panic")
					panic(errPoison)
				}
				return nil
			}),
		})
		w.produce("orders", 0, "k", numbers(0, 5)...)
		w.drained(time.Minute, map[string][]int64{"orders": {5}})
		if restarts, escalated := count[observe.Restarted](n), count[observe.Escalated](n); restarts != 10 || escalated != 1 {
			t.Errorf("%d restarts and %d escalations, want 10 and 1", restarts, escalated)
		}
		if got := seen.lines(); len(got) != 12+4 || got[11] != "0/12" {
			t.Errorf("deliveries %v, want 12 of offset 0 and one of each other", got)
		}
	})
}

func TestScenario079ACallEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S6}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders",
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				seen.add("%d/%d", rec.Offset, rec.Attempt)
				if rec.Offset == 1 && rec.Attempt < 3 {
					w.hit("goexit")
					goruntime.Goexit()
				}
				return nil
			}),
		})
		w.produce("orders", 0, "k", numbers(0, 3)...)
		w.drained(time.Minute, map[string][]int64{"orders": {3}})
		seen.want(t, "0/1", "1/1", "1/2", "1/3", "2/1")
		if got := count[observe.Restarted](n); got != 2 {
			t.Errorf("%d restarts, want 2", got)
		}
	})
}

// noise is a value of 20 KiB that does not compress.
func noise() string {
	b := make([]byte, heavy)
	for i := range b {
		b[i] = byte(rand.Int()) //nolint:gosec // noise
	}
	return string(b)
}

// For an hour twice as many records come as can be worked off: the buffer keeps its limit,
// the partition pauses and resumes, and the member keeps its session.
func TestScenario083MoreThanCanBeWorkedOff(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3, check.S5}, func(w *world) {
		topic := runtime.Topic{Name: "orders", Buffer: runtime.Buffer{Records: 20}, Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(10 * time.Second)
			return nil
		})}
		n := w.start("a", topic)
		begun := time.Now()
		for time.Since(begun) < time.Hour {
			w.produce("orders", 0, "k", noise(), noise())
			time.Sleep(10 * time.Second)
			// A fetch of half a MiB enters as a whole, some 26 of these records, and one
			// more may be on its way.
			if s := n.partition("orders", 0); s.Buffered > 20+2*26 {
				t.Fatalf("%d records are buffered, want 20 and two fetches at most", s.Buffered)
			}
		}
		paused, resumed := n.pauses(tp("orders", 0), "back-pressure")
		if paused == 0 || paused-resumed > 1 {
			t.Errorf("paused %d times and resumed %d times", paused, resumed)
		}
		w.counters.hitN("paused", int64(paused))
		if got := count[observe.Lost](n) + count[observe.RevokeEnded](n); got != 0 {
			t.Errorf("%d partitions were taken", got)
		}
		w.drained(2*time.Hour, map[string][]int64{"orders": {int64(w.produced)}})
	})
}

// One key gets nine of ten records, and is slow: the other lanes are on time, and Stats
// names the oldest record.
func TestScenario084OneHotKey(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S6}, func(w *world) {
		var mu sync.Mutex
		var late time.Duration
		hot := laneKey(0, 8)
		n := w.start("a", runtime.Topic{Name: "orders", VirtualPartitions: lanes(8), Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			if string(rec.Key) == hot {
				w.hit("slow")
				time.Sleep(time.Second)
				return nil
			}
			mu.Lock()
			defer mu.Unlock()
			late = max(late, time.Since(rec.Timestamp))
			return nil
		})})
		for i := range 100 {
			key := hot
			if i%10 == 9 {
				key = laneKey(1+i/10%7, 8)
			}
			w.produce("orders", 0, key, "v")
			time.Sleep(20 * time.Millisecond)
		}
		mu.Lock()
		if late > 10*time.Millisecond {
			t.Errorf("a record of another lane waited %v", late)
		}
		mu.Unlock()
		time.Sleep(10 * time.Second)
		if s := n.partition("orders", 0); s.OldestAge < 10*time.Second || s.OldestOffset < 5 {
			t.Errorf("the oldest record is %d, %v old; want one that waits for the hot key", s.OldestOffset, s.OldestAge)
		}
		w.drained(2*time.Minute, map[string][]int64{"orders": {100}})
	})
}

// A dead letter is stored and the answer says otherwise: it is sent again, and may be there
// twice.
func TestScenario089TheAnswerOfADeadLetterIsLost(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2}, func(w *world) {
		w.dead = []string{dlq}
		var seen tape
		w.start("a", lettered(&seen))
		w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: dlq, Err: kerr.NotEnoughReplicasAfterAppend, Count: 2})
		w.produce("orders", 0, "k", "fine", "discard", "fine")
		w.drained(5*time.Minute, map[string][]int64{"orders": {3}})
		if got := len(w.c.Records(dlq)); got == 0 {
			t.Error("the dead letter is not there")
		}
		seen.want(t, "fine/1", "discard/1", "fine/1")
	})
}

// Two topics are each other's dead letter topics: a record goes round five times at most,
// then its lane stops. Loops that go round at once are refused at the start.
func TestScenario091DeadLettersInALoop(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "second"}, []string{check.S2, check.S10}, func(w *world) {
		discards := func() actors.Factory {
			return handle(func(context.Context, *actors.Record) error { return actors.Discard(errPoison) })
		}
		w.wantLoopsRefused(discards)
		n := w.start("a",
			runtime.Topic{Name: "orders", Behavior: discards(), DeadLetter: runtime.DeadLetter{Topic: "second"}},
			runtime.Topic{Name: "second", Behavior: discards(), DeadLetter: runtime.DeadLetter{Topic: "orders"}})
		w.dead = []string{"orders", "second"}
		w.produce("orders", 0, "k", "v")
		time.Sleep(time.Minute)
		hops := len(w.c.Records("orders")) - 1 + len(w.c.Records("second"))
		if halted := count[observe.Halted](n); hops != 5 || halted != 1 {
			t.Errorf("%d copies were written and %d lanes stopped, want 5 and 1", hops, halted)
		}
		w.counters.hitN("copies", int64(hops))
		if _, err := n.stop(); err != nil {
			t.Error(err)
		}
		w.heal(map[string][]int64{"orders": {3}, "second": {3}})
	})
}

// wantLoopsRefused tries configs in which a topic has its dead letters handed back at once,
// by itself or by another one with its behavior, and such as have a delay or another
// behavior in between.
func (w *world) wantLoopsRefused(behavior func() actors.Factory) {
	w.t.Helper()
	one, other := behavior(), behavior()
	topic := func(name string, b actors.Factory, dead string, delay time.Duration) runtime.Topic {
		return runtime.Topic{Name: name, Behavior: b, Delay: delay, DeadLetter: runtime.DeadLetter{Topic: dead}}
	}
	for name, c := range map[string]struct {
		topics  []runtime.Topic
		refused string // the field; empty: it is accepted
	}{
		"its own":                     {[]runtime.Topic{topic("orders", one, "orders", 0)}, "topics[0].dead_letter.topic"},
		"its own, with a delay":       {[]runtime.Topic{topic("orders", one, "orders", time.Minute)}, ""},
		"one with its behavior":       {[]runtime.Topic{topic("orders", one, "second", 0), topic("second", one, "", 0)}, "topics[0].dead_letter.topic"},
		"that of a dead letter's":     {[]runtime.Topic{topic("orders", one, "second", 0), topic("second", other, "third", 0), topic("third", other, "", 0)}, "topics[1].dead_letter.topic"},
		"one with its, delayed":       {[]runtime.Topic{topic("orders", one, "second", 0), topic("second", one, "", time.Minute)}, ""},
		"one with another behavior":   {[]runtime.Topic{topic("orders", one, "second", 0), topic("second", other, "", 0)}, ""},
		"round by another behavior":   {[]runtime.Topic{topic("orders", one, "second", 0), topic("second", other, "orders", 0)}, ""},
		"one that nothing here reads": {[]runtime.Topic{topic("orders", one, "elsewhere", 0)}, ""},
	} {
		cfg := w.c.Config(runtime.Config{Group: group, Topics: c.topics})
		err := cfg.Validate()
		if (c.refused == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.refused) {
			w.t.Errorf("%s: Validate says %v, want it to name %q", name, err, c.refused)
		}
		if err != nil {
			w.hit("loop refused")
		}
	}
}

// A call writes to an output topic and fails then: at least once, and so twice.
func TestScenario093AnOutputBeforeAFailure(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "out"}, []string{check.S1, check.S2, check.S5}, func(w *world) {
		client := w.c.Client(kgo.ProducerLinger(0))
		w.start("a", runtime.Topic{Name: "orders", Behavior: handle(func(ctx context.Context, rec *actors.Record) error {
			if err := client.ProduceSync(ctx, &kgo.Record{Topic: "out", Value: rec.Value}).FirstErr(); err != nil {
				return err
			}
			if rec.Offset == 1 && rec.Attempt == 1 {
				w.hit("failed behind its output")
				return errNotYet
			}
			return nil
		})})
		w.produce("orders", 0, "k", numbers(0, 3)...)
		w.drained(time.Minute, map[string][]int64{"orders": {3}})
		var got []string
		for _, r := range w.c.Records("out") {
			got = append(got, string(r.Value))
		}
		if strings.Join(got, " ") != "0 1 1 2" {
			t.Errorf("the output is %v, want 1 twice", got)
		}
	})
}

// Records without a value, without a key, with an empty one, and with one key in two
// partitions are delivered as they are; without a key, to lane 0. An empty key is one.
func TestScenario094KeysAndValuesThatAreNone(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S5}, func(w *world) {
		var seen tape
		w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(16),
			Behavior: func(vp actors.VirtualPartition) actors.Behavior {
				return handle(func(_ context.Context, rec *actors.Record) error {
					seen.add("%d:%d key %t %q value %t %q lane0 %t", rec.Partition, rec.Offset, rec.Key != nil, rec.Key, rec.Value != nil, rec.Value, vp.Index == 0)
					if rec.Key == nil || rec.Value == nil || len(rec.Key) == 0 {
						w.hit("nothing there")
					}
					return nil
				})(vp)
			},
		})
		k := []byte(laneKey(7, 16))
		for _, r := range []*actors.Record{
			{Key: k},
			{Value: []byte("v")},
			{Value: []byte("w")},
			{Key: []byte{}, Value: []byte("e")},
			{Key: k, Value: []byte("0")},
			{Partition: 1, Key: k, Value: []byte("1")},
		} {
			r.Topic = "orders"
			w.produceRecords(r)
			w.c.Settle()
		}
		w.drained(time.Minute, map[string][]int64{"orders": {5, 1}})
		key := string(k)
		seen.want(t,
			fmt.Sprintf("0:0 key true %q value false \"\" lane0 false", key),
			`0:1 key false "" value true "v" lane0 true`,
			`0:2 key false "" value true "w" lane0 true`,
			`0:3 key true "" value true "e" lane0 false`,
			fmt.Sprintf("0:4 key true %q value true \"0\" lane0 false", key),
			fmt.Sprintf("1:0 key true %q value true \"1\" lane0 false", key))
	})
}

// A batch that grows beyond the limit stops its partition, once, and no other.
func TestScenario095ABatchThatGrows(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.startWith("a", func(cfg *runtime.Config) { cfg.MaxDecompressedBatch = maxBatch }, runtime.Topic{Name: "orders", Behavior: handle(fine)})
		client := w.c.Client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.GzipCompression()))
		w.produceBy(client, &kgo.Record{Topic: "orders", Key: []byte("k"), Value: bytes.Repeat([]byte("0"), 4*maxBatch)})
		w.produce("orders", 0, "k", "behind")
		w.produce("orders", 1, "k", "fine")
		time.Sleep(time.Minute)
		w.wantCommitted("orders", 1, 1)
		w.wantCommitted("orders", 0, 0)
		told := 0
		for _, ev := range find[observe.Gap](n) {
			told++
			if ev.TP.Partition != 0 {
				t.Errorf("told of %+v", ev)
			}
		}
		if s := n.partition("orders", 0); told != 1 || len(s.PauseReasons) == 0 {
			t.Errorf("told %d times, paused for %v; want once, and to be paused", told, s.PauseReasons)
		}
		w.counters.hitN("batch over the limit", int64(told))
		if _, err := n.stop(); err != nil {
			t.Error(err)
		}
		w.heal(map[string][]int64{"orders": {2, 1}}) // with the default limit it fits
	})
}

// Many headers, large ones, and bytes that are no text come through as they are.
func TestScenario096HeadersAndBytes(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5}, func(w *world) {
		many := make([]actors.Header, 10_000)
		for i := range many {
			many[i] = actors.Header{Key: fmt.Sprint("h", i), Value: []byte{byte(i)}}
		}
		key := []byte("\x00\x1b[31m\xff\xfe\n")
		want := [][]actors.Header{many, {{Key: "large", Value: bytes.Repeat([]byte("x"), 900<<10)}}, {{Key: "\x00\xff", Value: nil}}}
		w.start("a", runtime.Topic{Name: "orders", Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			headers := want[rec.Offset]
			if !bytes.Equal(rec.Key, key) || len(rec.Headers) != len(headers) {
				return fmt.Errorf("offset %d: key %q and %d headers", rec.Offset, rec.Key, len(rec.Headers))
			}
			for i, h := range headers {
				if rec.Headers[i].Key != h.Key || !bytes.Equal(rec.Headers[i].Value, h.Value) {
					return errors.New("a header is not what it was")
				}
			}
			w.counters.hitN("headers", int64(len(headers)))
			return nil
		})})
		for _, headers := range want {
			w.produceRecords(&actors.Record{Topic: "orders", Key: key, Headers: headers})
		}
		w.drained(time.Minute, map[string][]int64{"orders": {3}})
		w.wantNoDuplicates()
	})
}

// Configs that cannot work are refused, all problems at once, each with its field.
func TestScenario114ConfigsThatCannotWork(t *testing.T) {
	t.Parallel()
	behavior := handle(fine)
	for field, change := range map[string]func(*runtime.Config){
		"drain_timeout: -1s": func(cfg *runtime.Config) { cfg.DrainTimeout = -time.Second },
		"session_timeout":    func(cfg *runtime.Config) { cfg.SessionTimeout = 2 * time.Second },
		"topics[1].name":     func(cfg *runtime.Config) { cfg.Topics = append(cfg.Topics, cfg.Topics[0]) },
		"drain_timeout: 41s": func(cfg *runtime.Config) { cfg.DrainTimeout, cfg.CommitTimeout = 41*time.Second, 5*time.Second },
		"rebalance_timeout":  func(cfg *runtime.Config) { cfg.RebalanceTimeout = 12 * time.Second },
		"dead_letter":        func(cfg *runtime.Config) { cfg.Topics[0].DeadLetter.Topic = "orders" },
		"max_ahead":          func(cfg *runtime.Config) { cfg.Topics[0].MaxAhead = 10 },
		"topics[0].delay":    func(cfg *runtime.Config) { cfg.Topics[0].Delay = -1 },
		"group":              func(cfg *runtime.Config) { cfg.Group = "a/b" },
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			cfg := runtime.Config{Brokers: []string{"localhost:9092"}, Group: group, Topics: []runtime.Topic{{Name: "orders", Behavior: behavior}}}
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			change(&cfg)
			err := cfg.Validate()
			var wrong *runtime.ConfigError
			if !errors.As(err, &wrong) || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(field)) {
				t.Errorf("got %v, want that %s is named", err, field)
			}
			if _, err := runtime.New(cfg); err == nil {
				t.Error("New accepted it")
			}
			tell(t, nil, map[string]int64{"config changed": 1}, map[string]int64{"refused": 1})
		})
	}
}
