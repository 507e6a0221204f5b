package sim

import (
	"fmt"
	"strings"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// How the lines begin that the test of the seeds prints, for those who read them.
const (
	LinePlay      = "PLAY"      // seed: a run begins
	LineRan       = "RAN"       // seed=..., and counters
	LineViolation = "VIOLATION" // check seed=... what
	LineKept      = "KEPT"      // seed=... the plan's path, the history's path
	LineNote      = "NOTE"      // seed=... what is odd, and no violation
	LineReached   = "REACHED"   // seed=... path=times, semicolons between them
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
		if n := r.Reached[p.Name]; n > 0 {
			paths = append(paths, fmt.Sprintf("%s=%d", p.Name, n))
		}
	}
	fmt.Fprintf(&b, "%s seed=%d %s\n", LineReached, r.Plan.Seed, strings.Join(paths, ";"))
	printed := map[string]int{}
	for _, v := range r.Violations {
		name, what, _ := strings.Cut(v, ": ")
		if printed[name]++; printed[name] <= linesPerCheck {
			fmt.Fprintf(&b, "%s %s seed=%d %s\n", LineViolation, name, r.Plan.Seed, what)
		}
	}
	return b.String()
}

// linesPerCheck is how many violations of one check are printed of a run.
const linesPerCheck = 3

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
