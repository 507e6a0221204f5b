package core

// invariants holds what the comments of Machine, lane, forwards, offsets, timers and
// commit promise, over the machine's own state. Most of it is what makes an answer
// quick, so that a wrong one would show in no effect, or only much later.
func (j *judge) invariants() {
	m := j.m
	buffered, bytes, calls, flying, unacked, queuing := 0, int64(0), 0, 0, 0, 0
	filed := [places]int{}
	for i := range m.lanes {
		l := &m.lanes[i]
		j.laneInvariants(l)
		filed[l.place]++
		buffered += l.records.len()
		bytes += l.bytes
		calls += count(l.handed > 0)
		queuing += count(l.queuing)
		if f := &l.forward; f.effect != nil {
			unacked++
			buffered++
			bytes += int64(f.effect.Record.Bytes)
			flying += count(f.flying)
		}
	}
	j.hold(buffered == m.buffered && bytes == m.bytes, "%d records of %d bytes, counted %d of %d", buffered, bytes, m.buffered, m.bytes)
	j.hold(calls == m.calls, "%d calls, counted %d", calls, m.calls)
	j.hold(filed == m.filed, "lanes by place %v, counted %v", filed, m.filed)
	f := &m.forwards
	j.hold(flying == f.flying && unacked == f.unacked && unacked <= m.cfg.MaxForwards, "%d of %d forwards fly, counted %d of %d", flying, unacked, f.flying, f.unacked)
	j.hold(queuing == f.waiting.len(), "%d lanes wait for a forward, %d are in the queue", queuing, f.waiting.len())
	j.hold(!m.filling || m.draining && !m.drained && !m.escalated, "it fills gaps: draining %t, drained %t, escalated %t", m.draining, m.drained, m.escalated)
	j.hold(len(m.touched) == 0, "%d lanes are still to be served", len(m.touched))
	o := &m.offsets
	j.hold(o.base <= o.first && o.first <= o.total && o.base%blockSize == 0, "places %d, %d, %d", o.base, o.first, o.total)
	j.hold(m.commit.acked <= o.line, "%d acknowledged, line %d", m.commit.acked, o.line)
	j.hold(m.commit.from <= o.first, "acknowledged up to place %d, the line is at %d", m.commit.from, o.first)
	for i, l := range m.timers.lanes {
		j.hold(l.timer == i+1, "lane %d is timer %d, and says %d", l.id, i, l.timer-1)
		j.hold(i == 0 || !l.wake.Before(m.timers.lanes[(i-1)/2].wake), "timer %d is before its parent", i)
	}
}

func (j *judge) laneInvariants(l *lane) {
	n, tried, bytes := l.records.len(), 0, int64(0)
	j.hold(l.notes.len() == n, "lane %d: %d records, %d notes", l.id, n, l.notes.len())
	for i := range n {
		r := l.records.at(i)
		tried += count(l.notes.at(i).attempts > 0)
		bytes += int64(r.Bytes)
		j.hold(i == 0 || l.records.at(i-1).Offset < r.Offset, "lane %d: %d is out of order", l.id, r.Offset)
	}
	j.hold(tried == l.tried, "lane %d: %d records were tried, counted %d", l.id, tried, l.tried)
	j.hold(bytes == l.bytes, "lane %d: %d bytes, counted %d", l.id, bytes, l.bytes)
	j.hold(0 <= l.done && l.done <= l.handed && l.handed-l.done <= n, "lane %d: %d of %d done, %d queued", l.id, l.done, l.handed, n)
	j.hold(l.handed == 0 || !l.hung && !l.stopped, "lane %d has a hand-over, hung %t, stopped %t", l.id, l.hung, l.stopped)
	j.hold(!l.doomed || n > 0, "lane %d: a dead letter without a record", l.id)
	j.hold(l.size >= 1 && l.size <= j.cfg.HandOverMax, "lane %d: the next hand-over has %d records", l.id, l.size)
	j.hold(l.timer > 0 || l.wake.IsZero(), "lane %d: no timer, and a time", l.id)
}

func (j *judge) hold(ok bool, format string, args ...any) {
	if !ok { // Helper is slow
		j.t.Helper()
		j.t.Fatalf("invariant: "+format, args...)
	}
}

func count(ok bool) int {
	if ok {
		return 1
	}
	return 0
}
