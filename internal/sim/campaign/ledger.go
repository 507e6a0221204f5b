package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// ledger is the file of what was played: a line for each range of seeds, with how it was
// played, the commit and the result. A commit with a plus had changes on top: that counts
// for nothing.
type ledger struct {
	path string // empty: it is kept nowhere

	mu    sync.Mutex
	lines []entry // guarded by mu
}

// entry is a line of it.
type entry struct {
	seeds  seedRange
	how    string // plain or race
	commit string
	result string
}

const (
	resultClean = "clean"
	resultNot   = "not-clean"
	ledgerHead  = "seeds\tmode\tcommit\tresult\n"
)

func openLedger(path string) (*ledger, error) {
	l := &ledger{path: path}
	text, err := os.ReadFile(path) //nolint:gosec // our own
	if os.IsNotExist(err) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(strings.TrimPrefix(string(text), ledgerHead)) {
		var e entry
		if _, err := fmt.Sscanf(line, "%d-%d\t%s\t%s\t%s", &e.seeds.from, &e.seeds.to, &e.how, &e.commit, &e.result); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", path, line, err)
		}
		l.lines = append(l.lines, e)
	}
	return l, nil
}

// clean reports whether all of r was played cleanly at a commit without changes.
func (l *ledger) clean(how, commit string, r seedRange) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !strings.HasSuffix(commit, "+") && slices.ContainsFunc(l.lines, func(e entry) bool {
		return e.how == how && e.commit == commit && e.result == resultClean && e.seeds.from <= r.from && r.to <= e.seeds.to
	})
}

// add writes down that r was played. Ranges that touch become one. What had changes on
// top is not written down.
func (l *ledger) add(how, commit string, r seedRange, clean bool) error {
	if strings.HasSuffix(commit, "+") || l.path == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := entry{r, how, commit, resultNot}
	if clean {
		e.result = resultClean
	}
	l.lines = merge(append(l.lines, e))
	var b strings.Builder
	b.WriteString(ledgerHead)
	for _, e := range l.lines {
		fmt.Fprintf(&b, "%s\t%s\t%s\t%s\n", e.seeds, e.how, e.commit, e.result)
	}
	return os.WriteFile(l.path, []byte(b.String()), 0o644) //nolint:gosec // everybody may read it
}

// merge joins ranges of one commit that touch. The order of the commits stays.
func merge(lines []entry) []entry {
	type series struct{ how, commit, result string }
	order := map[series]int{}
	for i, e := range lines {
		s := series{e.how, e.commit, e.result}
		if _, ok := order[s]; !ok {
			order[s] = i
		}
	}
	slices.SortStableFunc(lines, func(a, b entry) int {
		return cmp.Or(
			cmp.Compare(order[series{a.how, a.commit, a.result}], order[series{b.how, b.commit, b.result}]),
			cmp.Compare(a.seeds.from, b.seeds.from))
	})
	var out []entry
	for _, e := range lines {
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.how == e.how && last.commit == e.commit && last.result == e.result && e.seeds.from <= last.seeds.to+1 {
				last.seeds.to = max(last.seeds.to, e.seeds.to)
				continue
			}
		}
		out = append(out, e)
	}
	return out
}
