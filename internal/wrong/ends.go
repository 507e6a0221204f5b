package main

// endless are runtimes that keep what they promise of records, and do not go on or come
// to an end.
func endless() []wrong {
	return []wrong{
		{
			"a dead letter is written once", "L1",
			"a write that failed is tried again for ever, and the line waits for it",
			one(core("forward.go", `f.until = now.Add(m.cfg.ForwardRetry.Delay(f.tries, ev.Jitter))`, `f.until = time.Unix(0, never)`)),
		},
		{
			"a commit of unknown outcome is waited for", "L2",
			"its line is sent again at the next tick",
			one(core("commit.go", `if ev.Epoch != m.epoch || !c.open || ev.Seq != c.seq {`, `if ev.Epoch != m.epoch || !c.open || ev.Seq != c.seq || ev.Late && !ev.OK {`)),
		},
		{
			"a call that ends its goroutine ends its lane", "L3",
			"another goroutine takes its place",
			one(engine("worker.go", `			go w.run(ho)
`, ``)),
		},
		{
			"a revoke waits for every call", "L4",
			"it waits for DrainTimeout, and takes what still runs away",
			one(engine("membership.go", `context.WithTimeout(context.Background(), e.opts.DrainTimeout)`, `context.WithCancel(context.Background())`)),
		},
		{
			"a buffer that was full stays full", "L6",
			"its partition is fetched again when half of it is worked off",
			one(core("pause.go", `p.full = m.buffered > m.cfg.BufferRecords/2 || m.bytes > m.cfg.BufferBytes/2`, `p.full = true`)),
		},
		{
			"a stop leaves its workers", "L7",
			"a goroutine has an owner that waits for it",
			one(engine("engine.go", `	e.pool.stop()
`, ``)),
		},
	}
}
