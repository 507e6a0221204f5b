package core

import "github.com/troupe-go/troupe/internal/invariant"

// pause is why the partition is not fetched.
type pause struct {
	outside ReasonSet // what came by Paused
	full    bool      // a limit of the buffer was reached, and half of both not yet
	ahead   bool      // MaxAhead or Room was reached, and half of both not yet
	reasons ReasonSet // as of the last PauseSet

	effect PauseSet
}

func (p *pause) add(r Reason)    { p.outside |= outside(r) }
func (p *pause) remove(r Reason) { p.outside &^= outside(r) }

func outside(r Reason) ReasonSet {
	invariant.Always(r == Operator || r == GapStop || r == KeyBy, "pause for %s from outside", r)
	return 1 << r
}

// throttle pauses at a limit and resumes at half of it.
func (m *Machine) throttle(out []Effect) []Effect {
	if m.buffered < 0 || m.bytes < 0 || m.calls < 0 {
		invariant.Always(false, "%d records of %d bytes buffered, %d calls", m.buffered, m.bytes, m.calls)
	}
	p, ahead := &m.pause, m.ahead()
	spread := m.offsets.spread(m.cfg.Room / 2)
	if p.full {
		p.full = m.buffered > m.cfg.BufferRecords/2 || m.bytes > m.cfg.BufferBytes/2
	} else {
		p.full = m.buffered >= m.cfg.BufferRecords || m.bytes >= m.cfg.BufferBytes
	}
	if p.ahead {
		p.ahead = ahead > m.cfg.MaxAhead/2 || m.cfg.Room > 0 && spread > m.cfg.Room/2
	} else {
		p.ahead = ahead >= m.cfg.MaxAhead || m.cfg.Room > 0 && spread > m.cfg.Room
	}
	now := p.outside
	if p.full {
		now |= 1 << m.whyFull()
	}
	if p.ahead {
		now |= 1 << Ahead
	}
	if now == p.reasons {
		return out
	}
	p.effect = PauseSet{Was: p.reasons, Now: now}
	p.reasons = now
	return append(out, &p.effect)
}

// whyFull names what the buffer waits for. Forwards under way count as due.
func (m *Machine) whyFull() Reason {
	switch {
	case m.filed[busy]+m.filed[ready]+m.forwards.unacked > 0:
		return BackPressure
	case m.filed[retrying] > 0:
		return Retried
	case m.filed[delayed] > 0:
		return Delayed
	}
	return Stopped
}
