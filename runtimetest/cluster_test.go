//go:build synctests

package runtimetest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtimetest"
)

// log is what behaviors saw.
type log struct {
	mu   sync.Mutex
	seen []string
}

func (l *log) add(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, fmt.Sprintf(format, args...))
}

func (l *log) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.seen, want) {
		t.Errorf("seen:\n got %q\nwant %q", l.seen, want)
	}
}

func (l *log) behavior() actors.Factory {
	return actors.Func(func(_ context.Context, rec *actors.Record) error {
		l.add("%s", rec.Value)
		return nil
	})
}

func config(b actors.Factory) runtime.Config {
	return runtime.Config{Group: "g", Topics: []runtime.Topic{{Name: "orders", Behavior: b}}}
}

func TestProducedRecordsAreHandledAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen log
		c := runtimetest.New(t, "orders")
		c.Start(config(seen.behavior()))
		c.Produce("orders", "", "a")
		c.Produce("orders", "", "b")
		c.Settle()
		seen.want(t, "a", "b")
		time.Sleep(time.Second) // the commit interval
		c.Settle()
		if got := c.Committed("orders", 0); got != 2 {
			t.Errorf("committed %d, want 2", got)
		}
	})
}

func TestCommittedIsMinusOneBeforeTheGroupExists(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen log
		c := runtimetest.New(t, "orders", "other:3")
		c.Start(config(seen.behavior()))
		c.Settle()
		if got := c.Committed("other", 2); got != -1 {
			t.Errorf("committed %d, want -1", got)
		}
	})
}

func TestRecordsAreReadAsTheyWereProduced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders:2")
		at := time.Now().Add(-time.Hour)
		recs := []*actors.Record{
			{Topic: "orders", Partition: 1, Key: []byte("k"), Value: []byte("1"), Timestamp: at, Headers: []actors.Header{{Key: "h", Value: []byte("v")}}},
			{Topic: "orders", Partition: 0, Timestamp: time.UnixMilli(-1)},
		}
		c.ProduceRecords(recs...)
		c.Settle()
		got := c.Records("orders")
		if len(got) != 2 {
			t.Fatalf("%d records, want 2", len(got))
		}
		if got[0].Key != nil || got[0].Value != nil || !got[0].Timestamp.IsZero() || got[0].Partition != 0 {
			t.Errorf("first: %+v", got[0])
		}
		if r := got[1]; string(r.Key) != "k" || !r.Timestamp.Equal(at) || len(r.Headers) != 1 || r.Headers[0].Key != "h" {
			t.Errorf("second: %+v", r)
		}
	})
}

func TestRebalanceGivesEveryPartitionOutAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen log
		c := runtimetest.New(t, "orders:3")
		c.Start(config(func(vp actors.VirtualPartition) actors.Behavior {
			return &watcher{log: &seen}
		}))
		for p := range int32(3) {
			c.ProduceRecords(&actors.Record{Topic: "orders", Partition: p})
		}
		c.Settle()
		c.Rebalance()
		for p := range int32(3) {
			c.ProduceRecords(&actors.Record{Topic: "orders", Partition: p})
		}
		c.Settle()
		seen.mu.Lock()
		slices.Sort(seen.seen)
		seen.mu.Unlock()
		seen.want(t, "receive 0", "receive 0", "receive 0", "receive 1", "receive 1", "receive 1",
			"stop revoked: true", "stop revoked: true", "stop revoked: true")
	})
}

// watcher writes down what happens to it.
type watcher struct{ log *log }

func (w *watcher) Receive(_ context.Context, rec *actors.Record) error {
	w.log.add("receive %d", rec.Offset)
	return nil
}

func (w *watcher) Stop(_ context.Context, cause error) error {
	if !errors.Is(cause, actors.ErrShutdown) {
		w.log.add("stop revoked: %v", errors.Is(cause, actors.ErrRevoked))
	}
	return nil
}

func TestAKilledRuntimeLeavesNoTrace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var first, second log
		c := runtimetest.New(t, "orders")
		a := c.Start(config(first.behavior()))
		c.Produce("orders", "", "a")
		c.Settle()
		c.Kill(a) // before its commit interval
		c.Produce("orders", "", "b")
		c.Settle()
		first.want(t, "a")
		c.Start(config(second.behavior()))
		time.Sleep(time.Minute) // the session timeout
		c.Settle()
		second.want(t, "a", "b")
		first.want(t, "a")
	})
}

func TestFreezeHoldsUpWhatGoesOverTheNetwork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen log
		c := runtimetest.New(t, "orders")
		rt := c.Start(config(seen.behavior()))
		c.Settle()
		c.Freeze(rt, 5*time.Second)
		c.Produce("orders", "", "a")
		time.Sleep(5*time.Second - 1)
		c.Settle()
		seen.want(t)
		time.Sleep(time.Nanosecond)
		c.Settle()
		seen.want(t, "a")
	})
}

func TestStopAndWaitReturnWhatRunReturned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen log
		c := runtimetest.New(t, "orders")
		if err := c.Stop(c.Start(config(seen.behavior()))); err != nil {
			t.Errorf("a clean stop: %v", err)
		}
		cfg := config(seen.behavior())
		cfg.Topics[0].Name = "missing"
		if err := c.Wait(c.Start(cfg)); !errors.Is(err, runtime.ErrTopicUnknown) {
			t.Errorf("got %v, want %v", err, runtime.ErrTopicUnknown)
		}
	})
}

func TestAProgramMakesItsOwnRuntime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var seen log
		c := runtimetest.New(t, "orders")
		rt, err := runtime.New(c.Config(config(seen.behavior())))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- rt.Run(ctx) }()
		<-rt.Ready()
		c.Produce("orders", "", "a")
		c.Settle()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		seen.want(t, "a")
	})
}
