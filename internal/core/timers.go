package core

import "time"

// timers is a heap of the lanes that wait for a time, the earliest first.
//
// Invariant: lanes[i].timer == i+1; a lane outside has timer 0.
type timers struct{ lanes []*lane }

// earliest is the first time that a lane waits for; zero when none does.
func (t *timers) earliest() time.Time {
	if len(t.lanes) == 0 {
		return time.Time{}
	}
	return t.lanes[0].wake
}

// due is a lane whose time has come, or nil.
func (t *timers) due(now time.Time) *lane {
	if len(t.lanes) == 0 || t.lanes[0].wake.After(now) {
		return nil
	}
	return t.lanes[0]
}

// set lets l wait for at; zero takes it out.
func (t *timers) set(l *lane, at time.Time) {
	switch {
	case at.IsZero() && l.timer == 0:
	case at.IsZero():
		t.remove(l)
	case l.timer == 0:
		l.wake = at
		t.lanes = append(t.lanes, l)
		l.timer = len(t.lanes)
		t.up(l.timer - 1)
	default:
		l.wake = at
		t.down(t.up(l.timer - 1))
	}
}

func (t *timers) remove(l *lane) {
	i, last := l.timer-1, len(t.lanes)-1
	t.swap(i, last)
	t.lanes[last] = nil
	t.lanes = t.lanes[:last]
	l.timer, l.wake = 0, time.Time{}
	if i < last {
		t.down(t.up(i))
	}
}

func (t *timers) clear() {
	for len(t.lanes) > 0 {
		t.remove(t.lanes[len(t.lanes)-1])
	}
}

func (t *timers) up(i int) int {
	for i > 0 && t.before(i, (i-1)/2) {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	return i
}

func (t *timers) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(t.lanes) {
			return
		}
		if child+1 < len(t.lanes) && t.before(child+1, child) {
			child++
		}
		if !t.before(child, i) {
			return
		}
		t.swap(i, child)
		i = child
	}
}

func (t *timers) before(i, j int) bool { return t.lanes[i].wake.Before(t.lanes[j].wake) }

func (t *timers) swap(i, j int) {
	t.lanes[i], t.lanes[j] = t.lanes[j], t.lanes[i]
	t.lanes[i].timer, t.lanes[j].timer = i+1, j+1
}
