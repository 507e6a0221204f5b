package core

import (
	"cmp"
	"slices"
)

// Handoff is what the next machine of the partition has to know. It owns its slices.
func (m *Machine) Handoff() Handoff {
	h := Handoff{
		Next:        m.offsets.line,
		Done:        m.carried.runsFrom(m.offsets.tail, m.offsets.runs()),
		Attempts:    m.carried.attemptsFrom(m.offsets.tail, m.attempts()),
		Uncommitted: m.offsets.line > m.commit.acked,
	}
	for i := range m.lanes {
		if m.lanes[i].hung {
			h.Hung = append(h.Hung, m.lanes[i].id)
		}
	}
	return h
}

// attempts are those of all records that are not finished, ascending by offset.
func (m *Machine) attempts() []Attempt {
	var all []Attempt
	for i := range m.lanes {
		l := &m.lanes[i]
		if f := &l.forward; f.effect != nil {
			all = append(all, Attempt{f.effect.Record.Offset, f.note.attempts})
		}
		for j := 0; l.tried > 0 && j < l.notes.len(); j++ {
			if n := l.notes.at(j).attempts; n > 0 {
				all = append(all, Attempt{l.records.at(j).Offset, n})
			}
		}
	}
	slices.SortFunc(all, func(a, b Attempt) int { return cmp.Compare(a.Offset, b.Offset) })
	return all
}

// carried is what a Handoff says of records that have not been fetched again yet.
// Records come in ascending order, so it is used up from the front.
type carried struct {
	runs     []Run
	attempts []Attempt
}

func carry(h Handoff) carried {
	return carried{runs: slices.Clone(h.Done), attempts: slices.Clone(h.Attempts)}
}

// finished reports whether the record at an offset was finished before.
func (c *carried) finished(at Offset) bool {
	for len(c.runs) > 0 && c.runs[0].To <= at {
		c.runs = c.runs[1:]
	}
	return len(c.runs) > 0 && c.runs[0].From <= at
}

// attempt is how often the record at an offset was delivered before.
func (c *carried) attempt(at Offset) int {
	for len(c.attempts) > 0 && c.attempts[0].Offset < at {
		c.attempts = c.attempts[1:]
	}
	if len(c.attempts) > 0 && c.attempts[0].Offset == at {
		return c.attempts[0].Count
	}
	return 0
}

// runsFrom appends what is left at or above tail to runs, which end at or below it.
func (c *carried) runsFrom(tail Offset, runs []Run) []Run {
	for _, r := range c.runs {
		r.From = max(r.From, tail)
		switch last := len(runs) - 1; {
		case r.From >= r.To:
		case last >= 0 && runs[last].To == r.From:
			runs[last].To = r.To
		default:
			runs = append(runs, r)
		}
	}
	return runs
}

// attemptsFrom appends what is left at or above tail.
func (c *carried) attemptsFrom(tail Offset, attempts []Attempt) []Attempt {
	for _, a := range c.attempts {
		if a.Offset >= tail {
			attempts = append(attempts, a)
		}
	}
	return attempts
}
