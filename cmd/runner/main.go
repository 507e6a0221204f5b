// Command runner runs Troupe without writing Go: so far its demo.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// errVerdict ends the program with exit code 1; the report has said why.
var errVerdict = errors.New("the verdict is not clean")

func main() {
	// Nobody reads any more, as with | head: that is an interrupt too, since there may be
	// topics to remove.
	read, _ := signal.NotifyContext(context.Background(), syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(read, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	root := &cobra.Command{
		Use:           "runner",
		Short:         "Troupe: actor-model stream processing for Kafka",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(demoCommand(), versionCommand())
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted")
	case !errors.Is(err, errVerdict):
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	os.Exit(1)
}
