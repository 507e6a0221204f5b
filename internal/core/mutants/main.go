// Command mutants breaks the core in one place at a time and checks that the test
// named for it notices:
//
//	go run ./internal/core/mutants
//
// A mutant is killed when its test fails with the message that the table gives, and
// passes on the code as it is, in the same run. One that does not compile, panics or
// runs out of time is not killed. The exit code is 1 when one is not.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"

	"github.com/troupe-go/troupe/internal/overlay"
)

// mutant is one change to the core that a test must notice.
type mutant struct {
	name     string // what goes wrong
	feature  string // of the core, or the S of guarantees.md that it breaks
	file     string // of internal/core
	old, now string // old occurs once in file
	test     string // the test that must fail
	says     string // with this message
}

func main() {
	only := flag.String("run", "", "only mutants whose name matches")
	seed := flag.Int("seed", 1, "of the random cases")
	jobs := flag.Int("jobs", 2, "how many to try at a time")
	flag.Parse()
	if err := run(*only, *seed, *jobs); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(only string, seed, jobs int) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	root, err := overlay.Root(context.Background())
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is the system's temporary folder
	l := &lab{root: root, dir: dir, seed: strconv.Itoa(seed), sound: map[string]string{}}
	if err := l.build("sound", nil); err != nil {
		return err
	}
	var chosen []mutant
	for _, m := range mutants {
		if pattern.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	verdicts := make([]string, len(chosen))
	var wait sync.WaitGroup
	next := make(chan int)
	for range jobs {
		wait.Go(func() {
			for i := range next {
				verdicts[i] = l.try(i, chosen[i])
			}
		})
	}
	for i := range chosen {
		next <- i
	}
	close(next)
	wait.Wait()
	return report(chosen, verdicts)
}

// report prints the table.
func report(chosen []mutant, verdicts []string) error {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	alive := 0
	for i, m := range chosen {
		verdict := verdicts[i]
		if verdict == "" {
			verdict = "killed"
		} else {
			alive++
		}
		if _, err := fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", i+1, m.feature, m.name, m.test, verdict); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if _, err := os.Stdout.WriteString(table.String()); err != nil {
		return err
	}
	if alive > 0 || len(chosen) == 0 {
		return fmt.Errorf("%d of %d are not killed", alive, len(chosen))
	}
	_, err := fmt.Fprintf(os.Stdout, "all %d killed\n", len(chosen))
	return err
}
