package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTable: each mutant can be made, and names a test that exists. Whether they are
// killed is for `go run ./internal/core/mutants`.
func TestTable(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	files, err := filepath.Glob("../*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	tests := all.String()
	names, features := map[string]bool{}, map[string]int{}
	for _, m := range mutants {
		if names[m.name] {
			t.Errorf("%s: twice", m.name)
		}
		names[m.name] = true
		features[m.feature]++
		if _, err := m.apply(filepath.Join("..", "..", "..")); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		test, script, _ := strings.Cut(m.test, "/")
		if !strings.Contains(tests, "func "+test+"(t *testing.T)") {
			t.Errorf("%s: no test %s", m.name, test)
		}
		if script == "" {
			continue
		}
		if _, err := os.Stat("../testdata/" + script + ".txt"); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	for _, feature := range []string{
		"lanes", "progress", "line", "retry", "delay", "forwards", "pause reasons", "back-pressure by records",
		"back-pressure by bytes", "MaxAhead", "epochs", "drain", "restart", "quarantine", "S2", "S3", "S5", "S7", "S8",
	} {
		if features[feature] == 0 {
			t.Errorf("no mutant of %s", feature)
		}
	}
}

// TestJudge: what counts as killed, and what does not.
func TestJudge(t *testing.T) {
	t.Parallel()
	failed := exec.CommandContext(t.Context(), "sh", "-c", "exit 1").Run()
	m := mutant{test: "TestLine", says: "line 3"}
	for _, test := range []struct {
		name, out string
		err       error
		want      string
	}{
		{"killed", "x_test.go:1: line 3, want 4\n--- FAIL: TestLine (0.00s)\n", failed, ""},
		{"passes", "--- PASS: TestLine (0.00s)\n", nil, "SURVIVES"},
		{"another test", "line 3\n--- FAIL: TestOther (0.00s)\n", failed, "another test fails"},
		{"another message", "x_test.go:1: line 5\n--- FAIL: TestLine (0.00s)\n", failed, "fails without saying"},
		{"a panic", "line 3\n--- FAIL: TestLine (0.00s)\npanic: invariant broken: line 3\n", failed, "panics"},
		{"a time-out", "line 3\n--- FAIL: TestLine (0.00s)\npanic: test timed out after 50s\n", failed, "runs out of time"},
		{"no program", "", os.ErrNotExist, "does not run"},
	} {
		if got := m.judge(test.out, test.err); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
