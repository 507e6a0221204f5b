// Command campaign plays seeds of the simulator in processes beside each other, and keeps
// the ledger of what was played:
//
//	go run ./internal/sim/campaign -seeds 1-1000
//	go run ./internal/sim/campaign -race -seeds 1-150
//	go run ./internal/sim/campaign -ci
//	go run ./internal/sim/campaign -shrink seed-17.plan.json
//
// What the ledger has as clean at the present commit is not played again. The exit code is
// 1 when a run was not clean, or when in 1,000 seeds or more a kind of fault had no effect,
// a check compared nothing, or a path was never taken that is taken often enough. One that
// is interrupted goes on with what is left when it is started again. CI's keeps no ledger.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"syscall"
)

var (
	errNotClean    = errors.New("not clean")
	errInterrupted = errors.New("interrupted: the same command plays what is left")
)

// campaign is what the flags say.
type campaign struct {
	ctx    context.Context //nolint:containedctx // the command's: over when it is interrupted
	root   string          // of the module
	commit string
	dir    string // for what is built
	keep   string
	procs  int
	chunk  uint64
	ledger *ledger
	rates  rates

	progress *progress
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c := &campaign{ctx: ctx}
	seeds := flag.String("seeds", "1-1000", "seeds to play, as a-b")
	race := flag.Bool("race", false, "with the race detector")
	ci := flag.Bool("ci", false, "play what CI plays instead: 1,000 seeds, and 150 with the race detector, half of each from the commit")
	shrink := flag.String("shrink", "", "make this plan, a file that a run kept, smaller instead")
	measure := flag.Bool("rates", false, "write the rates at which the seeds take paths")
	flag.IntVar(&c.procs, "procs", goruntime.NumCPU(), "processes beside each other")
	flag.Uint64Var(&c.chunk, "chunk", 25, "seeds that a process plays")
	flag.StringVar(&c.keep, "keep", filepath.Join(os.TempDir(), "troupe-sim"), "where plans and histories of runs go that are not clean")
	flag.Parse()
	err := c.run(*seeds, *race, *ci, *shrink, *measure)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
		os.Exit(1)
	}
}

func (c *campaign) run(seeds string, race, ci bool, shrink string, measure bool) error {
	var err error
	if c.root, err = output("go", "list", "-m", "-f", "{{.Dir}}"); err != nil {
		return err
	}
	if c.commit, err = commit(c.root); err != nil {
		return err
	}
	if c.dir, err = os.MkdirTemp("", "campaign"); err != nil {
		return err
	}
	defer os.RemoveAll(c.dir) //nolint:errcheck // it is the system's temporary folder
	if err := os.MkdirAll(c.keep, 0o750); err != nil {
		return err
	}
	defer os.Remove(c.keep) //nolint:errcheck // only when nothing was kept
	if shrink != "" {
		return c.shrink(shrink, race)
	}
	if c.rates, err = loadRates(c.root); err != nil {
		return err
	}
	c.ledger, c.progress = &ledger{}, &progress{}
	if !ci {
		if c.ledger, err = openLedger(filepath.Join(c.root, "docs", "ledger.tsv")); err != nil {
			return err
		}
		if c.progress, err = openProgress(filepath.Join(c.root, ".campaign.jsonl"), c.commit); err != nil {
			return err
		}
	}
	all := []series{{race: race, ranges: nil}}
	if ci {
		all = ciSeries(c.commit)
	} else if all[0].ranges, err = parse(seeds); err != nil {
		return err
	}
	for _, s := range all {
		if err := c.play(s, measure); err != nil {
			return err
		}
	}
	return nil
}

// series are seeds that are played in the same way.
type series struct {
	race   bool
	ranges []seedRange
}

// String is the seeds as a-b, with commas between.
func (s series) String() string {
	var all []string
	for _, r := range s.ranges {
		all = append(all, r.String())
	}
	return strings.Join(all, ",")
}

// without says how many seeds are left out of what is to be played, and of how many of
// those the counts are known; empty: none.
func (s series) without(todo []seedRange, counted uint64) string {
	left := seedsOf(s.ranges) - seedsOf(todo)
	switch left {
	case 0:
		return ""
	case counted:
		return fmt.Sprintf(", but for %d that the ledger has as clean: what they counted is added", left)
	}
	return fmt.Sprintf(", but for %d that the ledger has as clean: what %d of them counted is added, the others count for no VACUOUS", left, counted)
}

func seedsOf(ranges []seedRange) uint64 {
	n := uint64(0)
	for _, r := range ranges {
		n += r.to - r.from + 1
	}
	return n
}

// seedRange is from a to b, both included.
type seedRange struct{ from, to uint64 }

// String is the range as a-b.
func (r seedRange) String() string { return fmt.Sprintf("%d-%d", r.from, r.to) }

func parse(s string) ([]seedRange, error) {
	var r seedRange
	if _, err := fmt.Sscanf(s, "%d-%d", &r.from, &r.to); err != nil || r.from > r.to {
		return nil, fmt.Errorf("-seeds %q: want a-b", s)
	}
	return []seedRange{r}, nil
}

// ciSeries are half the same seeds each time, and half those of the commit.
func ciSeries(commit string) []series {
	own, err := strconv.ParseUint(commit[:min(8, len(commit))], 16, 64)
	if err != nil {
		own = 0
	}
	own = (own + 1) * 10_000
	return []series{
		{race: false, ranges: []seedRange{{1, 500}, {own, own + 499}}},
		{race: true, ranges: []seedRange{{1, 75}, {own, own + 74}}},
	}
}

// commit is what is checked out; with a plus when it was changed since.
func commit(root string) (string, error) {
	id, err := output("git", "-C", root, "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return "", err
	}
	changed, err := output("git", "-C", root, "status", "--porcelain", "--", "actors", "supervision", "runtime", "internal/core", "internal/engine", "internal/kafka", "internal/sim")
	if err != nil {
		return "", err
	}
	if changed != "" {
		id += "+"
	}
	return id, nil
}

func output(name string, args ...string) (string, error) {
	out, err := exec.CommandContext(context.Background(), name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
