package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/internal/overlay"
	"github.com/troupe-go/troupe/internal/sim"
)

// TestTable: each wrong runtime can be made, and names a check that exists. Whether they
// are caught is for `make wrong`.
func TestTable(t *testing.T) {
	t.Parallel()
	checks := map[string]int{}
	for _, name := range sim.Checks() {
		checks[name] = 0
	}
	names := map[string]bool{}
	for _, w := range runtimes() {
		if names[w.name] {
			t.Errorf("%s: twice", w.name)
		}
		names[w.name] = true
		if _, ok := checks[w.check]; !ok {
			t.Errorf("%s: there is no check %s", w.name, w.check)
		}
		checks[w.check]++
		files, err := overlay.Apply(filepath.Join("..", ".."), w.edits...)
		if err != nil {
			t.Errorf("%s: %v", w.name, err)
		}
		for path := range files {
			if dir := filepath.Base(filepath.Dir(path)); !slices.Contains([]string{"core", "deadletter", "engine", "kafka"}, dir) {
				t.Errorf("%s changes %s", w.name, dir)
			}
		}
	}
	if len(names) < 25 {
		t.Errorf("%d wrong runtimes, want 25", len(names))
	}
	for name, n := range checks {
		if n == 0 {
			t.Errorf("no wrong runtime for %s", name)
		}
	}
}

// TestRead: what counts as caught, and what does not.
func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, out string
		want      verdict
	}{
		{"caught", "PLAY 3\nVIOLATION S1 seed=3 lost\nVIOLATION S2 seed=3 passed\n", verdict{seed: 3, says: "S2: passed"}},
		{"another check", "VIOLATION S1 seed=3 lost\n", verdict{quiet: true, says: "no violation; of other checks: [S1]"}},
		{"in passing", "the check says VIOLATION S2 seed=3 passed\n", verdict{quiet: true, says: "no violation; of other checks: []"}},
		{"a panic", "panic: deadlock\n\nVIOLATION S2 seed=3 passed\n", verdict{says: "panic: deadlock"}},
	} {
		if got := read(strings.NewReader(test.out), "S2"); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
	ran := sim.Result{Plan: &sim.Plan{Seed: 4}, Violations: []string{"L1: stuck: at 3"}}
	if got, want := read(strings.NewReader(ran.String()), anyCheck), (verdict{seed: 4, says: "L1: stuck: at 3"}); got != want {
		t.Errorf("what the simulator prints: %+v, want %+v", got, want)
	}
}

// Who has closed its output is not gone yet.
func TestPlayWaitsForTheEnd(t *testing.T) {
	t.Parallel()
	l := &lab{root: t.TempDir(), dir: t.TempDir()}
	if err := os.MkdirAll(filepath.Join(l.root, filepath.FromSlash(simulator)), 0o700); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nexec >&- 2>&-\nsleep 0.2\n"
	if err := os.WriteFile(l.binary("right"), []byte(script), 0o700); err != nil { //nolint:gosec // it is to be run
		t.Fatal(err)
	}
	if v := l.play(t.Context(), "right", 1, 1, anyCheck); !v.quiet {
		t.Errorf("it %s", v.says)
	}
}
