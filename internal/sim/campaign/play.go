package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/sim"
)

// silence is how long a run may take by the real clock: a hang after that.
const silence = 3 * time.Minute

// again is how often a plan that failed is replayed.
const again = 20

// outcome is what processes told of their runs.
type outcome struct {
	mu         sync.Mutex
	runs       int                 // guarded by mu
	hits       tally               // guarded by mu: effects, by kind of fault
	compared   tally               // guarded by mu: comparisons, by check
	reached    tally               // guarded by mu: by path
	violations map[uint64][]string // guarded by mu: by seed
	kept       map[uint64]string   // guarded by mu: paths of the plan and the history
}

func newOutcome() *outcome {
	return &outcome{hits: tally{}, compared: tally{}, reached: tally{}, violations: map[uint64][]string{}, kept: map[uint64]string{}}
}

// raceSuffix is that of the binary with the race detector.
const raceSuffix = ".race"

// build makes the test binary.
func (c *campaign) build(race bool) (string, error) {
	binary := filepath.Join(c.dir, "sim.test")
	args := []string{"test", "-c", "-vet=off", "-tags", sim.Tags, "-o", binary}
	if race {
		binary += raceSuffix
		args = []string{"test", "-c", "-race", "-vet=off", "-tags", sim.Tags, "-o", binary}
	}
	cmd := exec.CommandContext(c.ctx, "go", append(args, "./internal/sim")...) //nolint:gosec // our own
	cmd.Dir = c.root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return binary, nil
}

// play plays a series in chunks, and fails when a run was not clean.
func (c *campaign) play(s series, measure bool) error {
	binary, err := c.build(s.race)
	if err != nil {
		return err
	}
	o := newOutcome()
	begun := time.Now()
	todo := c.chunks(s)
	counted := c.progress.before(s, todo, o)
	fmt.Fprintf(os.Stdout, "seeds %s (%s) at %s%s\n", s, how(s.race), c.commit, s.without(todo, counted))
	work := make(chan seedRange)
	var wait sync.WaitGroup
	for range c.procs {
		wait.Go(func() {
			for r := range work {
				c.chunkOf(binary, s.race, r, o)
			}
		})
	}
	for _, r := range todo {
		work <- r
	}
	close(work)
	wait.Wait()
	fmt.Fprintf(os.Stdout, "%d runs (%s) in %v at %s: %d not clean\n", o.runs, how(s.race), time.Since(begun).Round(time.Second), c.commit, len(o.violations))
	o.print(os.Stdout)
	if c.ctx.Err() != nil {
		return errInterrupted
	}
	for _, seed := range slices.Sorted(maps.Keys(o.violations)) {
		c.report(binary, s.race, seed, o)
	}
	if measure {
		return saveRates(c.root, o)
	}
	vacuous := o.vacuous(c.rates)
	for _, v := range vacuous {
		fmt.Fprintln(os.Stdout, "VACUOUS", v)
	}
	if len(o.violations)+len(vacuous) > 0 {
		return errNotClean
	}
	return nil
}

// how is the way of a series, for the ledger.
func how(race bool) string {
	if race {
		return "race"
	}
	return "plain"
}

// chunks are the ranges that the ledger does not have as clean.
func (c *campaign) chunks(s series) []seedRange {
	var todo []seedRange
	for _, r := range s.ranges {
		for from := r.from; from <= r.to; from += c.chunk {
			chunk := seedRange{from, min(from+c.chunk-1, r.to)}
			if !c.ledger.clean(how(s.race), c.commit, chunk) {
				todo = append(todo, chunk)
			}
		}
	}
	return todo
}

// chunkOf plays a chunk, and what is left of it behind a run that ended its process.
func (c *campaign) chunkOf(binary string, race bool, r seedRange, o *outcome) {
	mine := newOutcome()
	defer o.add(mine)
	for left := r; left.from <= left.to; {
		last, ended := mine.listen(c.ctx, binary, "-seeds", left.String(), "-keep", c.keep)
		if c.ctx.Err() != nil {
			return // what was played of it is played again
		}
		if ended == "" {
			break
		}
		mine.violations[last] = append(mine.violations[last], ended)
		left.from = max(last, left.from) + 1
	}
	clean := len(mine.violations) == 0
	if clean { // first, so that what the ledger has is counted
		if err := c.progress.add(how(race), c.commit, r, mine); err != nil {
			fmt.Fprintln(os.Stderr, "campaign:", err)
		}
	}
	if err := c.ledger.add(how(race), c.commit, r, clean); err != nil {
		fmt.Fprintln(os.Stderr, "campaign:", err)
	}
}

