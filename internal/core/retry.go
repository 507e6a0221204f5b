package core

import (
	"time"

	"github.com/troupe-go/troupe/internal/invariant"
	"github.com/troupe-go/troupe/supervision"
)

// failed ends a hand-over at its record Done. That record stays at the head, and
// those behind it stay as they were.
func (m *Machine) failed(now time.Time, ev *Failed, out []Effect) []Effect {
	l := m.called(ev.Call)
	if l == nil {
		return out
	}
	r := &ev.Result
	unblamed := r.Kind == Interrupted || r.Kind == Hung
	invariant.Always(ev.Done < l.handed || unblamed, "lane %d: record %d of %d failed", l.id, ev.Done, l.handed)
	m.complete(l, ev.Done)
	m.end(l)
	l.failing = m.draining && !unblamed
	switch r.Kind {
	case Interrupted, Hung:
		if r.Kind == Hung {
			out = m.quarantine(l, ev.Call, r.Err, out)
		}
		if r.Directive == supervision.Restart {
			l.renewFor(supervision.Failure{})
		}
	case Snooze:
		out = m.wait(now, l, r.After, out)
	case Error, RetryAfter, Discard, Panic, Timeout, StartFailed:
		out = m.blame(now, l, ev, out)
	}
	return m.serve(now, l, out)
}

// blame counts a failure and decides what follows. In a frozen machine nothing does:
// the record stays unfinished, and the next owner goes on, from the Handoff if it gets it.
func (m *Machine) blame(now time.Time, l *lane, ev *Failed, out []Effect) []Effect {
	r := &ev.Result
	if r.Kind != StartFailed {
		l.count(now)
		m.commit.changed = true
	}
	f := l.describe(now, r, m.cfg.Supervision)
	if r.Kind == Timeout {
		out = m.quarantine(l, ev.Call, r.Err, out)
	}
	over := f.Attempt > 0 && (r.Kind == Discard || m.cfg.MaxAttempts > 0 && f.Attempt >= m.cfg.MaxAttempts)
	switch {
	case m.frozen():
		if over && m.cfg.DeadLetter && !l.records.at(0).Looped {
			l.doom(now, f)
		}
		return out
	case over:
		return m.giveUp(now, l, f, ev, out)
	case r.Directive == supervision.Stop:
		return l.halt(f, out)
	case r.Directive == supervision.Restart, r.Directive == supervision.Resume && r.Kind == StartFailed:
		return m.restartFor(now, l, f, ev, out)
	case r.Directive == supervision.Resume:
		return m.wait(now, l, m.retryDelay(f, ev), out)
	}
	return m.escalate(l, f, out)
}

// halt stops the lane until a Restart.
func (l *lane) halt(f supervision.Failure, out []Effect) []Effect {
	l.stopped = true
	return append(out, &Halted{Lane: l.id, Failure: f})
}

// count notes a delivery of the head that failed.
func (l *lane) count(now time.Time) {
	head := l.notes.at(0)
	if head.attempts == 0 {
		l.tried++
	}
	head.attempts++
	if l.first.IsZero() {
		l.first = now
	}
}

// describe keeps a failure as the lane's last one.
func (l *lane) describe(now time.Time, r *Result, p supervision.Policy) supervision.Failure {
	f := supervision.Failure{
		Err:      r.Err,
		Panicked: r.Kind == Panic,
		Starting: r.Kind == StartFailed,
		Stack:    r.Stack,
		Restarts: l.restarts.Spent(now, p.Within),
	}
	if !f.Starting {
		f.Attempt = l.notes.at(0).attempts
	}
	l.failure, l.troubled = f, true
	return f
}

// giveUp dooms the head to the dead letter topic, or escalates without one; a head
// that looped stops the lane. A
// behavior that panicked, or that its policy wants to restart, is replaced: its state
// is suspect. Such a restart belongs to the record, with which the lane's budget
// fills up again, so it is not counted; it waits for the least backoff.
func (m *Machine) giveUp(now time.Time, l *lane, f supervision.Failure, ev *Failed, out []Effect) []Effect {
	switch {
	case !m.cfg.DeadLetter:
		return m.escalate(l, f, out)
	case l.records.at(0).Looped:
		return l.halt(f, out)
	}
	l.doom(now, f)
	if f.Panicked || ev.Result.Directive == supervision.Restart {
		l.renewFor(f)
		l.until = now.Add(m.cfg.Supervision.Backoff.Delay(1, ev.Jitter))
	}
	return out
}

// restartFor replaces the behavior within the lane's budget. Of the restart's backoff
// and the retry's the longer one counts.
func (m *Machine) restartFor(now time.Time, l *lane, f supervision.Failure, ev *Failed, out []Effect) []Effect {
	p := m.cfg.Supervision
	if !l.restarts.Spend(now, p) {
		return m.escalate(l, f, out)
	}
	l.renewFor(f)
	wait := p.Backoff.Delay(l.restarts.Spent(now, p.Within), ev.Jitter)
	if f.Starting {
		l.until = now.Add(wait)
		return out
	}
	return m.wait(now, l, max(wait, m.retryDelay(f, ev)), out)
}

func (m *Machine) retryDelay(f supervision.Failure, ev *Failed) time.Duration {
	if ev.Result.Kind == RetryAfter {
		return ev.Result.After
	}
	return m.cfg.Retry.Delay(f.Attempt, ev.Jitter)
}

// wait keeps the head for another delivery, after d.
func (m *Machine) wait(now time.Time, l *lane, d time.Duration, out []Effect) []Effect {
	if m.frozen() {
		return out
	}
	l.until = now.Add(max(d, 0))
	return append(out, &Retrying{
		Lane:    l.id,
		Offset:  l.records.at(0).Offset,
		Attempt: l.notes.at(0).attempts,
		At:      l.until,
	})
}
