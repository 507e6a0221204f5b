package sim

import "slices"

// Shrink makes a plan that still fails smaller: first of fewer faults, then of fewer
// records, producers and members. fails plays a candidate, as often as it likes, and
// reports whether it fails in the way that matters.
func Shrink(p *Plan, fails func(*Plan) bool) *Plan {
	for size := (len(p.Faults) + 1) / 2; size > 0 && len(p.Faults) > 0; size /= 2 {
		for at := 0; at < len(p.Faults); {
			smaller := p.clone()
			smaller.Faults = slices.Delete(smaller.Faults, at, min(at+size, len(smaller.Faults)))
			if fails(smaller) {
				p = smaller
			} else {
				at += size
			}
		}
	}
	for i := len(p.Producers) - 1; i >= 0 && len(p.Producers) > 1; i-- {
		smaller := p.clone()
		smaller.Producers = slices.Delete(smaller.Producers, i, i+1)
		if fails(smaller) {
			p = smaller
		}
	}
	for i := len(p.Members) - 1; i >= 0 && len(p.Members) > 1; i-- {
		smaller := p.clone()
		smaller.Members = slices.Delete(smaller.Members, i, i+1)
		if fails(smaller) {
			p = smaller
		}
	}
	for {
		smaller := p.clone()
		for i := range smaller.Producers {
			smaller.Producers[i].Records = (smaller.Producers[i].Records + 1) / 2
		}
		if smaller.Records() == p.Records() || !fails(smaller) {
			return p
		}
		p = smaller
	}
}

func (p *Plan) clone() *Plan {
	c := *p
	c.Topics = slices.Clone(p.Topics)
	c.Members = slices.Clone(p.Members)
	c.Producers = slices.Clone(p.Producers)
	c.Faults = slices.Clone(p.Faults)
	return &c
}
