package main

import "slices"

// anyOfModel is said by any assertion of TestModel, and not by a panic. Which of them
// comes first is a matter of its random cases.
const anyOfModel = "[rapid] failed after"

// mutants is the table. Each feature of the core has at least one, and so has each
// of S2, S3, S5, S6, S7 and S8 of guarantees.md.
var mutants = slices.Concat(decisions, travels) //nolint:gochecknoglobals // a table

var decisions = []mutant{ //nolint:gochecknoglobals // a part of it
	// The line.
	{
		"the commit is what was fetched", "S2", "commit.go",
		`line := &m.commit, m.offsets.line`, `line := &m.commit, m.offsets.tail`,
		"TestModel", "S2: commit",
	},
	{
		"a dead letter is complete when it was refused often", "S2", "forward.go",
		`if ev.Err != nil {`, `if ev.Err != nil && f.tries < 3 {`,
		"TestForwardHoldsLine", "try 3",
	},
	{
		"a dead letter is complete without an acknowledgment", "S2", "forward.go",
		`if ev.Err != nil {`, `if false {`,
		"TestForwardHoldsLine", "try 0",
	},
	{
		"two commits under way", "S3", "commit.go",
		`if c.open || !c.behind(line)`, `if !c.behind(line)`,
		"TestModel", "S3: a commit",
	},
	{
		"the line stays behind", "line", "offsets.go",
		`o.line = line`, `o.line = min(line, o.line+blockSize)`,
		"TestOffsets", "line ",
	},
	{
		"the line counts offsets one by one", "line", "offsets.go",
		`o.tail = at + 1`, `o.tail++`,
		"TestScripts/holes", "want   line 21",
	},
	{
		"the line forgets a reposition", "line", "offsets.go",
		`o.tail = to`, `o.tail = max(o.tail, to-1)`,
		"TestScripts/generation", "want   line 10",
	},
	{
		"transaction markers are handed over", "line", "fetch.go",
		`if r.Control || `, `if `,
		"TestScripts/holes", "got   hand over",
	},
	{
		"a refused commit counts", "commit", "commit.go",
		`	if ev.OK {
		c.acked, c.from = c.next, c.upTo
	}
	c.changed = c.changed || !ev.OK ||`, `	c.acked, c.from = c.next, c.upTo
	c.changed = c.changed ||`,
		"TestScripts/commit", "want   commit 6",
	},
	{
		"a line is never in doubt", "L1", "commit.go",
		`	case ev.Late:`, `	case false:`,
		"TestModel", anyOfModel,
	},
	{
		"the line is sent once more at once", "L1", "commit.go",
		`c.until = now.Add(m.cfg.Doubt)`, `c.until = now`,
		"TestScripts/doubt", "got   commit 1",
	},
	{
		"a commit that was sent in doubt ends the doubt", "L1", "commit.go",
		`over && !c.until.IsZero()`, `c.doubt && !c.until.IsZero()`,
		"TestScripts/doubt", "want   commit 2",
	},
	{
		"each acknowledgment begins the doubt anew", "commit", "commit.go",
		`if ev.OK && c.doubt && c.until.IsZero() {`, `if ev.OK && c.doubt {`,
		"TestScripts/doubt", "want   commit 2",
	},
	{
		"a rebuild forgets the doubt", "L1", "machine.go",
		`m.commit.doubt = from.InDoubt`, `m.commit.doubt = false`,
		"TestScripts/doubt-rebuilt", "want   commit 1",
	},
	{
		"a commit that is unanswered at a rebuild is not in doubt", "L1", "handoff.go",
		`m.commit.doubt || m.commit.open`, `m.commit.doubt`,
		"TestScripts/doubt-rebuilt", "want   commit 1",
	},
	{
		"a machine that ends leaves its line in doubt", "S9", "drain.go",
		`	if ev.Now {`, `	if false {`,
		"TestScripts/doubt-drain", "want   commit 1",
	},
	{
		"finished blocks keep their records", "line", "offsets.go",
		`b.offsets = nil`, `_ = b.offsets`,
		"TestOffsetsKeepRuns", "blocks keep their offsets",
	},

	// Lanes and hand-overs.
	{
		"a retry goes to the back", "S5", "retry.go",
		`	return m.serve(now, l, out)`, `	if r.Kind == Error && l.records.len() > 1 && !l.doomed {
		r, n := *l.records.at(0), *l.notes.at(0)
		l.drop(1)
		l.records.push(r)
		l.notes.push(n)
	}
	return m.serve(now, l, out)`,
		"TestModel", "S5: ",
	},
	{
		"two hand-overs of a lane", "S6", "lane.go",
		`case l.handed > 0:`, `case false:`,
		"TestModel", "S6: lane",
	},
	{
		"all keys go to one lane", "lanes", "config.go",
		`return LaneID(hi)`, `return LaneID(hi - hi)`,
		"TestLanes", "has 700 of 700",
	},
	{
		"an idle lane is not woken", "lanes", "fetch.go",
		`m.touched = append(m.touched, l)`, `m.touched = append(m.touched[:0], l)`,
		"TestScripts/line", "want   hand over",
	},
	{
		"progress is ignored", "progress", "handover.go",
		`ev.Done > l.done {`, `ev.Done > l.handed {`,
		"TestScripts/progress", "want   line 2",
	},
	{
		"finished records of a failed hand-over run again", "progress", "retry.go",
		`m.complete(l, ev.Done)`, `m.complete(l, l.done)`,
		"TestScripts/behind", "want   retry a 2",
	},
	{
		"slow hand-overs stay large", "size", "handover.go",
		`max(1, l.size/2)`, `l.size`,
		"TestScripts/handover", "want   hand over",
	},
	{
		"small hand-overs grow", "size", "handover.go",
		` && l.handed == l.size:`, `:`,
		"TestScripts/handover", "want   hand over",
	},

	// Retry.
	{
		"a retry does not wait", "retry", "retry.go",
		`l.until = now.Add(max(d, 0))`, `l.until = now`,
		"TestScripts/retry", "want   retry a 0 after 1",
	},
	{
		"the backoff does not grow", "retry", "retry.go",
		`m.cfg.Retry.Delay(f.Attempt, ev.Jitter)`, `m.cfg.Retry.Delay(1, ev.Jitter)`,
		"TestScripts/retry", "want   retry a 0 after 2",
	},
	{
		"a snooze counts", "retry", "retry.go",
		`	case Snooze:
`, `	case Snooze:
		l.count(now)
`,
		"TestScripts/retry", "want   retry a 0 after 3",
	},
	{
		"one attempt too many", "retry", "retry.go",
		`f.Attempt >= m.cfg.MaxAttempts`, `f.Attempt > m.cfg.MaxAttempts`,
		"TestScripts/dead-letter", "want   forward a 0",
	},
	{
		"a wake-up that came early is the last", "retry", "machine.go",
		`m.asked = time.Time{}`, `_ = m.asked`,
		"TestScripts/retry", "want   wake me at 1s",
	},
	{
		"attempts are lost in a rebuild", "retry", "fetch.go",
		`attempts: m.carried.attempt(r.Offset)`, `attempts: 0`,
		"TestScripts/rebuild-attempts", "want   hand over a#1 [3] attempt 2",
	},

	// Delay.
	{
		"a hand-over takes what is not due", "S8", "handover.go",
		` || note.due > now.UnixNano())`, `)`,
		"TestModel", "S8: ",
	},
	{
		"early by a millisecond", "S8", "lane.go",
		`at > now.UnixNano() {`, `at > now.Add(time.Millisecond).UnixNano() {`,
		"TestScripts/delay", "got   hand over b#5 [5] due 11.001s",
	},
	{
		"a far timestamp is believed", "delay", "delay.go",
		`case r.Timestamp > limit/perMilli:`, `case r.Timestamp > never:`,
		"TestDue", "over the cap",
	},
	{
		"no timestamp is the beginning of time", "delay", "delay.go",
		`case r.Timestamp < 0:`, `case r.Timestamp < -1:`,
		"TestScripts/skew", "want   wake me at 10s",
	},
	{
		"a sum overflows", "delay", "delay.go",
		`return never`, `return at + int64(d)`,
		"TestDue", "a long delay",
	},

	// Forwards.
	{
		"two forwards of a lane", "forwards", "forward.go",
		`case !l.doomed || f.effect != nil || m.held():`, `case !l.doomed || m.held():`,
		"TestModel", anyOfModel,
	},
	{
		"no end of forwards", "forwards", "forward.go",
		`case m.forwards.unacked < m.cfg.MaxForwards:`, `case true:`,
		"TestScripts/discard", "got   forward c",
	},
	{
		"lanes that wait to forward starve", "forwards", "forward.go",
		`	out = m.serveWaiting(now, out) // before l, which may be doomed again
	return m.serve(now, l, out)`, `	out = m.serve(now, l, out)
	return m.serveWaiting(now, out)`,
		"TestScripts/discard", "want   forward c 4",
	},
	{
		"a forward is sent again at once", "forwards", "forward.go",
		`if now.Before(f.until) {`, `if false {`,
		"TestScripts/dead-letter", "got   forward a 0",
	},

	{
		"a dead letter loops for ever", "forwards", "retry.go",
		`case l.records.at(0).Looped:`, `case false:`,
		"TestScripts/looped", "want   halt a",
	},

	// Pauses.
	{
		"a retry is called a delay", "pause reasons", "pause.go",
		`return Retried`, `return Delayed`,
		"TestScripts/reasons", "want   pause for retry",
	},
	{
		"a resume takes all reasons away", "pause reasons", "pause.go",
		`p.outside &^= outside(r)`, `p.outside &= ^p.outside`,
		"TestScripts/pause", "want   pause for operator",
	},
	{
		"an operator's pause stops only the fetching", "pause reasons", "machine.go",
		` || m.pause.outside.Has(Operator)`, ``,
		"TestScripts/pause", "got   hand over b",
	},
	{
		"records have no limit", "back-pressure by records", "pause.go",
		`m.buffered >= m.cfg.BufferRecords || `, ``,
		"TestScripts/back-pressure", "want   pause for back-pressure",
	},
	{
		"a full buffer empties before it resumes", "back-pressure by records", "pause.go",
		`m.buffered > m.cfg.BufferRecords/2`, `m.buffered > 0`,
		"TestScripts/back-pressure", "want   pause for nothing",
	},
	{
		"bytes have no limit", "back-pressure by bytes", "pause.go",
		` || m.bytes >= m.cfg.BufferBytes`, ``,
		"TestScripts/back-pressure-bytes", "want   pause for back-pressure",
	},
	{
		"bytes are not given back", "back-pressure by bytes", "forward.go",
		`m.bytes -= int64(f.effect.Record.Bytes)`, `_ = f.effect.Record.Bytes`,
		"TestModel", anyOfModel,
	},
	{
		"finished records have no limit", "MaxAhead", "pause.go",
		`p.ahead = ahead >= m.cfg.MaxAhead`, `p.ahead = m.buffered >= m.cfg.MaxAhead`,
		"TestScripts/ahead", "want   pause for ahead",
	},
	{
		"what commits were refused for has no limit", "MaxAhead", "commit.go",
		`if m.commit.failed {`, `if false {`,
		"TestScripts/ahead-refused", "want   pause for ahead",
	},
	{
		"what was finished behind a commit counts as acknowledged", "MaxAhead", "commit.go",
		`c.acked, c.from = c.next, c.upTo`, `c.acked, c.from = c.next, m.offsets.first`,
		"TestScripts/ahead-late", "want   pause for ahead",
	},

	// Epochs.
	{
		"results of another epoch count", "epochs", "machine.go",
		`call.Epoch != m.epoch || `, ``,
		"TestScripts/epoch", "got   line 2",
	},
	{
		"acknowledgments of another epoch count", "epochs", "forward.go",
		`if ev.Epoch != m.epoch || !f.flying`, `if !f.flying`,
		"TestModel", anyOfModel,
	},
	{
		"acknowledgments of an older forward count", "epochs", "forward.go",
		` || f.effect.Seq != ev.Seq {`, ` {`,
		"TestModel", anyOfModel,
	},
	{
		"a commit's answer of another epoch counts", "epochs", "commit.go",
		`if ev.Epoch != m.epoch || !c.open`, `if !c.open`,
		"TestModel", anyOfModel,
	},
	{
		"results of a closed hand-over count", "epochs", "machine.go",
		`l.handed > 0 && l.seq == call.Seq`, `l.handed > 0`,
		"TestScripts/epoch", "got   line 2",
	},
	{
		"fetches of an older generation count", "epochs", "fetch.go",
		`if ev.Gen != m.gen {`, `if ev.Gen > m.gen {`,
		"TestScripts/generation", "got   hand over",
	},

	// Drain and escalation.
	{
		"a drained machine begins more", "S7", "machine.go",
		`return m.frozen() || m.pause`, `return m.escalated || m.pause`,
		"TestModel", "S7: a hand-over",
	},
	{
		"an escalated machine begins more", "S7", "machine.go",
		`return m.draining || m.escalated`, `return m.draining`,
		"TestModel", "S7: a hand-over",
	},
	{
		"drained with calls in flight", "drain", "drain.go",
		` || m.calls > 0`, ``,
		"TestScripts/drain-idle", "got   drained",
	},
	{
		"drained with forwards in flight", "drain", "drain.go",
		` || m.forwards.flying > 0`, ``,
		"TestScripts/drain", "got   drained",
	},
	{
		"a drain fills no gap", "drain", "drain.go",
		`return m.top`, `return 0`,
		"TestScripts/drain-gaps", "want   hand over c#5 [8]",
	},
	{
		"drained although a gap could be filled", "drain", "machine.go",
		`out = m.fill(now, out)`, `out = m.fill(now, m.reportDrained(out))`,
		"TestModelDrain", "S7: drained, and ",
	},
	{
		"lanes do not fill what others made a gap", "drain", "drain.go",
		`return m.serveAll(now, out)`, `return out`,
		"TestScripts/drain-gaps", "want   hand over c#5 [8]",
	},
	{
		"a drain begins what is no gap", "S7", "drain.go",
		`return m.top`, `return m.top + 2`,
		"TestModelDrain", "S7: a hand-over of ",
	},
	{
		"a drain takes more than the gap", "S7", "handover.go",
		`limit < unlimited && `, `limit > unlimited && `,
		"TestModelDrain", "S7: a hand-over of ",
	},
	{
		"a drain delivers once more what failed in it", "drain", "drain.go",
		`m.filling && !l.failing && `, `m.filling && `,
		"TestScripts/drain-waits", "got   hand over e",
	},
	{
		"a drain fills gaps of lanes that wait", "drain", "lane.go",
		`if p == ready && !l.doomed {`, `if (p == ready || p == retrying && m.filling) && !l.doomed {`,
		"TestScripts/drain-waits", "got   hand over a",
	},
	{
		"a drain that is to end now goes on", "drain", "drain.go",
		`m.filling = !ev.Now && `, `m.filling = `,
		"TestScripts/drain-now", "got   hand over a#7",
	},
	{
		"acknowledged dead letters have no gaps below them", "drain", "forward.go",
		`m.top = max(m.top, f.effect.Record.Offset)`, `_ = m.top`,
		"TestScripts/drain-acknowledged", "want   hand over b",
	},
	{
		"markers have gaps below them", "drain", "fetch.go",
		`if !r.Control {`, `if true {`,
		"TestScripts/drain-rebuilt", "got   hand over b",
	},
	{
		"a rebuild runs finished records again", "rebuild", "fetch.go",
		`r.Control || m.carried.finished(r.Offset)`, `r.Control`,
		"TestScripts/rebuild", "got   hand over",
	},
	{
		"a rebuild skips a hole too many", "rebuild", "offsets.go",
		`b.offsets[i+same-1]+1, joined)`, `b.offsets[i+same-1]+2, joined)`,
		"TestModel", "S17: ",
	},
	{
		"a rebuild delivers a dead letter again", "S5", "handoff.go",
		`len(dead) == 0 ||`, `true ||`,
		"TestScripts/rebuild-dead-letters", "got   hand over a#1 [0] attempt 3",
	},
	{
		"a dead letter behind another is delivered again", "rebuild", "forward.go",
		`	m.condemn(l)
`, ``,
		"TestScripts/rebuild-dead-letters", "got   hand over a#1 [8 9] attempt 2",
	},
	{
		"what a drain gave up is delivered again", "rebuild", "retry.go",
		`if over && m.cfg.DeadLetter && !l.records.at(0).Looped {`, `if false {`,
		"TestScripts/rebuild-dead-letters", "want   next 11, done [], attempts [11:1 12:1! 13:1]",
	},
	{
		"a second rebuild forgets the dead letters", "rebuild", "handoff.go",
		`if d.Offset >= m.offsets.line {`, `if false {`,
		"TestScripts/rebuild-dead-letters", "want   dead letter 4",
	},

	// Restart of one lane.
	{
		"a panic keeps the behavior", "restart", "retry.go",
		`	l.renewFor(f)
	wait := `, `	wait := `,
		"TestScripts/panic", "want   new behavior",
	},
	{
		"a new behavior beside a running call", "restart", "restart.go",
		`!l.renew || l.handed > 0 || `, `!l.renew || `,
		"TestScripts/restart", "got   new behavior for b",
	},
	{
		"progress does not fill the budget", "restart", "handover.go",
		`l.restarts.Refill()`, `_ = l.restarts`,
		"TestScripts/panic", "want   retry a 1 after 1",
	},
	{
		"the shorter backoff counts", "restart", "retry.go",
		`max(wait, m.retryDelay(f, ev))`, `min(wait, m.retryDelay(f, ev))`,
		"TestScripts/panic", "want   retry a 0 after 1 deliveries, at 2s",
	},
	{
		"a stopped lane runs on", "restart", "retry.go",
		`l.stopped = true`, `l.stopped = false`,
		"TestScripts/stop", "got   hand over a",
	},
	{
		"a failed start resumes", "restart", "retry.go",
		`r.Directive == supervision.Restart, r.Directive == supervision.Resume && r.Kind == StartFailed:`,
		`r.Directive == supervision.Restart:`,
		"TestScripts/start-failed", "want   new behavior for a",
	},

	// Quarantine.
	{
		"a quarantined lane runs on", "quarantine", "lane.go",
		`case l.hung || l.stopped:`, `case l.stopped:`,
		"TestScripts/hung", "got   hand over b",
	},
	{
		"a timeout does not quarantine", "quarantine", "retry.go",
		`if r.Kind == Timeout {`, `if r.Kind == Hung {`,
		"TestScripts/timeout", "want   quarantine a",
	},
	{
		"a call left behind frees its lane", "quarantine", "restart.go",
		`if !l.hung || leftBehind {`, `if !l.hung || leftBehind && !l.hung {`,
		"TestScripts/hung", "want > returned b#4",
	},
	{
		"a rebuild forgets what hangs", "quarantine", "machine.go",
		`m.lanes[id].hung = true`, `m.lanes[id].hung = false`,
		"TestScripts/hung", "got   hand over b",
	},
}
