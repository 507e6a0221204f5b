package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/overlay"
)

// core is the folder that is broken.
const core = "internal/core"

// lab builds and runs the tests of the core, sound and mutated.
type lab struct {
	root string // of the module
	dir  string // for what is built
	seed string // of the random cases

	mu    sync.Mutex
	sound map[string]string // test: what it says on the sound code; empty: it passes
}

// try returns why a mutant is not killed; empty when it is.
func (l *lab) try(i int, m mutant) string {
	if why := l.onSound(m.test); why != "" {
		return "the test fails without it: " + why
	}
	changed, err := m.apply(l.root)
	if err != nil {
		return err.Error()
	}
	name := fmt.Sprintf("mutant%d", i)
	if err := l.build(name, changed); err != nil {
		return err.Error()
	}
	defer os.Remove(filepath.Join(l.dir, name)) //nolint:errcheck // it goes with its folder
	return m.judge(l.run(name, m.test))
}

// judge reads what the test printed.
func (m mutant) judge(out string, err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "SURVIVES"
	case !errors.As(err, &exit):
		return "does not run: " + err.Error()
	case strings.Contains(out, "test timed out"), exit.ExitCode() < 0:
		return "runs out of time"
	case strings.Contains(out, "\npanic: "), strings.Contains(out, "[rapid] panic"):
		return "panics, and the test does not say why"
	case !strings.Contains(out, "--- FAIL: "+m.test+" "):
		return "another test fails"
	case !strings.Contains(out, m.says):
		return fmt.Sprintf("fails without saying %q: %s", m.says, message(out))
	}
	return ""
}

// onSound runs a test on the code as it is, once.
func (l *lab) onSound(test string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	why, ok := l.sound[test]
	if !ok {
		out, err := l.run("sound", test)
		if err != nil {
			why = overlay.FirstLines(out)
		} else if !strings.Contains(out, "--- PASS: "+test+" ") {
			why = "there is no such test"
		}
		l.sound[test] = why
	}
	return why
}

// apply is the changed file, by its path.
func (m mutant) apply(root string) (map[string]string, error) {
	return overlay.Apply(root, overlay.Edit{File: core + "/" + m.file, Old: m.old, Now: m.now})
}

func (l *lab) build(name string, changed map[string]string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	b := overlay.Build{Root: l.root, Package: core, Files: changed, Out: filepath.Join(l.dir, name)}
	return b.Run(ctx)
}

// run plays one test. Its random cases are the same each time.
func (l *lab) run(name, test string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pattern := "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
	cmd := exec.CommandContext(ctx, filepath.Join(l.dir, name), "-test.run", pattern, "-test.v", "-test.timeout", "50s",
		"-rapid.seed", l.seed, "-rapid.shrinktime", "0s")
	cmd.Dir = filepath.Join(l.root, filepath.FromSlash(core))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// message is the first thing that a test said.
func message(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") {
			return strings.TrimSpace(line)
		}
	}
	return overlay.FirstLines(out)
}
