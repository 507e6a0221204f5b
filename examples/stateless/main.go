// Command stateless charges orders: a function per record, sixteen lanes per partition,
// and a dead letter topic for what cannot be charged.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/supervision"
)

// errClosed is a failure that passes by itself.
var errClosed = errors.New("the bank is closed")

// bank charges customers.
type bank interface {
	Charge(ctx context.Context, customer string, cents int) error
}

// charge makes the behavior. All lanes share it, so it must be safe for concurrent use.
func charge(b bank, out io.Writer) actors.Factory {
	return actors.Func(func(ctx context.Context, rec *actors.Record) error {
		var cents int
		if _, err := fmt.Sscan(string(rec.Value), &cents); err != nil {
			return actors.Discard(fmt.Errorf("amount: %w", err)) // no retry mends this
		}
		if err := b.Charge(ctx, string(rec.Key), cents); err != nil {
			return err // tried again after a backoff
		}
		_, _ = fmt.Fprintf(out, "charged %s %d cents (attempt %d)\n", rec.Key, cents, rec.Attempt)
		return nil
	})
}

func config(b bank, out io.Writer) runtime.Config {
	return runtime.Config{
		Brokers: []string{"localhost:9092"},
		Group:   "billing",
		Topics: []runtime.Topic{{
			Name:              "orders",
			Behavior:          charge(b, out),
			VirtualPartitions: runtime.VirtualPartitions{Max: 16}, // a customer's orders stay in order
			Retry:             runtime.Retry{MaxAttempts: 5, Backoff: supervision.Backoff{Min: time.Second, Max: time.Minute}},
			DeadLetter:        runtime.DeadLetter{Topic: "auto"}, // dlq.billing.orders
		}},
	}
}

func run(ctx context.Context, cfg runtime.Config) error {
	rt, err := runtime.New(cfg)
	if err != nil {
		return err
	}
	return rt.Run(ctx) // until ctx ends; then it drains, commits and leaves
}

// vault is a bank that never refuses.
type vault struct{}

// Charge does nothing.
func (vault) Charge(context.Context, string, int) error { return nil }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, config(vault{}, os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "stateless:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
