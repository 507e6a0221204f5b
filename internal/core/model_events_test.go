package core

import (
	"fmt"
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// The model's side of each event: what it changes, and which effects must follow
// besides those that judge knows rules for.

func (m *model) fetched(entries []*entry) []string {
	var want []string
	for _, e := range entries {
		e.delivered = true
		m.tail = e.Offset + 1
		if e.Control {
			e.finished = true
		}
		if e.finished {
			continue
		}
		e.due = m.dueOf(&e.Record)
		if m.tooFar(&e.Record) && !m.skewed {
			m.skewed = true
			want = append(want, fmt.Sprintf("skew %d", e.Offset))
		}
	}
	return want
}

// complete finishes records of a lane's call.
func (m *model) complete(l *modelLane, done int) {
	for ; l.done < done; l.done++ {
		e := m.queue(l)[0]
		e.finished, l.last = true, e.Offset
		l.restarts = nil
	}
}

func (m *model) succeeded(l *modelLane, took time.Duration) {
	m.complete(l, l.begun)
	switch {
	case took > m.cfg.HandOverTime:
		l.size = max(1, l.size/2)
	case took < m.cfg.HandOverTime/2 && l.begun == l.size:
		l.size = min(m.cfg.HandOverMax, l.size*2)
	}
	l.call = nil
}

// failed is the table of outcomes.
func (m *model) failed(l *modelLane, ev *Failed) []string {
	call := *l.call
	m.complete(l, ev.Done)
	l.call = nil
	head := &entry{Record: Record{Offset: m.tail}} // of no record
	if q := m.queue(l); len(q) > 0 {
		head = q[0]
	}
	r := ev.Result
	l.failing = m.draining && r.Kind != Interrupted && r.Kind != Hung
	var want []string
	if r.Kind == Timeout || r.Kind == Hung {
		l.hung, l.hungBy = true, call
		want = append(want, fmt.Sprintf("quarantined %d at %d", l.id, head.Offset))
	}
	switch r.Kind {
	case Interrupted, Hung:
		l.renew = l.renew || r.Directive == supervision.Restart
		return want
	case Snooze:
		return append(want, m.wait(l, head, r.After)...)
	case StartFailed:
		if r.Directive == supervision.Resume {
			r.Directive = supervision.Restart
		}
	case Error, RetryAfter, Discard, Panic, Timeout:
		head.attempts++
		if head.first.IsZero() {
			head.first = m.now
		}
	}
	blamed := r.Kind != StartFailed
	over := blamed && (r.Kind == Discard || m.cfg.MaxAttempts > 0 && head.attempts >= m.cfg.MaxAttempts)
	switch {
	case m.frozen() && over && m.cfg.DeadLetter && !head.Looped: // by the next machine
		m.giveUpOn(head)
		return want
	case m.frozen():
		return want
	case over:
		return append(want, m.giveUp(l, head, ev)...)
	}
	retry := m.cfg.Retry.Delay(head.attempts, ev.Jitter)
	if r.Kind == RetryAfter {
		retry = r.After
	}
	switch r.Directive {
	case supervision.Stop:
		l.stopped = true
		return append(want, fmt.Sprintf("halted %d", l.id))
	case supervision.Resume:
		return append(want, m.wait(l, head, retry)...)
	case supervision.Restart:
		if !m.overBudget(l) {
			l.restarts = append(l.restarts, m.now)
			l.renew = true
			pause := m.cfg.Supervision.Backoff.Delay(m.spent(l), ev.Jitter)
			if !blamed {
				l.until = m.now.Add(pause)
				return want
			}
			return append(want, m.wait(l, head, max(pause, retry))...)
		}
	case supervision.Escalate:
	}
	m.escalated = true
	return append(want, fmt.Sprintf("escalate %d", l.id))
}

func (m *model) giveUp(l *modelLane, head *entry, ev *Failed) []string {
	if !m.cfg.DeadLetter {
		m.escalated = true
		return []string{fmt.Sprintf("escalate %d", l.id)}
	}
	if head.Looped {
		l.stopped = true
		m.looped++
		return []string{fmt.Sprintf("halted %d", l.id)}
	}
	m.giveUpOn(head)
	if ev.Result.Kind == Panic || ev.Result.Directive == supervision.Restart {
		l.renew = true
		l.until = m.now.Add(m.cfg.Supervision.Backoff.Delay(1, ev.Jitter))
	}
	return nil
}

func (m *model) wait(l *modelLane, head *entry, d time.Duration) []string {
	if m.frozen() {
		return nil
	}
	l.until = m.now.Add(d)
	return []string{fmt.Sprintf("retry %d at %d after %d until %s", l.id, head.Offset, head.attempts, since(l.until))}
}

func (m *model) forwarded(l *modelLane, ev *Forwarded) {
	f := l.forward
	if ev.Err == nil {
		f.record.finished, f.record.forwarding = true, false
		l.forward = nil
		return
	}
	f.flying = false
	f.tries++
	f.until = m.now.Add(m.cfg.ForwardRetry.Delay(f.tries, ev.Jitter))
}

// restart is an operator's.
func (m *model) restart(l *modelLane, force bool) []string {
	if m.frozen() {
		return nil
	}
	l.stopped = false
	if l.hung && force {
		l.hung, l.hungBy, l.renew = false, Call{}, false
		return []string{fmt.Sprintf("restarted %d forced", l.id)}
	}
	cancel := l.call != nil && !l.renew
	l.renew = true
	if cancel {
		return []string{fmt.Sprintf("cancel %d", l.id)}
	}
	return nil
}

// renewals are the new behaviors that are due: those of lanes in which no call runs,
// and in a drain those of lanes that fill a gap.
func (m *model) renewals() []string {
	var want []string
	for _, l := range m.lanes {
		if l.renew && l.call == nil && !l.hung && (!m.frozen() || m.ready(l)) {
			l.renew = false
			want = append(want, fmt.Sprintf("restarted %d", l.id))
		}
	}
	return want
}
