package main

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
			one(engine("effects.go", `	req := &commitRequest{a: p.a, incarnation: p.incarnation, seq: fx.Seq, line: CommitLine{p.a.tp, fx.Next, p.besides(fx)}}`, `	next := fx.Next
	if p.ending != nil {
		next = p.from.handoff.Next
	}
	req := &commitRequest{a: p.a, incarnation: p.incarnation, seq: fx.Seq, line: CommitLine{TP: p.a.tp, Next: next}}`)),
		},
		{
			"lanes commit by themselves", "S3",
			"all commits of a partition come from its machine",
			one(engine("worker.go", `		next := claiming
`, `		w.e.send([]*commitRequest{{a: w.a, line: CommitLine{TP: w.a.tp, Next: rec.rec.Offset + 1}}})
		next := claiming
`)),
		},
	}
}
