package main

// travels are the mutants of what travels with a commit.
var travels = []mutant{ //nolint:gochecknoglobals // a part of the table
	{
		"records finished above the line are not told of", "S17", "handover.go",
		`	m.commit.changed = true
`, ``,
		"TestScripts/set", "want   commit 0, done [{1 2} {5 6}]",
	},
	{
		"a dead letter's acknowledgment is not told of", "S17", "forward.go",
		`	m.commit.changed = true
`, ``,
		"TestModel", anyOfModel,
	},
	{
		"attempts are not told of", "S17", "retry.go",
		`		m.commit.changed = true
`, ``,
		"TestScripts/set", "want   commit 0, done [{1 7}], attempts [0:1]",
	},
	{
		"a set that was refused counts as told", "S17", "commit.go",
		`c.changed || !ev.OK || ev.Plain`, `c.changed || ev.Plain`,
		"TestScripts/set", "want   commit 0, done [{1 7}]",
	},
	{
		"a line without its set counts as told", "S17", "commit.go",
		`c.changed || !ev.OK || ev.Plain`, `c.changed || !ev.OK`,
		"TestScripts/set", "want   commit 0, done [{1 7}]",
	},
	{
		"what is finished during a commit counts as told", "S17", "commit.go",
		`c.changed || !ev.OK || ev.Plain`, `!ev.OK || ev.Plain`,
		"TestScripts/set", "want   commit 0, done [{1 7}]",
	},
	{
		"a set that was taken over is not carried on", "S17", "handoff.go",
		`return m.carried.runsFrom(m.offsets.tail, m.offsets.runs(runs))`, `return m.offsets.runs(runs)`,
		"TestScripts/takeover", "want   commit 13, done [{15 16}]",
	},
	{
		"the next owner counts attempts from one", "S17", "fetch.go",
		`attempts: m.carried.attempt(r.Offset)}`, `attempts: 0}`,
		"TestScripts/takeover", "want   hand over a#1 [10] attempt 3",
	},
	{
		"what was given up is forgotten", "S17", "handoff.go",
		`GivenUp: i == 0 && l.doomed}`, `GivenUp: false}`,
		"TestScripts/drain", "want   commit 2, attempts [2:1! 3:1! 4:1!]",
	},
	{
		"a set holds for what a later leader wrote", "S1", "fetch.go",
		`ev.LeaderEpoch > m.leader &&`, `false &&`,
		"TestScripts/takeover", "want   hand over b#3 [15 16]",
	},
	{
		"a later leader voids what is said of records before its own", "S17", "fetch.go",
		`m.carried.endAt(ev.Records[0].Offset)`, `m.carried = carried{}`,
		"TestScripts/takeover-leader", "want   forward a 11",
	},

	// How far what travels may reach.
	{
		"lanes run beyond what a commit has room for", "ahead", "horizon.go",
		`if m.cfg.Room > 0 {`, `if false {`,
		"TestScripts/horizon", "got   hand over b",
	},
	{
		"what the horizon held stays so", "ahead", "horizon.go",
		`return m.serveAll(now, out)`, `return out`,
		"TestModel", anyOfModel,
	},
	{
		"holes are free of charge", "ahead", "offsets.go",
		`metadata.Sevenths(at - o.last)`, `metadata.Sevenths(min(at-o.last, 1))`,
		"TestModel", anyOfModel,
	},
	{
		"no pause at the horizon", "ahead", "pause.go",
		`m.cfg.Room > 0 && spread > m.cfg.Room
`, `false
`,
		"TestScripts/horizon", "want   pause for ahead",
	},
}
