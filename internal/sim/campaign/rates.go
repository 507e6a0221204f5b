package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/internal/sim"
)

// rates say of each path which share of the runs takes it, as measured.
type rates map[string]float64

func ratesPath(root string) string {
	return filepath.Join(root, "internal", "sim", "campaign", "rates.tsv")
}

func loadRates(root string) (rates, error) {
	text, err := os.ReadFile(ratesPath(root))
	if err != nil {
		return nil, err
	}
	r := rates{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "\t")
		rate, err := strconv.ParseFloat(value, 64)
		if !ok || err != nil {
			return nil, fmt.Errorf("rates: %q: want a path, a tab and a rate", line)
		}
		r[name] = rate
	}
	return r, nil
}

// saveRates writes what was measured.
func saveRates(root string, o *outcome) error {
	var b strings.Builder
	for _, p := range sim.Paths() {
		fmt.Fprintf(&b, "%s\t%.4f\n", p.Name, float64(o.reached[p.Name].Runs)/float64(max(o.runs, 1)))
	}
	return os.WriteFile(ratesPath(root), []byte(b.String()), 0o600)
}
