package core

import (
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// renewFor asks for a new behavior before the lane's next hand-over.
func (l *lane) renewFor(cause supervision.Failure) { l.renew, l.cause = true, cause }

// renewBehavior sends a renewal as soon as no call of the lane runs. In a drain it is
// put off until a hand-over begins.
func (m *Machine) renewBehavior(l *lane, out []Effect) []Effect {
	if !l.renew || l.handed > 0 || l.hung || m.frozen() {
		return out
	}
	return l.sendRenewal(out)
}

func (l *lane) sendRenewal(out []Effect) []Effect {
	l.renew = false
	cause := l.cause
	l.cause = supervision.Failure{}
	return append(out, &Restarted{Lane: l.id, Failure: cause})
}

// quarantine holds a lane until the call that still runs has returned.
func (m *Machine) quarantine(l *lane, call Call, err error, out []Effect) []Effect {
	l.hung, l.hungBy = true, call
	offset := m.offsets.tail // of no record: the call was past its last one
	if l.records.len() > 0 {
		offset = l.records.at(0).Offset
	}
	return append(out, &Quarantined{Lane: l.id, Offset: offset, Err: err})
}

// freed ends a quarantine. A call that a forced restart left behind does not.
func (m *Machine) freed(now time.Time, ev *Freed, out []Effect) []Effect {
	l := &m.lanes[ev.Lane]
	leftBehind := ev.Call != Call{} && l.hungBy != Call{} && ev.Call != l.hungBy
	if !l.hung || leftBehind {
		return out
	}
	l.hung, l.hungBy = false, Call{}
	return m.serve(now, l, out)
}

// restart is an operator's. A call in flight is canceled first and a quarantined one
// waited for, but for Force. Waits of the lane's head stay as they are.
func (m *Machine) restart(now time.Time, ev *Restart, out []Effect) []Effect {
	if m.frozen() {
		return out
	}
	l := &m.lanes[ev.Lane]
	l.stopped = false
	switch {
	case l.hung && ev.Force:
		l.hung, l.hungBy, l.renew = false, Call{}, false
		out = append(out, &Restarted{Lane: l.id, Forced: true})
	case l.handed > 0 && !l.renew:
		out = append(out, &Cancel{Call: l.handOver.Call})
		l.renewFor(supervision.Failure{})
	default:
		l.renewFor(supervision.Failure{})
	}
	return m.serve(now, l, out)
}
