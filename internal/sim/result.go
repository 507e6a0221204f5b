package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/probe"
)

// How the lines begin that the test of the seeds prints, for those who read them.
const (
	LinePlay      = "PLAY"      // seed: a run begins
	LineRan       = "RAN"       // seed=..., and counters
	LineViolation = "VIOLATION" // check seed=... what
	LineKept      = "KEPT"      // seed=... the plan's path, the history's path
	LineNote      = "NOTE"      // seed=... what is odd, and no violation
	LineReached   = "REACHED"   // seed=... path=times, semicolons between them
	LineHit       = "HIT"       // seed=... kind=effects, for each kind of fault in the plan
	LineCompared  = "COMPARED"  // seed=... check=comparisons
)

// Result is what came of a run.
type Result struct {
	Plan    *Plan
	Events  []history.Event
	Report  check.Report
	Hits    []int         // by fault of the plan
	Virtual time.Duration // that passed in the bubble
	Real    time.Duration
	Notes   []string       // what is odd, and no violation
	Reached map[string]int // how often each of Paths was taken

	// Compared is how often each of Checks had something to judge, by their own counts.
	Compared map[string]int

	// Violations are all that was found, each beginning with the check's name.
	Violations []string
}

// String is the run in lines.
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s seed=%d took=%v virtual=%v events=%d hit=%d/%d violations=%d\n", LineRan, r.Plan.Seed,
		r.Real.Round(time.Millisecond), r.Virtual.Round(time.Second), len(r.Events), r.hit(), len(r.Hits), len(r.Violations))
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "%s seed=%d %s\n", LineNote, r.Plan.Seed, n)
	}
	var paths []string
	for _, p := range Paths() {
		paths = append(paths, p.Name)
	}
	r.counts(&b, LineReached, paths, r.Reached)
	r.counts(&b, LineHit, Kinds(), r.hits())
	r.counts(&b, LineCompared, Checks(), r.Compared)
	printed := map[string]int{}
	for _, v := range r.Violations {
		name, what, _ := strings.Cut(v, ": ")
		if printed[name]++; printed[name] <= linesPerCheck {
			fmt.Fprintf(&b, "%s %s seed=%d %s\n", LineViolation, name, r.Plan.Seed, what)
		}
	}
	return b.String()
}

// counts writes a line of those names that are counted at all.
func (r *Result) counts(b *strings.Builder, line string, names []string, counts map[string]int) {
	var parts []string
	for _, name := range names {
		if n, ok := counts[name]; ok {
			parts = append(parts, fmt.Sprintf("%s=%d", name, n))
		}
	}
	fmt.Fprintf(b, "%s seed=%d %s\n", line, r.Plan.Seed, strings.Join(parts, ";"))
}

// hits are by kind of fault, 0 for one of which none had an effect.
func (r *Result) hits() map[string]int {
	hits := map[string]int{}
	for i, n := range r.Hits {
		hits[r.Plan.Faults[i].Kind] += n
	}
	return hits
}

// Checks are the names of all that judges a run: the checks of its history, and the probes.
func Checks() []string {
	var names []string
	for _, c := range check.All() {
		names = append(names, c.Name)
	}
	return append(names, probe.L1, probe.L2, probe.L3, probe.L4, probe.L6, probe.L7)
}

// linesPerCheck is how many violations of one check are printed of a run.
const linesPerCheck = 3

// violates reports whether a check found something. A run that is not over violates nothing.
func (r *Result) violates(name string) bool {
	return r != nil && slices.ContainsFunc(r.Violations, func(v string) bool { return strings.HasPrefix(v, name+": ") })
}

// hit is how many faults had an effect.
func (r *Result) hit() int {
	n := 0
	for _, hits := range r.Hits {
		if hits > 0 {
			n++
		}
	}
	return n
}
