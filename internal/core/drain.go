package core

import (
	"math"
	"time"
)

// unlimited is above all offsets.
const unlimited = Offset(math.MaxInt64)

// drain begins nothing more, but for what fills gaps. What waits for a time waits for
// the next owner.
func (m *Machine) drain(ev *Drain) {
	m.filling = !ev.Now && !m.escalated && (m.filling || !m.draining)
	m.draining = true
	m.timers.clear()
	if ev.Now {
		m.recommit()
	}
}

// limit is what the offsets of a lane's next hand-over stay below.
func (m *Machine) limit(l *lane) Offset {
	if m.horizon < unlimited {
		m.lookAhead() // the lane may just have moved the line
	}
	if m.held() {
		return min(m.gaps(l), m.horizon)
	}
	return m.horizon
}

// gaps is the limit while hand-overs are held.
func (m *Machine) gaps(l *lane) Offset {
	if m.filling && !l.failing && !m.pause.outside.Has(Operator) {
		return m.top
	}
	return 0
}

// fill lets all lanes fill gaps: there are more of them each time that top grows.
func (m *Machine) fill(now time.Time, out []Effect) []Effect {
	if m.offsets.line < m.top {
		return m.serveAll(now, out)
	}
	return out
}

// reportDrained says once that nothing is in flight, after fill. The calls of
// quarantined lanes are not: nobody waits for them.
func (m *Machine) reportDrained(out []Effect) []Effect {
	if !m.draining || m.drained || m.calls > 0 || m.forwards.flying > 0 {
		return out
	}
	m.drained, m.filling = true, false
	return append(out, &Drained{})
}
