package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/troupe-go/troupe/internal/sim"
)

// tries is how often a smaller plan is played before it counts as clean: how a run goes is
// not certain.
const tries = 5

// shrink makes a plan smaller as long as the check still fails that failed first.
func (c *campaign) shrink(path string, race bool) error {
	p, err := sim.Load(path)
	if err != nil {
		return err
	}
	binary, err := c.build(race)
	if err != nil {
		return err
	}
	s := &shrinking{ctx: c.ctx, binary: binary, path: filepath.Join(c.dir, "candidate.plan.json")}
	if s.check = s.failing(p, again); s.check == "" {
		return fmt.Errorf("%s did not fail in %d runs", path, again)
	}
	fmt.Fprintf(os.Stdout, "%s fails by %s: %d faults, %d records\n", path, s.check, len(p.Faults), p.Records())
	small := sim.Shrink(p, func(candidate *sim.Plan) bool {
		fails := s.failing(candidate, tries) == s.check
		fmt.Fprintf(os.Stdout, "  %d faults, %d records, %d members: fails %t\n", len(candidate.Faults), candidate.Records(), len(candidate.Members), fails)
		return fails
	})
	to := strings.TrimSuffix(path, ".json") + ".small.json"
	if err := small.Save(to); err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "%s: %d faults, %d records\n%s", to, len(small.Faults), small.Records(), small)
	return nil
}

type shrinking struct {
	ctx          context.Context //nolint:containedctx // the command's
	binary, path string
	check        string // by which the plan fails; empty: not known yet
}

// failing is the check by which a plan fails, the one that is looked for if there are
// several; empty: none did in n runs.
func (s *shrinking) failing(p *sim.Plan, n int) string {
	if err := p.Save(s.path); err != nil {
		return ""
	}
	for range n {
		o := newOutcome()
		seed, wrong := o.listen(s.ctx, s.binary, "-plan", s.path)
		found := o.violations[seed]
		if wrong != "" {
			found = append(found, wrong)
		}
		for _, v := range found {
			name, _, _ := strings.Cut(v, " ")
			if s.check == "" || name == s.check {
				return name
			}
		}
	}
	return ""
}
