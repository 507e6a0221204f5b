package core

// commit is how far the broker is known to be.
//
// Invariants: acked <= the line and from <= the first unfinished record; next and upTo are
// only set while unanswered.
type commit struct {
	acked Offset // the highest line that was acknowledged; below the line, if none is known to be
	seq   uint64 // of the last one
	next  Offset // of the one that is unanswered
	open  bool   // one is unanswered

	from   uint64 // place of the first record that no acknowledged commit covers
	upTo   uint64 // what from will be, once the one that is unanswered is acknowledged
	failed bool   // the last answer was no acknowledgment

	effect Commit
}

// tick commits the line until it is acknowledged: a commit that was refused, or whose
// outcome is unknown, leaves acked as it was.
func (m *Machine) tick(out []Effect) []Effect {
	m.offsets.advance()
	c, line := &m.commit, m.offsets.line
	if c.open || line <= c.acked {
		return out
	}
	c.seq++
	c.open, c.next, c.upTo = true, line, m.offsets.first
	c.effect = Commit{Epoch: m.epoch, Seq: c.seq, Next: line}
	return append(out, &c.effect)
}

func (m *Machine) committed(ev *Committed) {
	c := &m.commit
	if ev.Epoch != m.epoch || !c.open || ev.Seq != c.seq {
		return
	}
	c.open, c.failed = false, !ev.OK
	if ev.OK {
		c.acked, c.from = c.next, c.upTo
	}
}

// ahead is what MaxAhead bounds: the records from the line on, and while commits fail
// those from the acknowledged line on, all of which a crash would repeat. A commit that is
// only under way does not count: a fast partition would wait for each.
func (m *Machine) ahead() int {
	if m.commit.failed {
		return int(m.offsets.total - m.commit.from)
	}
	return m.offsets.ahead()
}