// lazy is for runs of a moment each, of which nothing stays: a fifth of their time went
// into collecting what is garbage soon anyway.
const lazy = "GOGC=400"

// listen runs the binary and takes its lines. It returns the seed that was played last,
// and what is wrong with the process itself; empty: nothing.
func (o *outcome) listen(ctx context.Context, binary string, args ...string) (last uint64, wrong string) { //nolint:nonamedreturns // tells them apart
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"-test.run", "^TestSeeds$", "-test.timeout", "0"}, args...)...)
	cmd.Dir = filepath.Dir(binary)
	if !strings.HasSuffix(binary, raceSuffix) { // with the detector it saves nothing, and takes a gigabyte
		cmd.Env = append(os.Environ(), lazy)
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return 0, "START " + err.Error()
	}
	var text strings.Builder
	cmd.Stderr = &text
	if err := cmd.Start(); err != nil {
		return 0, "START " + err.Error()
	}
	hung := time.AfterFunc(silence, cancel)
	defer hung.Stop()
	open := false
	lines := bufio.NewScanner(pipe)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		hung.Reset(silence)
		line := lines.Text()
		seed, ok := o.take(line)
		switch {
		case strings.HasPrefix(line, sim.LinePlay):
			last, open = seed, true
		case strings.HasPrefix(line, sim.LineRan):
			open = false
		case ok:
		case text.Len() < 1<<16: // a panic of the test says why
			text.WriteString(line + "\n")
		}
	}
	_, _ = io.Copy(io.Discard, pipe) // a line that was too long
	_ = cmd.Wait()                   // what is wrong was said, or the run is not over
	switch {
	case !open:
		return last, ""
	case ctx.Err() != nil:
		return last, fmt.Sprintf("HANG no line for %v", silence)
	}
	return last, "CRASH " + text.String()
}

// take takes one line, and reports whether it is one of ours.
func (o *outcome) take(line string) (uint64, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var seed uint64
	word, rest, _ := strings.Cut(line, " ")
	_, after, _ := strings.Cut(rest, "seed=")
	_, _ = fmt.Sscan(after, &seed) // 0: there is none
	switch word {
	case sim.LinePlay:
		_, _ = fmt.Sscan(rest, &seed) // it is there
	case sim.LineRan:
		o.runs++
	case sim.LineViolation:
		o.violations[seed] = append(o.violations[seed], rest)
	case sim.LineKept:
		_, o.kept[seed], _ = strings.Cut(rest, " ")
	case sim.LineReached, sim.LineHit, sim.LineCompared:
		_, counts, _ := strings.Cut(rest, " ")
		o.tallyOf(word).take(counts)
	case sim.LineNote:
	default:
		return seed, false
	}
	return seed, true
}

// tallyOf is where the counts of a line go. mu is held.
func (o *outcome) tallyOf(line string) tally {
	switch line {
	case sim.LineHit:
		return o.hits
	case sim.LineCompared:
		return o.compared
	default:
		return o.reached
	}
}

// report says what is to be known of a run that was not clean, and plays it again.
func (c *campaign) report(binary string, race bool, seed uint64, o *outcome) {
	plan, history, _ := strings.Cut(o.kept[seed], " ")
	if plan == "" { // the process is gone
		plan, history = filepath.Join(c.keep, fmt.Sprintf("seed-%d.plan.json", seed)), "(none: the process ended)"
		if err := sim.Generate(seed, sim.ModeOf(seed)).Save(plan); err != nil {
			plan = err.Error()
		}
	}
	out := os.Stdout
	fmt.Fprintf(out, "\nseed %d at %s (%s)\n", seed, c.commit, how(race))
	for i, v := range o.violations[seed] {
		if i < 10 {
			fmt.Fprintln(out, "  ", v)
		}
	}
	fmt.Fprintln(out, "   plan:   ", plan)
	fmt.Fprintln(out, "   history:", history)
	flags := "-tags '" + sim.Tags + "'"
	if race {
		flags += " -race"
	}
	fmt.Fprintf(out, "   replay:  go test %s -count=1 -v -run '^TestSeeds$' ./internal/sim -args -plan %s -times %d\n", flags, plan, again)
	fmt.Fprintf(out, "   shrink:  go run ./internal/sim/campaign%s -shrink %s\n", map[bool]string{true: " -race"}[race], plan)
	failed, played := 0, 0
	for range again {
		r := newOutcome()
		_, wrong := r.listen(c.ctx, binary, "-plan", plan)
		if c.ctx.Err() != nil {
			break
		}
		played++
		if wrong != "" || len(r.violations) > 0 {
			failed++
		}
	}
	fmt.Fprintf(out, "   again:   it failed %d times of %d\n", failed, played)
}
