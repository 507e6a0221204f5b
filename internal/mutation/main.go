// Command mutation measures the tests of the core and of supervision: gremlins makes
// every small change that it knows, one at a time, and the tests have to notice.
//
//	make mutation
//
// The score is killed / (killed + lived + not covered + timed out), per package. The
// exit code is 1 when a score is below the least one, when a mutant survives that
// survivors.go does not argue to be equivalent, and when one that it argues is killed.
//
// The command works in a copy of the packages. Gremlins plays all mutants with few
// random cases. What it does not kill gets a second try with more cases and more time;
// so do the mutants of case conditions and of constants, to which Go's coverage gives
// no counter and which gremlins 0.6 calls not covered. Those that do not compile are
// taken out of the killed ones, since there `go test` exits as for a test that fails.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// packages are those that are mutated.
var packages = []string{"internal/core", "supervision"} //nolint:gochecknoglobals // a table

// environment makes the tests say the same each time, with so many random cases: their
// seed is fixed, no failure is made smaller, no result is remembered, and vet kills
// nothing.
func environment(cases int) []string {
	return append(os.Environ(), fmt.Sprintf("RAPID_FLAGS=seed=1 shrinktime=0s checks=%d", cases), "GOFLAGS=-count=1 -vet=off")
}

// Random cases of the first try, and of the second.
const few, many = 200, 3000

func main() {
	gremlins := flag.String("gremlins", "gremlins", "the program")
	workers := flag.Int("workers", 2, "mutants at a time")
	least := flag.Float64("least", 0.9, "the least score of a package")
	only := flag.String("only", "", "play only files whose path begins so; judges no score")
	flag.Parse()
	r := &runner{gremlins: *gremlins, workers: *workers}
	if err := r.run(*only, *least); err != nil {
		fmt.Fprintln(os.Stderr, "mutation:", err)
		os.Exit(1)
	}
}

// runner plays the mutants in a copy of the packages.
type runner struct {
	gremlins string
	workers  int
	dir      string // for the copy, and for what is built
}

func (r *runner) run(only string, least float64) error {
	dir, err := os.MkdirTemp("", "mutation")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // it is the system's temporary folder
	r.dir = dir
	if err := r.copySources(); err != nil {
		return fmt.Errorf("copy the packages: %w", err)
	}
	mutants, err := r.unleash(only)
	if err != nil {
		return fmt.Errorf("gremlins: %w", err)
	}
	if err := r.name(mutants); err != nil {
		return err
	}
	r.secondTries(mutants)
	return report(os.Stdout, mutants, only, least)
}

// root is the copy's.
func (r *runner) root() string { return filepath.Join(r.dir, "module") }

// copySources copies what the tests of the packages are built of, so that gremlins
// copies little for each of its workers, and nothing that changes meanwhile.
func (r *runner) copySources() error {
	args := []string{"list", "-deps", "-test", "-f", "{{with .Module}}{{if .Main}}{{.Dir}}\t{{$.Dir}}{{end}}{{end}}"}
	for _, p := range packages {
		args = append(args, "./"+p)
	}
	out, err := exec.CommandContext(context.Background(), "go", args...).Output()
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		root, dir, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		if err := r.copyPackage(root, dir); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) copyPackage(root, dir string) error {
	for _, pattern := range []string{"go.mod", "go.sum"} {
		if err := copyFile(filepath.Join(root, pattern), filepath.Join(r.root(), pattern)); err != nil {
			return err
		}
	}
	for _, pattern := range []string{"*.go", "testdata/*.txt"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, file := range files {
			to, err := filepath.Rel(root, file)
			if err != nil {
				return err
			}
			if err := copyFile(file, filepath.Join(r.root(), to)); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyFile(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

// unleash runs gremlins and reads its report.
func (r *runner) unleash(only string) ([]*mutant, error) {
	output := filepath.Join(r.dir, "report.json")
	args := []string{
		"unleash", "--output", output, "--workers", strconv.Itoa(r.workers), "--timeout-coefficient", "20",
		"--exclude-files", "^internal/invariant/",
	}
	for _, operator := range operators {
		args = append(args, "--"+operator.flag)
	}
	args = append(args, "--invert-negatives=false") // what it makes of a minus, arithmetic-base makes too
	others, err := r.others(only)
	if err != nil {
		return nil, err
	}
	args = append(args, others...)
	cmd := exec.CommandContext(context.Background(), r.gremlins, append(args, ".")...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.root(), os.Stdout, os.Stderr
	cmd.Env = environment(few)
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(output)
	if err != nil {
		return nil, err
	}
	return read(text)
}

// others are the flags that leave out all files but those whose path begins with only.
func (r *runner) others(only string) ([]string, error) {
	var args []string
	for _, p := range packages {
		files, err := filepath.Glob(filepath.Join(r.root(), p, "*.go"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if name := filepath.Join(p, filepath.Base(file)); !strings.HasPrefix(name, only) {
				args = append(args, "--exclude-files", "^"+regexp.QuoteMeta(name)+"$")
			}
		}
	}
	return args, nil
}

// read is the mutants of gremlins' report.
func read(text []byte) ([]*mutant, error) {
	var found struct {
		Files []struct {
			Name    string `json:"file_name"`
			Mutants []struct {
				Line     int    `json:"line"`
				Column   int    `json:"column"`
				Operator string `json:"type"`
				Status   string `json:"status"`
			} `json:"mutations"`
		} `json:"files"`
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return nil, err
	}
	var all []*mutant
	for _, f := range found.Files {
		for _, m := range f.Mutants {
			all = append(all, &mutant{file: f.Name, row: m.Line, column: m.Column, operator: m.Operator, status: m.Status})
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no mutant in its report")
	}
	return all, nil
}

// name gives each mutant its text, and finds those that do not compile.
func (r *runner) name(mutants []*mutant) error {
	checkers := map[string]*checker{}
	for _, m := range mutants {
		if err := m.change(r.root()); err != nil {
			return err
		}
		dir := filepath.Dir(m.file)
		c := checkers[dir]
		if c == nil {
			var err error
			if c, err = newChecker(r.root(), dir); err != nil {
				return err
			}
			checkers[dir] = c
		}
		if c.check(m) != nil {
			m.status = notViable
		}
	}
	return nil
}

// secondTries plays what gremlins did not kill.
func (r *runner) secondTries(mutants []*mutant) {
	next := make(chan int)
	var wait sync.WaitGroup
	for range r.workers {
		wait.Go(func() {
			for i := range next {
				mutants[i].status = r.play(i, mutants[i])
			}
		})
	}
	for i, m := range mutants {
		if m.status == notCovered || m.status == timedOut || m.status == lived {
			next <- i
		}
	}
	close(next)
	wait.Wait()
}

// play runs the tests of a mutant's package with the mutant in place.
func (r *runner) play(i int, m *mutant) string {
	file := filepath.Join(r.dir, fmt.Sprintf("%d.go", i))
	overlay := filepath.Join(r.dir, fmt.Sprintf("%d.json", i))
	text, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(r.root(), m.file): file}})
	if err != nil {
		return err.Error()
	}
	for name, text := range map[string]string{file: m.text, overlay: string(text)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return err.Error()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-overlay", overlay, "-failfast", "-timeout", "100s", "./"+filepath.Dir(m.file))
	cmd.Dir = r.root()
	cmd.Env = environment(many)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return lived
	case ctx.Err() != nil, strings.Contains(string(out), "panic: test timed out"):
		return timedOut
	case strings.Contains(string(out), "[build failed]"):
		return notViable
	case errors.As(err, &exit):
		return killed
	}
	return err.Error()
}
