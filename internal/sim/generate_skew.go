package sim

import "slices"

// skews let some records of a delayed topic have timestamps of a century ahead. A clock
// that is far ahead when one is first seen, and goes right then, lets it wait for as long.
func (g *generator) skews() {
	if slices.ContainsFunc(g.plan.Faults, func(f Fault) bool { return f.Kind == FaultClockJumps && f.Lag > 10*sec }) {
		return
	}
	for i := range g.plan.Topics {
		t := &g.plan.Topics[i]
		if t.Delay == 0 || g.chance(40) {
			continue
		}
		t.MaxSkew = g.between(sec, 15*sec)
		for j := range g.plan.Producers {
			if p := &g.plan.Producers[j]; p.Topic == t.Name {
				p.Ahead = 5 + g.IntN(30)
			}
		}
	}
}
