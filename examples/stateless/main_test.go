//go:build synctests

package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtimetest"
)

// opening is a bank that is closed at first.
type opening struct{ at time.Time }

func (o opening) Charge(context.Context, string, int) error {
	if time.Now().Before(o.at) {
		return errClosed
	}
	return nil
}

func TestAnAmountThatIsNoneIsDiscarded(t *testing.T) {
	t.Parallel()
	b := charge(vault{}, &bytes.Buffer{})(actors.VirtualPartition{})
	if out := runtimetest.Receive(t, b, &actors.Record{Value: []byte("much")}); out.Kind != runtimetest.Discard {
		t.Errorf("got %v, want a discard", out)
	}
}

func TestTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders", "dlq.billing.orders")
		var out bytes.Buffer
		cfg := c.Config(config(opening{at: time.Now().Add(time.Millisecond)}, &out))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- run(ctx, cfg) }()

		c.Produce("orders", "ada", "1250") // the bank is closed: the second attempt succeeds
		c.Produce("orders", "bob", "much")
		time.Sleep(5 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), "charged ada 1250 cents (attempt 2)\n"; got != want {
			t.Errorf("output %q, want %q", got, want)
		}
		dead := c.Records("dlq.billing.orders")
		if len(dead) != 1 || string(dead[0].Key) != "bob" {
			t.Errorf("dead letters: %v, want bob's", dead)
		}
	})
}
