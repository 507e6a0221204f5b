package core

// commit is how far the broker is known to be.
//
// Invariant: acked <= the line; next is only set while unanswered.
type commit struct {
	acked Offset // the highest line that was acknowledged; below the line, if none is known to be
	seq   uint64 // of the last one
	next  Offset // of the one that is unanswered
	open  bool   // one is unanswered

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
	c.open, c.next = true, line
	c.effect = Commit{Epoch: m.epoch, Seq: c.seq, Next: line}
	return append(out, &c.effect)
}

func (m *Machine) committed(ev *Committed) {
	c := &m.commit
	if ev.Epoch != m.epoch || !c.open || ev.Seq != c.seq {
		return
	}
	c.open = false
	if ev.OK {
		c.acked = c.next
	}
}
