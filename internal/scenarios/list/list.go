// Package list has the fault scenarios, by number: what must hold in each, and what those
// that nothing shows yet wait for.
package list

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// Attribute is the test attribute under which a scenario tells its [Result], as JSON.
const Attribute = "scenario"

// Scenario is one of them.
type Scenario struct {
	Number int
	Title  string
	Holds  string // the invariants, and what else is demanded
	Waits  string // what it waits for; empty when a test shows it, here or on Apache Kafka
	Kafka  string // the test of internal/conformance that shows it; empty: none
}

// Result is what a run of a scenario, or of one of its variants, had to judge.
type Result struct {
	Number   int              `json:"number"`
	Title    string           `json:"title"`
	Checks   []string         `json:"checks"` // those that must have compared something
	Faults   map[string]int64 `json:"faults"`
	Compared map[string]int64 `json:"compared"`
}

//go:embed scenarios.txt
var text string

// All are the scenarios in order.
func All() ([]Scenario, error) {
	var all []Scenario
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		s, err := parse(line)
		if err != nil {
			return nil, err
		}
		if s.Number != len(all)+1 {
			return nil, fmt.Errorf("scenario %d stands in the place of %d", s.Number, len(all)+1)
		}
		all = append(all, s)
	}
	return all, nil
}

func parse(line string) (Scenario, error) {
	f := strings.Split(line, "|")
	if len(f) != 5 {
		return Scenario{}, fmt.Errorf("%q has %d fields, want 5", line, len(f))
	}
	for i := range f {
		f[i] = strings.TrimSpace(f[i])
	}
	n, err := strconv.Atoi(f[0])
	if err != nil {
		return Scenario{}, fmt.Errorf("%q: %w", line, err)
	}
	return Scenario{n, f[1], f[2], f[3], f[4]}, nil
}

// Find is the scenario of a number.
func Find(number int) (Scenario, bool) {
	all, err := All()
	if err != nil || number < 1 || number > len(all) {
		return Scenario{}, false
	}
	return all[number-1], true
}
