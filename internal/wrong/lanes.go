package main

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
			"a member that was thrown out goes on", "S4",
			"a commit that is refused like that is the end of the membership, too",
			one(
				kafka("callbacks.go", `return m.id != "" && m.id != id && len(m.parts) > 0`, `return false`),
				kafka("beat.go", `case joining && errors.Is(err, kerr.UnknownMemberID):`, `case false:`),
				kafka("commit.go", `want == "" || id != want {`, `want == "" && id == "" {`),
				kafka("commit.go", `r.Outcome, r.Fenced = observe.Refused, true`, `r.Outcome = observe.Refused`),
			),
		},
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
		{
			"a timestamp may lie in any future", "L1",
			"one that is further ahead than MaxSkew is taken for now and MaxSkew",
			one(core("delay.go", `case r.Timestamp > limit/perMilli:`, `case r.Timestamp > never/perMilli-limit:`)),
		},
	}
}
