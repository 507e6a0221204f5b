package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// TestSurvivors: each argued mutant is one that an operator still makes.
func TestSurvivors(t *testing.T) {
	t.Parallel()
	for _, s := range survivors {
		if n := made(t, s); n != 1 {
			t.Errorf("%s, in %s: made %d times: %s", s.file, s.in, n, s.line)
		}
		if s.why == "" {
			t.Errorf("%s, in %s: no reason: %s", s.file, s.in, s.line)
		}
	}
}

// made counts how often the operators make a survivor.
func made(t *testing.T, s survivor) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, s.file))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for row, line := range strings.Split(string(text), "\n") {
		for column := range len(line) {
			for _, o := range operators {
				m := &mutant{file: s.file, row: row + 1, column: column + 1, operator: o.name}
				old, now := m.swap(line[column:])
				if old == "" || strings.TrimSpace(line[:column]+now+line[column+len(old):]) != s.line {
					continue
				}
				if err := m.change(root); err != nil {
					t.Fatal(err)
				}
				if m.in == s.in && m.line == s.line {
					n++
				}
			}
		}
	}
	return n
}

func TestSwap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ operator, text, old, now string }{
		{"CONDITIONALS_BOUNDARY", ">= 1", ">=", ">"},
		{"CONDITIONALS_BOUNDARY", "> 1", ">", ">="},
		{"INVERT_BITWISE", "&^ x", "&^", "&"},
		{"REMOVE_SELF_ASSIGNMENTS", "&^= x", "&^=", "="},
		{"ARITHMETIC_BASE", "x", "", ""},
		{"NO_SUCH", "+ x", "", ""},
	} {
		m := mutant{operator: test.operator}
		if old, now := m.swap(test.text); old != test.old || now != test.now {
			t.Errorf("%s of %q: %q to %q, want %q to %q", test.operator, test.text, old, now, test.old, test.now)
		}
	}
}

// TestCheck: a mutant that does not compile is told from one that does.
func TestCheck(t *testing.T) {
	t.Parallel()
	c, err := newChecker(root, "supervision")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "supervision/backoff.go"))
	if err != nil {
		t.Fatal(err)
	}
	sound := &mutant{file: "supervision/backoff.go", text: strings.Replace(string(text), "n > 1", "n >= 1", 1)}
	if err := c.check(sound); err != nil || sound.text == string(text) {
		t.Errorf("a mutant that compiles: %v", err)
	}
	broken := &mutant{file: "supervision/backoff.go", text: strings.Replace(string(text), "n > 1", "n + 1", 1)}
	if err := c.check(broken); err == nil {
		t.Error("a mutant that does not compile is taken")
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	got, err := read([]byte(`{"files":[{"file_name":"a/b.go","mutations":[{"type":"INVERT_LOGICAL","status":"LIVED","line":3,"column":4}]}]}`))
	if err != nil || len(got) != 1 || *got[0] != (mutant{file: "a/b.go", row: 3, column: 4, operator: "INVERT_LOGICAL", status: lived}) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := read([]byte(`{"files":[]}`)); err == nil {
		t.Error("a report of nothing is taken")
	}
}

// TestTally: what counts, and what is a fault.
func TestTally(t *testing.T) {
	t.Parallel()
	a := func(line, status string) *mutant { return &mutant{file: "a/x.go", in: "f", line: line, status: status} }
	argued := func(lines ...string) []survivor {
		var all []survivor
		for _, line := range lines {
			all = append(all, survivor{"a/x.go", "f", line, "because"})
		}
		return all
	}
	for name, test := range map[string]struct {
		mutants []*mutant
		argued  []survivor
		score   float64
		fault   string
	}{
		"all killed":           {[]*mutant{a("1", killed)}, nil, 1, ""},
		"not viable":           {[]*mutant{a("1", killed), a("2", notViable)}, nil, 1, ""},
		"argued":               {[]*mutant{a("1", killed), a("2", lived)}, argued("2"), 0.5, ""},
		"timed out":            {[]*mutant{a("1", killed), a("2", timedOut)}, nil, 0.5, ""},
		"argued and timed out": {[]*mutant{a("1", killed), a("2", timedOut)}, argued("2"), 0.5, ""},
		"not argued":           {[]*mutant{a("1", killed), a("2", lived)}, argued(), 0.5, "survives: a/x.go"},
		"not covered":          {[]*mutant{a("1", killed), a("2", notCovered)}, argued(), 0.5, "survives: a/x.go"},
		"argued once of twice": {[]*mutant{a("2", lived), a("2", lived)}, argued("2"), 0, "survives: a/x.go"},
		"argued and killed":    {[]*mutant{a("2", killed)}, argued("2"), 1, "but KILLED"},
		"argued and not made":  {[]*mutant{a("1", killed)}, argued("2"), 1, "but not made"},
		"never played":         {[]*mutant{a("1", killed), a("2", "RUNNABLE")}, nil, 1, "no verdict: RUNNABLE"},
	} {
		packages, wrong := tally(test.mutants, test.argued)
		if got := packages["a"].score(); got != test.score {
			t.Errorf("%s: score %v, want %v", name, got, test.score)
		}
		if got := strings.Join(wrong, "\n"); (got == "") != (test.fault == "") || !strings.Contains(got, test.fault) {
			t.Errorf("%s: faults %q, want %q", name, got, test.fault)
		}
	}
	var text strings.Builder
	if low := write(&text, map[string]counts{"a": {killed: 8, lived: 1, timedOut: 1}}, 0.9); len(low) != 1 {
		t.Errorf("a score of 0.8 is enough: %q", low)
	}
}
