package core

import (
	"cmp"
	"slices"
)

// Handoff is what the next machine of the partition has to know. It owns its slices.
func (m *Machine) Handoff() Handoff {
	h := Handoff{
		Next:        m.offsets.line,
		Done:        m.done(nil),
		Attempts:    m.attempts(nil),
		LeaderEpoch: m.leader,
		DeadLetters: m.deadLetters(),
		Uncommitted: m.commit.open || m.commit.behind(m.offsets.line),
		InDoubt:     m.commit.doubt || m.commit.open,
	}
	for i := range m.lanes {
		if m.lanes[i].hung {
			h.Hung = append(h.Hung, m.lanes[i].id)
		}
	}
	return h
}

// done appends what is finished above the line: of the records that were fetched, and of
// those that were carried here and were not.
func (m *Machine) done(runs []Run) []Run {
	return m.carried.runsFrom(m.offsets.tail, m.offsets.runs(runs))
}

// attempts appends those of all records that are not finished, ascending by offset.
func (m *Machine) attempts(all []Attempt) []Attempt {
	for i := range m.lanes {
		all = m.lanes[i].attempts(all)
	}
	slices.SortFunc(all, byOffset)
	for _, d := range m.carried.deadLetters {
		if i, ok := slices.BinarySearchFunc(all, Attempt{Offset: d.Offset}, byOffset); ok {
			all[i].GivenUp = true
		}
	}
	return m.carried.attemptsFrom(m.offsets.tail, all)
}

func byOffset(a, b Attempt) int { return cmp.Compare(a.Offset, b.Offset) }

// attempts appends those of the lane's records. Mostly there is none but at its head.
func (l *lane) attempts(all []Attempt) []Attempt {
	if f := &l.forward; f.effect != nil {
		all = append(all, Attempt{Offset: f.effect.Record.Offset, Count: f.note.attempts, GivenUp: true})
	}
	for i, left := 0, l.tried; left > 0; i++ {
		if n := l.notes.at(i).attempts; n > 0 {
			all = append(all, Attempt{Offset: l.records.at(i).Offset, Count: n, GivenUp: i == 0 && l.doomed})
			left--
		}
	}
	return all
}

// deadLetters are those that are not acknowledged: under way, at the head of their lane,
// and left of the machine before. Of what is below the line nothing is left.
func (m *Machine) deadLetters() []DeadLetter {
	var all []DeadLetter
	for i := range m.lanes {
		l := &m.lanes[i]
		if fx := l.forward.effect; fx != nil {
			all = append(all, DeadLetter{fx.Record.Offset, fx.Failure, fx.First, fx.Last})
		}
		if l.doomed {
			all = append(all, DeadLetter{l.records.at(0).Offset, l.doomedFor, l.first, l.doomedAt})
		}
	}
	for _, d := range m.carried.deadLetters {
		if d.Offset >= m.offsets.line {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b DeadLetter) int { return cmp.Compare(a.Offset, b.Offset) })
	return all
}

// carried is what a Handoff says of records. They come in ascending order: runs and
// attempts are used up from the front as they are fetched, dead letters as they get to
// the head of their lane.
type carried struct {
	runs        []Run
	attempts    []Attempt
	deadLetters []DeadLetter
}

func carry(h Handoff) carried {
	return carried{slices.Clone(h.Done), slices.Clone(h.Attempts), slices.Clone(h.DeadLetters)}
}

// condemn dooms a head that an earlier machine gave up: nothing of its lane begins
// before it is forwarded. Each has attempts, so it never stands behind the first record of
// a hand-over.
func (m *Machine) condemn(l *lane) {
	dead := m.carried.deadLetters
	if len(dead) == 0 || l.handed > 0 || l.records.len() == 0 {
		return
	}
	head := l.records.at(0).Offset
	for i := range dead {
		if d := dead[i]; d.Offset == head {
			m.carried.deadLetters = slices.Delete(dead, i, i+1)
			l.doom(d.Last, d.Failure)
			l.first = d.First
			return
		}
	}
}

// endAt forgets what is said of offsets from at on.
func (c *carried) endAt(at Offset) {
	for i := range c.runs {
		c.runs[i].To = min(c.runs[i].To, at) // below From it is a run of nothing
	}
	c.attempts = slices.DeleteFunc(c.attempts, func(a Attempt) bool { return a.Offset >= at })
	c.deadLetters = slices.DeleteFunc(c.deadLetters, func(d DeadLetter) bool { return d.Offset >= at })
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
