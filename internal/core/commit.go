package core

// commit is how far the broker is known to be.
//
// Invariant: acked <= the line; next is only set while unanswered.
type commit struct {
	acked Offset // the highest line that was acknowledged
	again bool   // a commit was refused or is unknown since
	seq   uint64 // of the last one
	next  Offset // of the one that is unanswered
	open  bool   // one is unanswered

	effect Commit
}

// tick commits the line when it is news, or may be: the outcome of a commit may be
// unknown, and the broker may apply it late, so the line is sent until one is
// acknowledged.
func (m *Machine) tick(out []Effect) []Effect {
	m.offsets.advance()
	c, line := &m.commit, m.offsets.line
	if c.open || line <= c.acked && !c.again {
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
	c.again = !ev.OK
	if ev.OK {
		c.acked = c.next
	}
}
