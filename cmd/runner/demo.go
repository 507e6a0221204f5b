package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/internal/demo"
)

const demoLong = `Runs the main job on one page and judges it, in about 15 seconds.

Orders with hot keys, slow calls, failures, panics and poison; payments beside them;
reminders that are delayed by two seconds; dead letters; and a second member that joins
and leaves. The broker is embedded unless --brokers names real ones: there the demo works
on topics and a group of its own, which it removes at the end.

The verdict rests on the producer's acknowledgments, on a journal that the demo's own
behaviors write, and on what a separate client reads from the broker. The exit code is 0
if every promise held, and 1 otherwise.`

func demoCommand() *cobra.Command {
	var opts demo.Options
	var log string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "run the main job on one page, and judge it",
		Long:  demoLong,
		Example: `  runner demo
  runner demo --brokers localhost:9092
  runner demo --seed 7 --log troupe.log`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.Records < 0 {
				return fmt.Errorf("--records %d: want 0 or more", opts.Records)
			}
			if opts.Duration <= 0 || opts.Duration > demo.MaxDuration {
				return fmt.Errorf("--duration %v: want more than 0 and at most %v", opts.Duration, demo.MaxDuration)
			}
			if log != "" {
				logger, err := fileLogger(log)
				if err != nil {
					return err
				}
				opts.Logger = logger
			}
			opts.Out = cmd.OutOrStdout()
			ok, err := demo.Run(cmd.Context(), opts)
			if err == nil && !ok {
				return errVerdict
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&opts.Brokers, "brokers", nil, "host:port of a real cluster (default: an embedded broker)")
	flags.IntVar(&opts.Records, "records", 12_000, "number of orders")
	flags.DurationVar(&opts.Duration, "duration", 10*time.Second, "how long records are sent for")
	flags.Uint64Var(&opts.Seed, "seed", 1, "draws the workload")
	flags.StringVar(&log, "log", "", "file for the runtime's log (default: none)")
	flags.StringVar(&opts.Fault, "fault", "", "for tests: "+strings.Join(demo.Faults(), ", "))
	if err := flags.MarkHidden("fault"); err != nil {
		panic(err) // there is such a flag
	}
	return cmd
}

func fileLogger(path string) (*zap.Logger, error) {
	cfg := zap.NewProductionConfig()
	cfg.OutputPaths, cfg.ErrorOutputPaths = []string{path}, []string{path}
	cfg.Sampling = nil
	logger, err := cfg.Build()
	if err != nil {
		return nil, fmt.Errorf("--log: %w", err)
	}
	return logger, nil
}
