//go:build synctests && failpoints

package sim_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/sim"
)

var (
	seeds = flag.String("seeds", "1-4", "seeds to play, as a-b")
	plan  = flag.String("plan", "", "a plan to play instead, a file")
	times = flag.Int("times", 1, "how often each is played")
	keep  = flag.String("keep", "", "a folder for plans and histories of runs that are not clean; empty: none")
)

// TestSeeds plays plans and prints a line for each run, and one that begins with VIOLATION
// for each promise that was broken.
func TestSeeds(t *testing.T) {
	t.Parallel()
	if *plan != "" {
		p, err := sim.Load(*plan)
		if err != nil {
			t.Fatal(err)
		}
		play(t, p)
		return
	}
	var from, to uint64
	if _, err := fmt.Sscanf(*seeds, "%d-%d", &from, &to); err != nil || from > to {
		t.Fatalf("-seeds %q: want a-b", *seeds)
	}
	for seed := from; seed <= to; seed++ {
		play(t, sim.Generate(seed, sim.ModeOf(seed)))
	}
}

func play(t *testing.T, p *sim.Plan) {
	t.Helper()
	for range *times {
		fmt.Println(sim.LinePlay, p.Seed)
		r := sim.Play(t, p)
		fmt.Print(r)
		if len(r.Violations) > 0 {
			t.Fail()
			save(t, r)
		}
	}
}

func save(t *testing.T, r *sim.Result) {
	t.Helper()
	if *keep == "" {
		return
	}
	name := filepath.Join(*keep, fmt.Sprint("seed-", r.Plan.Seed))
	if err := r.Plan.Save(name + ".plan.json"); err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(name + ".history.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := history.Save(file, r.Events); err != nil {
		t.Fatal(err)
	}
	fmt.Println(sim.LineKept, p(r), name+".plan.json", name+".history.jsonl")
}

func p(r *sim.Result) string { return fmt.Sprint("seed=", r.Plan.Seed) }
