package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-go/troupe/internal/overlay"
	"github.com/troupe-go/troupe/internal/sim"
)

// simulator is the package whose tests play seeds.
const simulator = "internal/sim"

// Bounds that a sound simulator stays far below.
const (
	buildFor = 5 * time.Minute
	playFor  = 10 * time.Minute
	lineMax  = 1 << 20
)

// lab builds the simulator with changes and plays seeds with it.
type lab struct {
	root  string // of the module
	dir   string // for what is built
	seeds int
}

func (l *lab) build(ctx context.Context, name string, files map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, buildFor)
	defer cancel()
	b := overlay.Build{Root: l.root, Package: simulator, Tags: sim.Tags, Files: files, Out: l.binary(name)}
	return b.Run(ctx)
}

// try plays a wrong runtime until its check objects.
func (l *lab) try(ctx context.Context, i int, w wrong) verdict {
	begun := time.Now()
	files, err := overlay.Apply(l.root, w.edits...)
	name := fmt.Sprintf("wrong%d", i)
	if err == nil {
		err = l.build(ctx, name, files)
	}
	if err != nil {
		return verdict{says: err.Error(), took: time.Since(begun)}
	}
	defer os.Remove(l.binary(name)) //nolint:errcheck // it goes with its folder
	v := l.play(ctx, name, 1, l.seeds, w.check)
	v.took = time.Since(begun)
	return v
}

// sound plays the unchanged runtime with all seeds that a wrong one needed.
func (l *lab) sound(ctx context.Context, jobs int, verdicts []verdict) error {
	last := 1
	for _, v := range verdicts {
		last = max(last, v.seed)
	}
	errs := make([]error, jobs)
	each(jobs, jobs, func(i int) {
		if v := l.play(ctx, "right", 1+i*last/jobs, (i+1)*last/jobs, anyCheck); !v.quiet {
			errs[i] = fmt.Errorf("seed %d: %s", v.seed, v.says)
		}
	})
	return errors.Join(errs...)
}

// anyCheck stands for all of them.
const anyCheck = ""

// violation is the line in which the simulator gives a check's word.
var violation = regexp.MustCompile(`^VIOLATION (\S+) seed=(\d+) (.*)`)

// play plays seeds and ends with the first violation of a check.
func (l *lab) play(ctx context.Context, name string, from, to int, check string) verdict {
	if from > to {
		return verdict{quiet: true}
	}
	ctx, cancel := context.WithTimeout(ctx, playFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.binary(name), "-test.run", "^TestSeeds$", "-test.timeout", "0", "-seeds", fmt.Sprintf("%d-%d", from, to))
	cmd.Dir = filepath.Join(l.root, filepath.FromSlash(simulator))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return verdict{says: err.Error()}
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return verdict{says: err.Error()}
	}
	v := read(out, check)
	late := ctx.Err() != nil
	if !v.quiet {
		cancel() // it has said enough
	}
	err = cmd.Wait()
	if !v.quiet {
		return v
	}
	var exit *exec.ExitError
	switch {
	case late:
		return verdict{says: "runs out of time"}
	case errors.As(err, &exit) && exit.ExitCode() != 1, err != nil && !errors.As(err, &exit):
		return verdict{says: "ends with " + err.Error()}
	}
	return v
}

// read follows what the simulator prints up to the first violation of a check.
func read(out io.Reader, check string) verdict {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, lineMax)
	others := map[string]bool{}
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return verdict{says: line}
		}
		m := violation.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if check != anyCheck && m[1] != check {
			others[m[1]] = true
			continue
		}
		seed, err := strconv.Atoi(m[2])
		if err != nil {
			return verdict{says: err.Error()}
		}
		return verdict{seed: seed, says: m[1] + ": " + m[3]}
	}
	if err := lines.Err(); err != nil {
		return verdict{says: err.Error()}
	}
	return verdict{quiet: true, says: fmt.Sprintf("no violation; of other checks: %v", slices.Sorted(maps.Keys(others)))}
}
