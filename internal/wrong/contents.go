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
			"the next owner believes nothing of what is finished", "S17",
			"what travels with the line is not run again",
			one(engine("metadata.go", `h.Done, h.Attempts, h.LeaderEpoch = s.Done, s.Attempts, s.LeaderEpoch`,
				`h.Attempts, h.LeaderEpoch = s.Attempts, s.LeaderEpoch`)),
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
			one(
				core("commit.go", `if ev.OK {`, `if true {`),
				core("commit.go", `c.changed || !ev.OK || ev.Plain`, `c.changed || ev.Plain`),
			),
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
	}
}

func letters() []wrong {
	return []wrong{
		{
			"a dead letter that is too large loses its value", "S10",
			"what is left out is never of the record",
			one(in("internal/deadletter", "letter.go", `	rec := l.Record
	if steps >= trimEarlier {
		rec = withoutEarlier(rec)
	}`, `	rec := l.Record
	if steps > 0 {
		rec = withoutEarlier(rec)
		rec.Value = nil
	}`)),
		},
		{
			"a dead letter that is too large for its topic counts as written", "S10",
			"it is tried again, until the topic takes it",
			one(kafka("produce.go", `		if f.Smaller == nil || !errors.Is(err, ErrTooLarge) {
			return err
		}
		f = f.Smaller()`, `		if f.Smaller == nil {
			return nil
		}
		if !errors.Is(err, ErrTooLarge) {
			return err
		}
		f = f.Smaller()`)),
		},
		{
			"a dead letter overtakes one that waits for its next try", "S10",
			"those of a lane are written in their order",
			one(core("forward.go", `		if now.Before(f.until) {
			return out
		}
		m.send(f)`, `		if now.Before(f.until) {
			if !l.doomed || f.tries > 1 {
				return out
			}
			f.effect.Record, *l.records.at(0) = *l.records.at(0), f.effect.Record
			f.note, *l.notes.at(0) = *l.notes.at(0), f.note
		}
		m.send(f)`)),
		},
		{
			"dead letters of a key are spread", "S10",
			"they go to one partition",
			one(kafka("produce.go", `	return b.keyed.Partition(r, n)
}`, `	return len(r.Value) % n
}`)),
		},
		{
			"a dead letter of a dead letter counts as the first", "S10",
			"hops are counted, so that loops end",
			one(in("internal/deadletter", "headers.go", `int64(Hops(l.Record)+1)`, `1`)),
		},
		{
			"dead letters in a loop go round for ever", "S10",
			"after five their lane stops",
			one(engine("enter.go", `r.Looped = len(rec.Headers) > 0 && deadletter.Hops(rec) >= hopsMax`, `r.Looped = false`)),
		},
		{
			"a dead letter topic is created with one partition", "S10",
			"it has as many as its input",
			one(kafka("create.go", `t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions[name], -1`, `t.Topic, t.NumPartitions, t.ReplicationFactor = name, 1, -1`)),
		},
	}
}

func phantoms() []wrong {
	return []wrong{
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
	last`, `	line   Offset
	hole   Offset
	holed  bool
	last`),
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
