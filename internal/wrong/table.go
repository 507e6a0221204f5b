package main

import "github.com/troupe-go/troupe/internal/overlay"

// wrong is a runtime that decides one thing wrongly.
type wrong struct {
	name  string
	check string // of internal/check: it must find a violation
	why   string // what the decision is about
	edits []overlay.Edit
}

func in(folder, file, old, now string) overlay.Edit {
	return overlay.Edit{File: folder + "/" + file, Old: old, Now: now}
}

func core(file, old, now string) overlay.Edit   { return in("internal/core", file, old, now) }
func engine(file, old, now string) overlay.Edit { return in("internal/engine", file, old, now) }
func kafka(file, old, now string) overlay.Edit  { return in("internal/kafka", file, old, now) }

func one(e ...overlay.Edit) []overlay.Edit { return e }

// runtimes is the table, by check. Where two edits are made the decision is guarded
// twice, and with one of them the other guard holds: then the change is harmless.
func runtimes() []wrong {
	var all []wrong
	for _, part := range [][]wrong{losses(), commits(), orders(), fences(), delays(), duplicates(), contents(), positions(), memories()} {
		all = append(all, part...)
	}
	return all
}

func losses() []wrong {
	return []wrong{
		{
			"a rebuild goes on behind what was in flight", "S1",
			"what a partition held when it was rebuilt is fetched again from its line",
			one(core("handoff.go", `Next:        m.offsets.line,`, `Next:        m.offsets.tail,`)),
		},
		{
			"a restart loses the head record", "S1",
			"the record that a behavior failed at is delivered to the next one",
			one(core("retry.go", `	l.renewFor(f)
	wait := p.Backoff`, `	l.renewFor(f)
	if !f.Starting {
		l.handed = 1
		m.complete(l, 1)
		l.handed, l.done = 0, 0
		return out
	}
	wait := p.Backoff`)),
		},
		{
			"records without a key are skipped", "S1",
			"they have a lane like all others",
			one(engine("enter.go", `p.recs = append(p.recs, p.record(rec, keys, i))`, `if rec.Key == nil {
			continue
		}
		p.recs = append(p.recs, p.record(rec, keys, i))`)),
		},
		{
			"attempts begin anew", "S1",
			"a record that always fails reaches its last attempt",
			one(core("retry.go", `head.attempts++`, `head.attempts = 1`)),
		},
		{
			"what nobody wants is dropped", "S1",
			"without a dead letter topic a record that is discarded escalates",
			one(core("retry.go", `	case !m.cfg.DeadLetter:
		return m.escalate(l, f, out)`, `	case !m.cfg.DeadLetter:
		l.handed = 1
		m.complete(l, 1)
		l.handed, l.done = 0, 0
		return out`)),
		},
		{
			"a pause outlives the assignment", "S1",
			"kgo keeps a pause over a revoke, so assign and revoke both clear it",
			one(
				kafka("callbacks.go", `m.cl.ResumeFetchPartitions(added)`, `_ = added`),
				kafka("callbacks.go", `m.cl.ResumeFetchPartitions(gone)`, `_ = gone`),
			),
		},
	}
}

func commits() []wrong {
	return []wrong{
		{
			"the highest that was finished is committed", "S2",
			"the line is below everything unfinished",
			one(core("commit.go", `c, line := &m.commit, m.offsets.line`, `c, line := &m.commit, m.offsets.line
	if m.top > 0 {
		line = max(line, m.top+1)
	}`)),
		},
		{
			"a record is committed before its end", "S2",
			"handed over is not finished",
			one(core("commit.go", `c, line := &m.commit, m.offsets.line`, `c, line := &m.commit, m.offsets.tail
	for i := range m.lanes {
		l := &m.lanes[i]
		if l.forward.effect != nil {
			line = min(line, l.forward.effect.Record.Offset)
		}
		if n := l.handed - l.done; n < l.records.len() {
			line = min(line, l.records.at(n).Offset)
		}
	}
	line = max(line, m.offsets.line)`)),
		},
		{
			"a call that is cut off counts", "S2",
			"the result of a call that was taken away is dropped, whatever it will be",
			one(engine("finish.go", `p.step(&core.Failed{Call: ho.call, Done: done, Result: res})`, `if was == running {
			done++
		}
		p.step(&core.Failed{Call: ho.call, Done: done, Result: res})`)),
		},
		{
			"a record without a key counts as finished", "S2",
			"they are delivered like all others",
			one(engine("enter.go", `Bytes: size(rec), Handle: rec}`, `Bytes: size(rec), Handle: rec, Control: rec.Key == nil}`)),
		},
		{
			"a dead letter counts when its write failed", "S2",
			"only the acknowledgment finishes the record",
			one(core("forward.go", `if ev.Err != nil {`, `if false {`)),
		},
		{
			"a request has one line for all partitions", "S2",
			"each partition has its own",
			one(kafka("commit.go", `p.Partition, p.Offset = o.TP.Partition, o.Next`, `p.Partition, p.Offset = o.TP.Partition, offsets[0].Next`)),
		},
		{
			"the last commit is of the first line", "S3",
			"what is sent later is never lower",
			one(engine("effects.go", `	req := &commitRequest{a: p.a, incarnation: p.incarnation, seq: fx.Seq, line: CommitLine{p.a.tp, fx.Next}}`, `	next := fx.Next
	if p.ending != nil {
		next = p.from.handoff.Next
	}
	req := &commitRequest{a: p.a, incarnation: p.incarnation, seq: fx.Seq, line: CommitLine{p.a.tp, next}}`)),
		},
		{
			"lanes commit by themselves", "S3",
			"all commits of a partition come from its machine",
			one(engine("worker.go", `		next := claiming
`, `		w.e.send([]*commitRequest{{a: w.a, line: CommitLine{w.a.tp, rec.rec.Offset + 1}}})
		next := claiming
`)),
		},
		{
			"a member that was thrown out goes on", "S4",
			"kgo may join as another member and keep the partitions of the old one",
			one(
				kafka("callbacks.go", `if m.id != "" && m.id != id && len(m.parts) > 0 {`, `if false {`),
				kafka("commit.go", `want == "" || id != want {`, `want == "" && id == "" {`),
				kafka("commit.go", `r.Outcome, r.Fenced = observe.Refused, true`, `r.Outcome = observe.Refused`),
			),
		},
	}
}

