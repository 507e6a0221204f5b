package main

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// survivor is a mutant that no test can tell from the code, and why not.
type survivor struct {
	file string // its path in the module
	in   string // the function
	line string // as the mutant has it
	why  string
}

// counts are a package's mutants by what became of them.
type counts map[string]int

// score is the share that is killed of what could be.
func (c counts) score() float64 {
	all := c[killed] + c[lived] + c[notCovered] + c[timedOut]
	return float64(c[killed]) / float64(max(all, 1))
}

// tally counts by package, and lists what is wrong with a mutant's fate.
func tally(mutants []*mutant, argued []survivor) (map[string]counts, []string) {
	packages := map[string]counts{}
	var wrong []string
	left := slices.Clone(argued)
	for _, m := range mutants {
		dir := filepath.Dir(m.file)
		if packages[dir] == nil {
			packages[dir] = counts{}
		}
		packages[dir][m.status]++
		i := slices.IndexFunc(left, func(s survivor) bool { return s.file == m.file && s.in == m.in && s.line == m.line })
		switch m.status {
		case lived, notCovered:
			if i < 0 {
				wrong = append(wrong, fmt.Sprintf("survives: %s:%d, %s, in %s: %s", m.file, m.row, m.operator, m.in, m.line))
			}
		case killed, notViable:
			if i >= 0 {
				wrong = append(wrong, fmt.Sprintf("argued to be equivalent, but %s: %s:%d: %s", m.status, m.file, m.row, m.line))
			}
		case timedOut: // it says nothing, but counts
		default:
			wrong = append(wrong, fmt.Sprintf("no verdict: %s: %s:%d: %s", m.status, m.file, m.row, m.line))
		}
		if i >= 0 {
			left = slices.Delete(left, i, i+1)
		}
	}
	for _, s := range left {
		wrong = append(wrong, fmt.Sprintf("argued to be equivalent, but not made: %s: %s", s.file, s.line))
	}
	return packages, wrong
}

// report prints the table, the survivors with their reasons, and what is wrong.
func report(out io.Writer, mutants []*mutant, only string, least float64) error {
	var argued []survivor
	for _, s := range survivors {
		if strings.HasPrefix(s.file, only) {
			argued = append(argued, s)
		}
	}
	packages, wrong := tally(mutants, argued)
	var text strings.Builder
	for _, s := range argued {
		fmt.Fprintf(&text, "equivalent: %s, in %s: %s\n    %s\n", s.file, s.in, s.line, s.why)
	}
	low := write(&text, packages, least)
	if only == "" {
		wrong = append(wrong, low...)
	}
	slices.SortFunc(wrong, cmp.Compare[string])
	for _, w := range wrong {
		fmt.Fprintln(&text, w)
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return err
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%d faults", len(wrong))
	}
	return nil
}

// write prints the counts, and returns the scores that are too low.
func write(text *strings.Builder, packages map[string]counts, least float64) []string {
	var low, names []string
	for name := range packages {
		names = append(names, name)
	}
	slices.Sort(names)
	w := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\npackage\tkilled\tlived\tnot covered\ttimed out\tscore\tnot viable\n")
	for _, name := range names {
		c := packages[name]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%.3f\t%d\n", name, c[killed], c[lived], c[notCovered], c[timedOut], c.score(), c[notViable])
		if c.score() < least {
			low = append(low, fmt.Sprintf("the score of %s is %.3f, below %.2f", name, c.score(), least))
		}
	}
	w.Flush() //nolint:errcheck // a strings.Builder takes all
	return low
}
