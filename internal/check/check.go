// Package check judges a finished history: pure functions from its events to a verdict,
// one for each of the invariants S1 to S17, and one for the order of what is polled.
//
// What happened to a record is taken from the journal of the test's behaviors, from the
// producer's acknowledgments and from what separate clients read; never from the
// runtime's word alone. Every check counts what it compared, so that one that had nothing
// to look at does not pass for a good one: see [Judge].
package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-go/troupe/internal/history"
)

// The checks, by the invariant that they judge.
const (
	S1 = "S1" // no loss
	S2 = "S2" // the commit line passes nothing unfinished
	S3 = "S3" // the committed offset never falls
	S4 = "S4" // accepted commits come from the owner
	S5 = "S5" // order per key
	S6 = "S6" // one call at a time per virtual partition
	S7 = "S7" // nothing starts or commits behind a fence
	S8 = "S8" // never early

	S9  = "S9"  // duplicates have a reason, and are within its bound
	S10 = "S10" // dead letters are acknowledged and faithful
	S11 = "S11" // no phantoms
	S12 = "S12" // holes in the log are passed
	S13 = "S13" // what is skipped is told, and nothing else
	S14 = "S14" // memory within the limits
	S15 = "S15" // no secret and no payload in a log
	S16 = "S16" // trouble stays where it is
	S17 = "S17" // what was finished above the line is not run again

	Poll = "Poll" // what is fetched ascends and skips nothing
)

// Check is one of them.
type Check struct {
	Name  string
	Judge func([]history.Event) Verdict
}

// All are the checks there are, in order.
func All() []Check {
	return []Check{
		{S1, Loss},
		{S2, CommitLine},
		{S3, Committed},
		{S4, Owner},
		{S5, Order},
		{S6, Overlap},
		{S7, Fence},
		{S8, Delay},
		{S9, Duplicates},
		{S10, DeadLetters},
		{S11, Phantoms},
		{S12, Holes},
		{S13, Gaps},
		{S14, Memory},
		{S15, Secrets},
		{S16, Isolation},
		{S17, Travels},
		{Poll, PollOrder},
	}
}

// judges are those of All, for facts that are shared.
func judges() []func(*facts) Verdict {
	return []func(*facts) Verdict{
		loss, commitLine, committed, owner, order, overlap, fenced, delay,
		duplicates, deadLetters, phantoms, holes, gaps, memory, secrets, isolation, travels,
		pollOrder,
	}
}

// Verdict is what a check found.
type Verdict struct {
	Check    string
	Compared int // how often it had something to judge
	Found    int // violations

	// Violations are the first of them, up to 100.
	Violations []Violation
}

const violationsMax = 100

// Violation is one broken promise.
type Violation struct {
	What string
	Seqs []uint64 // the events that show it
}

// String is the violation on a line.
func (v Violation) String() string { return fmt.Sprintf("%s (events %v)", v.What, v.Seqs) }

func (v *Verdict) add(seqs []uint64, format string, args ...any) {
	v.Found++
	if len(v.Violations) < violationsMax {
		v.Violations = append(v.Violations, Violation{fmt.Sprintf(format, args...), seqs})
	}
}

// String is the verdict on a line, and a line for each violation.
func (v Verdict) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: compared %d, violations %d", v.Check, v.Compared, v.Found)
	for _, x := range v.Violations {
		b.WriteString("\n\t" + x.String())
	}
	return b.String()
}

// Report is the verdict on a run.
type Report struct {
	Verdicts []Verdict // of all checks

	// Vacuous are the checks that were asked for and compared nothing, or do not exist.
	Vacuous []string
}

// Judge runs all checks over events, which are ascending by Seq. Those that are named
// must have compared something.
func Judge(events []history.Event, names ...string) Report {
	var r Report
	compared := map[string]bool{}
	f := newFacts(events)
	for _, judge := range judges() {
		v := judge(f)
		compared[v.Check] = v.Compared > 0
		r.Verdicts = append(r.Verdicts, v)
	}
	for _, name := range names {
		if !compared[name] && !slices.Contains(r.Vacuous, name) {
			r.Vacuous = append(r.Vacuous, name)
		}
	}
	return r
}

// Verdict is that of a check.
func (r Report) Verdict(name string) Verdict {
	for _, v := range r.Verdicts {
		if v.Check == name {
			return v
		}
	}
	return Verdict{Check: name}
}

// Err is nil when nothing was violated and no named check was vacuous.
func (r Report) Err() error {
	var errs []error
	for _, v := range r.Verdicts {
		if v.Found > 0 {
			errs = append(errs, errors.New(v.String()))
		}
	}
	for _, name := range r.Vacuous {
		errs = append(errs, fmt.Errorf("%s: compared nothing", name))
	}
	return errors.Join(errs...)
}

// String is what each check compared and found.
func (r Report) String() string {
	lines := make([]string, len(r.Verdicts))
	for i, v := range r.Verdicts {
		lines[i] = v.String()
	}
	return strings.Join(lines, "\n")
}
