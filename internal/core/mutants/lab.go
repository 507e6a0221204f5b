package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// lab builds and runs the tests of the core, sound and mutated.
type lab struct {
	core string // the folder
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
	overlay, err := l.mutate(i, m)
	if err != nil {
		return err.Error()
	}
	name := fmt.Sprintf("mutant%d", i)
	if err := l.build(name, overlay); err != nil {
		return "does not compile: " + firstLine(err.Error())
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
			why = firstLine(out)
		} else if !strings.Contains(out, "--- PASS: "+test+" ") {
			why = "there is no such test"
		}
		l.sound[test] = why
	}
	return why
}

// mutate writes the changed file, and the overlay that puts it in place.
func (l *lab) mutate(i int, m mutant) (string, error) {
	path := filepath.Join(l.core, m.file)
	changed, err := m.apply(path)
	if err != nil {
		return "", err
	}
	file := filepath.Join(l.dir, fmt.Sprintf("%d.go", i))
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {path: file}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(l.dir, fmt.Sprintf("%d.json", i))
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// apply is the file with the change in it.
func (m mutant) apply(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return "", fmt.Errorf("%q occurs %d times in %s", m.old, n, m.file)
	}
	return strings.Replace(string(text), m.old, m.now, 1), nil
}

func (l *lab) build(name, overlay string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", filepath.Join(l.dir, name), ".")
	cmd.Dir = l.core
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// run plays one test. Its random cases are the same each time.
func (l *lab) run(name, test string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pattern := "^" + strings.ReplaceAll(test, "/", "$/^") + "$"
	cmd := exec.CommandContext(ctx, filepath.Join(l.dir, name), "-test.run", pattern, "-test.v", "-test.timeout", "50s",
		"-rapid.seed", l.seed, "-rapid.shrinktime", "0s")
	cmd.Dir = l.core
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func moduleRoot() (string, error) {
	out, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// message is the first thing that a test said.
func message(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "_test.go:") {
			return strings.TrimSpace(line)
		}
	}
	return firstLine(out)
}

func firstLine(s string) string {
	lines := strings.SplitN(strings.TrimSpace(s), "\n", 3)
	return strings.Join(lines[:min(2, len(lines))], " ")
}
