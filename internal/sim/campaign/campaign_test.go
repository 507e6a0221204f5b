package main

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/sim"
)

func TestTheLedgerJoinsWhatTouches(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ledger.tsv")
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		how, commit string
		r           seedRange
		clean       bool
	}{
		{"plain", "abc", seedRange{26, 50}, true},
		{"race", "abc", seedRange{1, 25}, true},
		{"plain", "abc", seedRange{1, 25}, true},
		{"plain", "abc", seedRange{51, 75}, false},
		{"plain", "def", seedRange{1, 25}, true},
		{"plain", "abc+", seedRange{76, 100}, true},
	} {
		if err := l.add(e.how, e.commit, e.r, e.clean); err != nil {
			t.Fatal(err)
		}
	}
	if l, err = openLedger(path); err != nil {
		t.Fatal(err)
	}
	want := []entry{
		{seedRange{1, 50}, "plain", "abc", resultClean},
		{seedRange{1, 25}, "race", "abc", resultClean},
		{seedRange{51, 75}, "plain", "abc", resultNot},
		{seedRange{1, 25}, "plain", "def", resultClean},
	}
	if !reflect.DeepEqual(l.lines, want) {
		t.Errorf("got  %v\nwant %v", l.lines, want)
	}
	for _, c := range []struct {
		how, commit string
		r           seedRange
		clean       bool
	}{
		{"plain", "abc", seedRange{26, 50}, true},
		{"plain", "abc", seedRange{40, 60}, false},
		{"plain", "abc", seedRange{51, 75}, false},
		{"race", "def", seedRange{1, 25}, false},
		{"plain", "abc+", seedRange{26, 50}, false},
	} {
		if got := l.clean(c.how, c.commit, c.r); got != c.clean {
			t.Errorf("%s %s %s: clean %t, want %t", c.how, c.commit, c.r, got, c.clean)
		}
	}
}

func TestWhatIsCleanIsNotPlayedAgain(t *testing.T) {
	t.Parallel()
	c := &campaign{commit: "abc", chunk: 10, ledger: &ledger{lines: []entry{{seedRange{11, 20}, "plain", "abc", resultClean}}}}
	s := series{ranges: []seedRange{{1, 25}, {31, 40}}}
	got := c.chunks(s)
	if want := []seedRange{{1, 10}, {21, 25}, {31, 40}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if all, left := s.String(), s.without(got, 0); all != "1-25,31-40" || !strings.HasPrefix(left, ", but for 10 that") {
		t.Errorf("says %q and %q", all, left)
	}
	if left := s.without(s.ranges, 0); left != "" {
		t.Errorf("says %q of nothing", left)
	}
}

// What was counted before an interrupt counts, once, and of this commit and way alone.
func TestWhatWasCountedBeforeIsAdded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "progress.jsonl")
	p, err := openProgress(path, "abc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		how, commit string
		r           seedRange
		runs        int
	}{
		{"plain", "abc", seedRange{1, 600}, 600},
		{"plain", "abc", seedRange{601, 700}, 100},
		{"plain", "abc", seedRange{1101, 1200}, 100},
		{"race", "abc", seedRange{1, 600}, 600},
		{"plain", "def", seedRange{1, 600}, 600},
		{"plain", "abc+", seedRange{701, 800}, 100},
	} {
		if err := p.add(e.how, e.commit, e.r, full(e.runs, sim.FaultCut)); err != nil {
			t.Fatal(err)
		}
	}
	if p, err = openProgress(path, "abc"); err != nil {
		t.Fatal(err)
	}
	o := full(400, check.S2)
	seeds := p.before(series{ranges: []seedRange{{1, 1000}}}, []seedRange{{601, 1000}}, o)
	if seeds != 600 || o.runs != 1000 {
		t.Errorf("%d seeds and %d runs, want those of 1-600 added", seeds, o.runs)
	}
	name := sim.Paths()[0].Name
	if got := o.vacuous(rates{name: 0.5}); got != nil || o.reached[name] != (count{2, 2}) {
		t.Errorf("vacuous %q, the path is taken %v; want each part to lend what the other lacks", got, o.reached[name])
	}
	if left := (series{ranges: []seedRange{{1, 1000}}}).without([]seedRange{{601, 1000}}, seeds); !strings.Contains(left, "600 ") || strings.Contains(left, "VACUOUS") {
		t.Errorf("says %q", left)
	}
}

