package main

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/internal/sim"
)

// count is how often something happened, and in how many runs.
type count struct {
	Runs  int `json:"runs"`
	Times int `json:"times"`
}

// tally counts by name.
type tally map[string]count

// take adds what a run told, as name=times with semicolons between.
func (t tally) take(text string) {
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(part, "=")
		times, err := strconv.Atoi(value)
		if err != nil || times == 0 {
			continue
		}
		c := t[name]
		t[name] = count{c.Runs + 1, c.Times + times}
	}
}

// add adds what was counted elsewhere.
func (t tally) add(other tally) {
	for name, c := range other {
		t[name] = count{t[name].Runs + c.Runs, t[name].Times + c.Times}
	}
}

// print writes the counts of names, a few on a line.
func (t tally) print(w io.Writer, head string, names []string) {
	const width = 130
	line := head
	for _, name := range names {
		next := fmt.Sprintf(" %s %d in %d,", name, t[name].Times, t[name].Runs)
		if len(line)+len(next) > width {
			fmt.Fprintln(w, line)
			line = strings.Repeat(" ", len(head))
		}
		line += next
	}
	fmt.Fprintln(w, strings.TrimSuffix(line, ","))
}

// print writes what the runs counted: how often and in how many runs.
func (o *outcome) print(w io.Writer) {
	var paths []string
	for _, p := range sim.Paths() {
		paths = append(paths, p.Name)
	}
	o.hits.print(w, "  effects of faults:", sim.Kinds())
	o.compared.print(w, "  comparisons:      ", sim.Checks())
	o.reached.print(w, "  paths:            ", paths)
}

const (
	tooRare   = 1e-6 // what does not happen by chance
	manySeeds = 1000 // from so many on it is looked at what never happened
)

// vacuous are the kinds of faults that had no effect in any run, the checks that compared
// nothing, and the paths that no run took, though so many would by chance only once in a
// million campaigns not.
func (o *outcome) vacuous(r rates) []string {
	if o.runs < manySeeds {
		return nil
	}
	var all []string
	for _, kind := range sim.Kinds() {
		if o.hits[kind].Times == 0 {
			all = append(all, fmt.Sprintf("fault %s: no effect in %d runs", kind, o.runs))
		}
	}
	for _, name := range sim.Checks() {
		if o.compared[name].Times == 0 {
			all = append(all, fmt.Sprintf("check %s: compared nothing in %d runs", name, o.runs))
		}
	}
	for _, p := range sim.Paths() {
		rate := r[p.Name]
		if o.reached[p.Name].Runs == 0 && math.Pow(1-rate, float64(o.runs)) < tooRare {
			all = append(all, fmt.Sprintf("path %q: never in %d runs, %g of which take it", p.Name, o.runs, rate))
		}
	}
	return all
}
