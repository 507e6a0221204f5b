package core

import "time"

// commit is how far the broker is known to be.
//
// A commit of unknown outcome may be stored after a later one that was acknowledged: it
// waited on another connection. The line is in doubt then, and is sent once more when
// Config.Doubt has passed since that acknowledgment.
//
// Invariants: acked <= the line and from <= the first unfinished record; next, upTo and
// sure are only of use while one is unanswered; until is zero unless in doubt.
type commit struct {
	acked Offset // the highest line that was acknowledged; below the line, if none is known to be
	seq   uint64 // of the last one
	next  Offset // of the one that is unanswered
	open  bool   // one is unanswered

	from   uint64 // place of the first record that no acknowledged commit covers
	upTo   uint64 // what from will be, once the one that is unanswered is acknowledged
	failed bool   // the last answer was no acknowledgment

	doubt bool      // an earlier one may yet be stored
	until time.Time // not any more, from then on; zero: nothing was acknowledged since
	sure  bool      // the one that is unanswered was sent after until: it ends the doubt

	// changed says that the broker does not know all that a commit would say besides its
	// line, and that the one that is unanswered, if any, does not either.
	changed bool

	effect Commit
}

// behind reports whether the broker does not know all that a commit would say.
func (c *commit) behind(line Offset) bool { return line > c.acked || c.changed }

// tick commits until all of it is acknowledged: after a commit that was refused, or whose
// outcome is unknown, the broker is as far behind as before.
func (m *Machine) tick(now time.Time, out []Effect) []Effect {
	m.offsets.advance()
	c, line := &m.commit, m.offsets.line
	over := c.doubt && !now.Before(c.until)
	if c.open || !c.behind(line) && !over {
		return out
	}
	c.seq++
	c.open, c.next, c.upTo, c.sure = true, line, m.offsets.first, over && !c.until.IsZero()
	c.changed = false
	c.effect = Commit{
		Epoch: m.epoch, Seq: c.seq, Next: line, LeaderEpoch: m.leader,
		Done: m.done(c.effect.Done[:0]), Attempts: m.attempts(c.effect.Attempts[:0]),
	}
	return append(out, &c.effect)
}

func (m *Machine) committed(now time.Time, ev *Committed) {
	c := &m.commit
	if ev.Epoch != m.epoch || !c.open || ev.Seq != c.seq {
		return
	}
	c.open, c.failed = false, !ev.OK
	if ev.OK {
		c.acked, c.from = c.next, c.upTo
	}
	c.changed = c.changed || !ev.OK || ev.Plain
	switch {
	case ev.Late:
		c.doubt, c.until = true, time.Time{}
	case ev.OK && c.sure:
		c.doubt, c.until = false, time.Time{}
	}
	if ev.OK && c.doubt && c.until.IsZero() {
		c.until = now.Add(m.cfg.Doubt)
	}
}

// recommit is for the end of a machine: it waits for no doubt to pass, and commits the
// line as if none was acknowledged.
func (m *Machine) recommit() {
	if c := &m.commit; c.doubt {
		c.acked = min(c.acked, m.offsets.line-1)
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
