package core

// drain begins nothing more. What waits for a time waits for the next owner.
func (m *Machine) drain() {
	m.draining = true
	m.timers.clear()
}

// reportDrained says once that nothing is in flight. The calls of quarantined lanes
// are not: nobody waits for them.
func (m *Machine) reportDrained(out []Effect) []Effect {
	if !m.draining || m.drained || m.calls > 0 || m.forwards.flying > 0 {
		return out
	}
	m.drained = true
	return append(out, &Drained{})
}
