// Command delayed reminds customers of carts that they left ten minutes ago. The topic is
// delayed; nothing waits in the behavior, and other topics of the group are not held up.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
)

const remindAfter = 10 * time.Minute

// remind is called ten minutes after a record's timestamp, never before.
func remind(out io.Writer) actors.Factory {
	return actors.Func(func(_ context.Context, rec *actors.Record) error {
		_, err := fmt.Fprintf(out, "%s left a cart %v ago\n", rec.Key, time.Since(rec.Timestamp).Round(time.Second))
		return err
	})
}

func config(out io.Writer) runtime.Config {
	return runtime.Config{
		Brokers: []string{"localhost:9092"},
		Group:   "reminders",
		Topics:  []runtime.Topic{{Name: "carts", Behavior: remind(out), Delay: remindAfter}},
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
	if err := run(ctx, config(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "delayed:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