// full are the counts of runs in which everything happened, but for what is named.
func full(runs int, but ...string) *outcome {
	o := newOutcome()
	o.runs = runs
	counted := func(t tally, name string) {
		if !slices.Contains(but, name) {
			t[name] = count{1, 1}
		}
	}
	for _, kind := range sim.Kinds() {
		counted(o.hits, kind)
	}
	for _, name := range sim.Checks() {
		counted(o.compared, name)
	}
	for _, p := range sim.Paths() {
		counted(o.reached, p.Name)
	}
	return o
}

func TestWhatNeverHappenedIsNamed(t *testing.T) {
	t.Parallel()
	often, seldom := sim.Paths()[0].Name, sim.Paths()[1].Name
	r := rates{often: 0.02, seldom: 0.001}
	for _, c := range []struct {
		o    *outcome
		want []string
	}{
		{full(1000), nil},
		{full(1000, sim.FaultCut, check.S2, often), []string{"fault cut: ", "check S2: ", fmt.Sprintf("path %q: ", often)}},
		{full(1000, seldom), nil},
		{full(999, sim.FaultCut, check.S2, often), nil},
	} {
		got := c.o.vacuous(r)
		if len(got) != len(c.want) {
			t.Errorf("got %q, want %q", got, c.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], c.want[i]) {
				t.Errorf("got %q, want %q", got[i], c.want[i])
			}
		}
	}
}

func TestEveryPathHasARate(t *testing.T) {
	t.Parallel()
	r, err := loadRates(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range sim.Paths() {
		if r[p.Name] == 0 {
			t.Errorf("%q is never taken: a path that no run takes shows nothing", p.Name)
		}
		delete(r, p.Name)
	}
	if len(r) > 0 {
		t.Errorf("rates of no path: %v", r)
	}
}

func TestTheLinesOfTheRunsAreTaken(t *testing.T) {
	t.Parallel()
	o := newOutcome()
	r := &sim.Result{
		Plan:       &sim.Plan{Seed: 17, Faults: []sim.Fault{{Kind: sim.FaultCut}, {Kind: sim.FaultHold}, {Kind: sim.FaultCut}}},
		Violations: []string{"S2: t/0: one too far"}, Reached: map[string]int{sim.Paths()[0].Name: 3},
		Hits: []int{2, 0, 3}, Compared: map[string]int{check.S2: 7, check.S3: 0},
	}
	for line := range strings.SplitSeq(strings.TrimSpace(r.String()), "\n") {
		if _, ok := o.take(line); !ok {
			t.Errorf("not taken: %s", line)
		}
	}
	o.take(sim.LineKept + " seed=17 a.json b.jsonl")
	if o.runs != 1 || o.kept[17] != "a.json b.jsonl" {
		t.Errorf("took %d runs, %v", o.runs, o.kept)
	}
	for _, c := range []struct{ got, want tally }{
		{o.reached, tally{sim.Paths()[0].Name: {1, 3}}},
		{o.hits, tally{sim.FaultCut: {1, 5}}},
		{o.compared, tally{check.S2: {1, 7}}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	if got := o.violations[17]; len(got) != 1 || !strings.HasPrefix(got[0], "S2 ") {
		t.Errorf("violations %q", got)
	}
	if _, ok := o.take("panic: something"); ok {
		t.Error("a panic is taken for a line of ours")
	}
}

func TestHalfOfWhatCIPlaysIsTheCommits(t *testing.T) {
	t.Parallel()
	a, b := ciSeries("0123456789ab"), ciSeries("ba9876543210")
	for i := range a {
		if a[i].ranges[0] != b[i].ranges[0] || a[i].ranges[1] == b[i].ranges[1] {
			t.Errorf("series %d: %v and %v", i, a[i].ranges, b[i].ranges)
		}
	}
	if plain, race := seedsOf(a[0].ranges), seedsOf(a[1].ranges); plain != 1000 || race != 150 || a[0].race || !a[1].race {
		t.Errorf("%d and %d seeds", plain, race)
	}
}
