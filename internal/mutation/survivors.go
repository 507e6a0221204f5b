package main

// survivors are the mutants that are argued to be equivalent: whatever is said to the
// program, the mutant answers the same.
var survivors = []survivor{ //nolint:gochecknoglobals // a table
	{
		"internal/core/delay.go", "plus", "if at >= math.MaxInt64-int64(d) {",
		"Where the two are equal, their sum is MaxInt64, which is never.",
	},
	{
		"internal/core/drain.go", "fill", "if m.offsets.line <= m.top {",
		"The line is an unfinished record or the tail, and top is a finished one below the tail, so they are equal only as 0 and 0, " +
			"when nothing is finished: below 0 there is no gap to serve.",
	},
	{
		"internal/core/handoff.go", "condemn", "if len(dead) == 0 && l.handed > 0 || l.records.len() == 0 {",
		"A head that is handed over is none of them: it was looked for before it was. Of none, nothing is found.",
	},
	{
		"internal/core/handover.go", "reach", "for limit <= unlimited && l.records.at(n-1).Offset >= limit {",
		"No offset is MaxInt64 or above.",
	},
	{
		"internal/core/handover.go", "reach", "for limit < unlimited && l.records.at(n-1).Offset > limit {",
		"The limit is the offset of a finished record, so no queued one is at it.",
	},
	{
		"internal/core/handover.go", "progress", "if l := m.called(ev.Call); l != nil && ev.Done >= l.done {",
		"Where the two are equal, complete has no record to finish and returns.",
	},
	{
		"internal/core/lane.go", "standing", "case m.cfg.Delay >= 0:",
		"Without a delay each record's due is 0, which is after no time.",
	},
	{
		"internal/core/offsets.go", "open", "o.base = place + place%blockSize",
		"A block is dropped only when it is full, so with none left the next place is a multiple of blockSize.",
	},
	{
		"internal/core/queue.go", "push", "if len(q.items) == cap(q.items) && q.head >= len(q.items)/2 && q.head >= 0 {",
		"With the head at 0 the other conditions hold only for at most one item, which moves to where it is.",
	},
	{
		"internal/core/retry.go", "blame", "over := f.Attempt >= 0 && (r.Kind == Discard || m.cfg.MaxAttempts > 0 && f.Attempt >= m.cfg.MaxAttempts)",
		"Attempt is 0 only after a failed start, which is no Discard and is below every MaxAttempts above 0.",
	},
	{
		"internal/core/timers.go", "up", "for i >= 0 && t.before(i, (i-1)/2) {",
		"The parent of 0 is computed as 0, and no lane is before itself.",
	},
}
