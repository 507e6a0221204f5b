package main

func duplicates() []wrong {
	return []wrong{
		{
			"no commit at a revoke", "S9",
			"after a drain nothing is delivered again",
			one(engine("finish.go", `	p.closeAll()
	p.step(&p.ev.ticked)
`, `	p.closeAll()
`)),
		},
		{
			"what was finished before a failure runs again", "S9",
			"the records of a hand-over up to the one that failed are finished",
			one(core("retry.go", `m.complete(l, ev.Done)`, `m.complete(l, l.done)`)),
		},
		{
			"an assignment begins at the start of the log", "S9",
			"it begins at the commit line",
			one(kafka("start.go", `	case line < 0:
		a.Start = log.start`, `	case line < 0, line > log.start:
		a.Start = log.start`)),
		},
		{
			"a commit that was refused counts", "S9",
			"a line is sent until it is acknowledged",
			one(core("commit.go", `if ev.OK {`, `if true {`)),
		},
	}
}

func contents() []wrong {
	return []wrong{
		{
			"a dead letter has no value", "S10",
			"a copy holds what the record holds",
			one(kafka("produce.go", `Value: f.Record.Value,`, `Value: nil,`)),
		},
		{
			"a dead letter names another offset", "S10",
			"its headers say which record it is of",
			one(in("internal/deadletter", "headers.go", `number(KeyOffset, l.Record.Offset)`, `number(KeyOffset, l.Record.Offset+1)`)),
		},
		{
			"a dead letter counts when it was sent", "S10",
			"only the broker's acknowledgment finishes the record",
			one(engine("forward.go", `	e.opts.Client.Forward(p.topic.letter(letter, 0, &msg.trimmed), func(err error) {
		msg.err = err
		e.root.Send(pid, msg)
	})`, `	e.opts.Client.Forward(p.topic.letter(letter, 0, &msg.trimmed), func(error) {})
	e.root.Send(pid, msg)`)),
		},
		{
			"aborted records are read", "S11",
			"without ReadUncommitted they are not delivered",
			one(kafka("options.go", `isolation := kgo.ReadCommitted()`, `isolation := kgo.ReadUncommitted()`)),
		},
		{
			"a dead letter that was not written is logged with its failure", "S15",
			"what a behavior's error says is the user's, and stands in no log",
			one(
				engine("forward.go", `Offset: msg.offset, Dest: dest, Err: msg.err})`, `Offset: msg.offset, Dest: dest, Err: fmt.Errorf("%w, of %w", msg.err, msg.reason)})`),
				engine("forward.go", `import (
`, `import (
	"fmt"

`),
			),
		},
	}
}

func positions() []wrong {
	return []wrong{
		{
			"the line counts offsets one by one", "S12",
			"transactions and compaction leave holes, which the line passes",
			one(
				core("offsets.go", `	place := o.total
	i := place`, `	if at > o.tail && !o.holed {
		o.holed, o.hole = true, o.tail
	}
	place := o.total
	i := place`),
				core("offsets.go", `	line   Offset
	spare`, `	line   Offset
	hole   Offset
	holed  bool
	spare`),
				core("offsets.go", `	if line < o.line {
		invariant`, `	if o.holed {
		line = min(line, o.hole)
	}
	if line < o.line {
		invariant`),
			),
		},
		{
			"a gap is not told of", "S13",
			"records that were deleted before their turn are reported",
			one(kafka("start.go", `		a.TP = tp
`, `		a.TP, a.Gap = tp, nil
`)),
		},
		{
			"fetching begins one record late", "Poll",
			"an assignment begins at its start, and skips nothing",
			one(kafka("start.go", `put(tp, p.next)`, `put(tp, p.next+1)`)),
		},
		{
			"records of an assignment before are taken for the present one's", "Poll",
			"a poll and what it hands over are of one assignment, and the epoch says of which",
			one(
				kafka("gate.go", `	for g.turn {`, `	for false {`),
				engine("engine.go", `a != nil && a.epoch == b.Epoch {`, `a != nil {`),
			),
		},
	}
}

func memories() []wrong {
	return []wrong{
		{
			"no limit ahead of the line", "S14",
			"MaxAhead bounds what is remembered past a record that is not finished",
			one(core("pause.go", `p.ahead = ahead >= m.cfg.MaxAhead`, `p.ahead = false`)),
		},
		{
			"no limit of the buffer", "S14",
			"a full buffer pauses its partition",
			one(core("pause.go", `p.full = m.buffered >= m.cfg.BufferRecords || m.bytes >= m.cfg.BufferBytes`, `p.full = false`)),
		},
		{
			"a partition resumes while it has a reason to be paused", "S14",
			"it resumes when the last reason is gone",
			one(engine("effects.go", `	case fx.Now == 0:`, `	case fx.Now == 0, fx.Now&fx.Was != fx.Was:`)),
		},
		{
			"a quarantined lane holds its partition", "S16",
			"the other lanes run on",
			one(
				core("lane.go", `	case l.hung || l.stopped:`, `	case l.stopped || slices.ContainsFunc(m.lanes, func(x lane) bool { return x.hung }):`),
				core("lane.go", `import (
	"time"`, `import (
	"slices"
	"time"`),
				core("restart.go", `	l.hung, l.hungBy = false, Call{}
	return m.serve(now, l, out)`, `	l.hung, l.hungBy = false, Call{}
	return m.serveAll(now, out)`),
			),
		},
	}
}
