// Command stateful keeps a running total per customer in plain fields, and decides itself
// which failures cost a lane its state.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/supervision"
)

// errStale means that what a lane remembers is not what the store holds.
var errStale = errors.New("totals are stale")

// store keeps the totals. It is the truth; what a lane holds is a cache of it.
type store interface {
	Load(customer string) int
	Save(customer string, from, to int) error // errStale unless the total is from
}

// totals is the behavior of one lane. Nothing else touches it, so it needs no lock.
type totals struct {
	lane  actors.VirtualPartition
	store store
	cents map[string]int
	out   io.Writer
}

// Start is called before the lane's first record, and after each restart.
func (t *totals) Start(_ context.Context, vp actors.VirtualPartition) error { //nolint:unparam // loading what it needs may fail elsewhere
	t.lane, t.cents = vp, map[string]int{}
	return nil
}

// Receive adds an order's amount to its customer's total.
func (t *totals) Receive(_ context.Context, rec *actors.Record) error {
	customer := string(rec.Key)
	before, known := t.cents[customer]
	if !known {
		before = t.store.Load(customer)
	}
	var cents int
	if _, err := fmt.Sscan(string(rec.Value), &cents); err != nil {
		return actors.Discard(fmt.Errorf("amount: %w", err))
	}
	if err := t.store.Save(customer, before, before+cents); err != nil {
		return err
	}
	t.cents[customer] = before + cents
	_, _ = fmt.Fprintf(t.out, "%s has spent %d cents\n", customer, before+cents)
	return nil
}

// Stop is called after the lane's last call, with the reason.
func (t *totals) Stop(_ context.Context, cause error) error {
	_, err := fmt.Fprintf(t.out, "lane %s ends: %v\n", t.lane, cause)
	return err
}

// decide restarts a lane whose totals are stale: the new behavior begins without any and
// loads them. Other errors keep the state, and panics do what they always do.
func decide(f supervision.Failure) supervision.Directive {
	if errors.Is(f.Err, errStale) {
		return supervision.Restart
	}
	return supervision.Default(f)
}

func config(s store, out io.Writer) runtime.Config {
	return runtime.Config{
		Brokers: []string{"localhost:9092"},
		Group:   "totals",
		Topics: []runtime.Topic{{
			Name:              "orders",
			Behavior:          func(actors.VirtualPartition) actors.Behavior { return &totals{store: s, out: out} },
			VirtualPartitions: runtime.VirtualPartitions{Max: 8},
			Supervision:       supervision.Policy{Decide: decide, MaxRestarts: 3},
			DeadLetter:        runtime.DeadLetter{Topic: "auto"},
		}},
	}
}

func run(ctx context.Context, cfg runtime.Config) error {
	rt, err := runtime.New(cfg)
	if err != nil {
		return err
	}
	return rt.Run(ctx)
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, config(newMemory(), os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "stateful:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
