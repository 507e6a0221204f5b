// Command wrong shows what the simulator is worth: it plays runtimes that decide one
// thing wrongly, and wants each of them to be caught by the check that the table names:
//
//	go run ./internal/wrong
//
// A wrong runtime is the real one with a decision changed where core, engine or kafka
// makes it. The change is laid over the sources for one build of the simulator's tests.
// A build tag would do too, but then each wrong decision would stand in production code,
// beside the right one, for everybody to read past and for somebody to enable.
//
// One is caught when the named check finds a violation in one of the seeds, which the
// unchanged runtime passes in the same run. One that does not compile, panics or runs out
// of time is not caught, and neither is one that only other checks object to. The exit
// code is 1 when one is not caught.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/troupe-go/troupe/internal/overlay"
)

func main() {
	only := flag.String("run", "", "only those whose name matches")
	seeds := flag.Int("seeds", 200, "how many to play at most, from 1 on")
	jobs := flag.Int("jobs", 2, "how many to try at a time")
	flag.Parse()
	if err := run(context.Background(), *only, *seeds, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "wrong:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only string, seeds, jobs int) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err := overlay.Root(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "wrong")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is the system's temporary folder
	l := &lab{root: root, dir: dir, seeds: seeds}
	if err := l.build(ctx, "right", nil); err != nil {
		return err
	}
	var chosen []wrong
	for _, w := range runtimes() {
		if pattern.MatchString(w.name) {
			chosen = append(chosen, w)
		}
	}
	verdicts := make([]verdict, len(chosen))
	each(jobs, len(chosen), func(i int) {
		verdicts[i] = l.try(ctx, i, chosen[i])
		fmt.Fprintf(os.Stderr, "%s: %s\n", chosen[i].name, verdicts[i]) // it takes minutes
	})
	return report(chosen, verdicts, l.sound(ctx, jobs, verdicts))
}

// each calls f for 0 to n-1, by several goroutines.
func each(jobs, n int, f func(int)) {
	next := make(chan int)
	var wait sync.WaitGroup
	for range jobs {
		wait.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wait.Wait()
}

// verdict is what became of a wrong runtime.
type verdict struct {
	seed  int    // in which it was caught; 0: it was not
	quiet bool   // all seeds were played, and its check found nothing
	says  string // the violation, or why it was not caught
	took  time.Duration
}

// String is what the table says.
func (v verdict) String() string {
	if v.seed == 0 {
		return "NOT CAUGHT: " + v.says
	}
	return fmt.Sprintf("caught at seed %d", v.seed)
}

// report prints the table. sound is what the unchanged runtime did not pass.
func report(chosen []wrong, verdicts []verdict, sound error) error {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	missed := 0
	for i, x := range chosen {
		v := verdicts[i]
		if v.seed == 0 {
			missed++
		}
		if _, err := fmt.Fprintf(w, "%d\t%s\t%s\t%.0f s\t%s\n", i+1, x.check, x.name, v.took.Seconds(), v); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString(table.String()); err != nil {
		return err
	}
	switch {
	case missed > 0 || len(chosen) == 0:
		return fmt.Errorf("%d of %d are not caught", missed, len(chosen))
	case sound != nil:
		return fmt.Errorf("the unchanged runtime: %w", sound)
	}
	_, err := fmt.Fprintf(os.Stdout, "all %d caught; the unchanged runtime passes the same seeds\n", len(chosen))
	return err
}

// binary is the test binary of a name.
func (l *lab) binary(name string) string { return filepath.Join(l.dir, name) }
