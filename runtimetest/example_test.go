//go:build synctests

package runtimetest_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtimetest"
)

// A behavior is tested without a runtime.
func ExampleReceive() {
	parse := func(_ context.Context, rec *actors.Record) error {
		var cents int
		if _, err := fmt.Sscan(string(rec.Value), &cents); err != nil {
			return actors.Discard(fmt.Errorf("parse amount: %w", err))
		}
		return nil
	}
	_ = func(t *testing.T) { //nolint:thelper // the body of a test
		b := actors.Func(parse)(actors.VirtualPartition{})
		if out := runtimetest.Receive(t, b, &actors.Record{Value: []byte("many")}); out.Kind != runtimetest.Discard {
			t.Errorf("got %v, want a discard", out)
		}
	}
}

// The test of the package documentation: ten minutes pass in an instant.
func TestLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		waited := make(chan time.Duration, 1)
		behavior := func(_ context.Context, rec *actors.Record) error {
			waited <- time.Since(rec.Timestamp)
			return nil
		}
		c := runtimetest.New(t, "orders.later")
		c.Start(runtime.Config{Group: "g", Topics: []runtime.Topic{
			{Name: "orders.later", Behavior: actors.Func(behavior), Delay: 10 * time.Minute},
		}})
		c.Produce("orders.later", "k", "5")
		if got, want := <-waited, 10*time.Minute; got != want {
			t.Errorf("handed over %v after its timestamp, want %v", got, want)
		}
		time.Sleep(time.Second) // the commit interval
		c.Settle()
		if got, want := c.Committed("orders.later", 0), int64(1); got != want {
			t.Errorf("committed: got %d, want %d", got, want)
		}
	})
}