func orders() []wrong {
	return []wrong{
		{
			"a retry goes behind the others of its key", "S5",
			"a record that failed keeps its place at the head",
			one(core("retry.go", `	return m.serve(now, l, out)
`, `	if r.Kind == Error && l.records.len() > 1 && !l.doomed {
		r, n := *l.records.at(0), *l.notes.at(0)
		l.drop(1)
		l.records.push(r)
		l.notes.push(n)
	}
	return m.serve(now, l, out)
`)),
		},
		{
			"a key changes its lane with each assignment", "S5",
			"a call that goes on over a revoke holds the lane of its key, and no other",
			one(engine("enter.go", `return p.m.Acquire(hash(key))`, `return p.m.Acquire(hash(key) ^ uint64(p.a.epoch)<<61)`)),
		},
		{
			"a quarantined lane starts with the next assignment", "S6",
			"a call that goes on holds its lane over all epochs",
			one(engine("begin.go", `p.from.handoff.Hung = p.e.held.lanes(p.a.tp, p.topic.Core.Lanes)`, `p.from.handoff.Hung = nil`)),
		},
		{
			"a lane goes on beside a call that timed out", "S6",
			"a call that outlives its Timeout holds its lane",
			one(engine("partition.go", `	p.free(msg.ho.call.Lane)`, `	p.dismiss(l, actors.ErrTimeout, time.Time{})
	p.ev.freed = core.Freed{Lane: msg.ho.call.Lane}
	p.step(&p.ev.freed)`)),
		},
	}
}

func fences() []wrong {
	return []wrong{
		{
			"no fence", "S7",
			"every start and commit looks at it; a kill and a freeze of the simulator must show that",
			one(
				engine("fence.go", `func (f *fence) raised() bool { return f.up.Load() }`, `func (f *fence) raised() bool { return false }`),
				engine("finish.go", `	a.shut()
	for i := range a.slots {`, `	for i := range a.slots[:0] {`),
			),
		},
		{
			"no lease", "S7",
			"a process that was frozen beyond its session starts nothing when it thaws",
			one(engine("fence.go", `if int64(wallclock.Since(l.owner, l.base)) < l.deadline.Load() && !l.expired.Load() {`, `if true {`)),
		},
		{
			"the fence goes up after the revoke has returned", "S7",
			"what the group gives away is fenced before it hears so",
			one(engine("membership.go", `	clean := e.finish(as, actors.ErrRevoked, time.Now().Add(e.opts.CommitTimeout))`, `	clean := make([]bool, len(as))
	go e.finish(as, actors.ErrRevoked, time.Now().Add(e.opts.CommitTimeout))`)),
		},
		{
			"a loss fences nothing", "S7",
			"another member may be at work",
			one(engine("membership.go", `		e.seize(a)
		e.opts.Emit(observe.Lost{TP: a.tp, Epoch: a.epoch, Cause: cause})
		e.root.Send(e.group, toPartition{a, finish{cause: actors.ErrLost, lost: true}})`, `		e.opts.Emit(observe.Lost{TP: a.tp, Epoch: a.epoch, Cause: cause})`)),
		},
		{
			"a loss commits", "S7",
			"after a loss nothing is committed",
			one(
				engine("finish.go", `if msg.lost {`, `if false {`),
				engine("commit.go", `if r.a.fence.raised() {`, `if false {`),
			),
		},
		{
			"a loss is a revoke", "S6",
			"a drain would run on beside the next owner",
			one(engine("membership.go", `	e.lost(e.take(tps), cause)`, `	e.Revoked(tps)`)),
		},
	}
}

func delays() []wrong {
	return []wrong{
		{
			"early by one tick", "S8",
			"a record is not delivered before its time",
			one(core("delay.go", `return plus(from, m.cfg.Delay), out`, `return plus(from, m.cfg.Delay-time.Millisecond), out`)),
		},
		{
			"a hand-over takes what is not due", "S8",
			"each record of a hand-over is due when it begins",
			one(core("handover.go", ` || note.due > now.UnixNano())`, `)`)),
		},
	}
}

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
			one(engine("forward.go", `number(headerOffset, rec.Offset)`, `number(headerOffset, rec.Offset+1)`)),
		},
		{
			"a dead letter counts when it was sent", "S10",
			"only the broker's acknowledgment finishes the record",
			one(engine("forward.go", `	e.opts.Client.Forward(f, func(err error) {
		msg.err = err
		e.root.Send(pid, msg)
	})`, `	e.opts.Client.Forward(f, func(error) {})
	e.root.Send(pid, msg)`)),
		},
		{
			"aborted records are read", "S11",
			"without ReadUncommitted they are not delivered",
			one(kafka("options.go", `isolation := kgo.ReadCommitted()`, `isolation := kgo.ReadUncommitted()`)),
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
