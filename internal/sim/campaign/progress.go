package main

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"sync"
)

// progress is the file of what clean chunks counted, a line of JSON for each. The ledger says
// that they need not be played again; a campaign that goes on with what is left adds their
// counts to its own.
type progress struct {
	path string // empty: it is kept nowhere

	mu    sync.Mutex
	parts []part // guarded by mu
}

// part is what a chunk counted.
type part struct {
	Mode     string `json:"mode"`
	Commit   string `json:"commit"`
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
	Runs     int    `json:"runs"`
	Hits     tally  `json:"hits"`
	Compared tally  `json:"compared"`
	Reached  tally  `json:"reached"`
}

// openProgress reads what is there of a commit, and forgets the others. A last line that an
// interrupt cut off is none.
func openProgress(path, commit string) (*progress, error) {
	p := &progress{path: path}
	text, err := os.ReadFile(path) //nolint:gosec // our own
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var one part
		if json.Unmarshal(lines.Bytes(), &one) == nil && one.Commit == commit {
			p.parts = append(p.parts, one)
		}
	}
	return p, lines.Err()
}

// add writes down what the clean runs of a chunk counted. What had changes on top is not
// written down, as in the ledger.
func (p *progress) add(how, commit string, r seedRange, o *outcome) error {
	if strings.HasSuffix(commit, "+") || p.path == "" {
		return nil
	}
	o.mu.Lock()
	one := part{how, commit, r.from, r.to, o.runs, o.hits, o.compared, o.reached}
	o.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts = append(p.parts, one)
	var b strings.Builder
	enc := json.NewEncoder(&b)
	for i := range p.parts {
		if err := enc.Encode(&p.parts[i]); err != nil {
			return err
		}
	}
	return os.WriteFile(p.path, []byte(b.String()), 0o600)
}

// before adds to o what was counted of a series before, and reports of how many seeds. Of
// todo, which is played now, nothing counts.
func (p *progress) before(s series, todo []seedRange, o *outcome) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	seeds := uint64(0)
	for i := range p.parts {
		one := &p.parts[i]
		r := seedRange{one.From, one.To}
		if one.Mode != how(s.race) || !within(r, s.ranges) || touches(r, todo) {
			continue
		}
		seeds += seedsOf([]seedRange{r})
		o.add(&outcome{runs: one.Runs, hits: one.Hits, compared: one.Compared, reached: one.Reached})
	}
	return seeds
}

func within(r seedRange, all []seedRange) bool {
	for _, x := range all {
		if x.from <= r.from && r.to <= x.to {
			return true
		}
	}
	return false
}

func touches(r seedRange, all []seedRange) bool {
	for _, x := range all {
		if r.from <= x.to && x.from <= r.to {
			return true
		}
	}
	return false
}

// add takes what another one was told.
func (o *outcome) add(other *outcome) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.runs += other.runs
	o.hits.add(other.hits)
	o.compared.add(other.compared)
	o.reached.add(other.reached)
	for seed, found := range other.violations {
		o.violations[seed] = append(o.violations[seed], found...)
	}
	for seed, paths := range other.kept {
		o.kept[seed] = paths
	}
}
