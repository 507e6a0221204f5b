// Command recovery charges orders through a bank that is away now and then.
//
// What goes wrong without it: the bank is away for ten minutes. An order that is tried a few
// times within seconds ends in a dead letter topic, where somebody has to find it in the
// morning; one that is tried without end holds up every later order of its lane.
//
// Here the dead letter topic is itself consumed: a quarter of an hour later, by another
// behavior. By then most of what failed succeeds, and only what fails again is for people.
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
	"github.com/troupe-go/troupe/deadletter"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/supervision"
)

// recoverIn is how long the bank gets. The retention of the topic later must be longer.
const recoverIn = 15 * time.Minute

const (
	later = "orders.later" // what failed, and is tried again
	never = "orders.never" // what failed twice
)

var errAway = errors.New("the bank is away")

// bank charges customers.
type bank interface {
	Charge(ctx context.Context, customer, cents string) error
}

// charge is the behavior of new orders.
func charge(b bank, out io.Writer) actors.Factory {
	return actors.Func(func(ctx context.Context, rec *actors.Record) error {
		if err := b.Charge(ctx, string(rec.Key), string(rec.Value)); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "charged %s %s cents\n", rec.Key, rec.Value)
		return nil
	})
}

// chargeLate is the behavior of orders that failed. It knows why, and how often.
func chargeLate(b bank, out io.Writer) actors.Factory {
	return actors.Func(func(ctx context.Context, rec *actors.Record) error {
		letter, err := deadletter.Decode(rec)
		if err != nil {
			return actors.Discard(err)
		}
		order := deadletter.Original(letter)
		if err := b.Charge(ctx, string(order.Key), string(order.Value)); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(out, "charged %s %s cents late: %s (%d attempts)\n",
			order.Key, order.Value, letter.GetFailure().GetMessage(), letter.GetFailure().GetAttempts())
		return nil
	})
}

func config(b bank, out io.Writer) runtime.Config {
	retry := runtime.Retry{MaxAttempts: 3, Backoff: supervision.Backoff{Min: time.Second, Max: 5 * time.Second}}
	return runtime.Config{
		Brokers: []string{"localhost:9092"},
		Group:   "billing",
		Topics: []runtime.Topic{
			{Name: "orders", Behavior: charge(b, out), Retry: retry, DeadLetter: runtime.DeadLetter{Topic: later, Create: true}},
			{Name: later, Behavior: chargeLate(b, out), Retry: retry, DeadLetter: runtime.DeadLetter{Topic: never, Create: true}, Delay: recoverIn},
		},
	}
}

func run(ctx context.Context, cfg runtime.Config) error {
	rt, err := runtime.New(cfg)
	if err != nil {
		return err
	}
	return rt.Run(ctx)
}

// pretend is a bank that is always there.
type pretend struct{}

func (pretend) Charge(context.Context, string, string) error { return nil }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, config(pretend{}, os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "recovery:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
