package sim

// Points whose steps a runtime gets over when they are refused. Left out are those where an
// error is none that happens (a pause that does not come, a call that returned nil and
// failed), and those on whose errors nothing follows.
var refusable = []string{ //nolint:gochecknoglobals // a table
	"poll", "seek", "start", "begin", "claim", "wake-up", "tick", "lease", "line", "flush", "send", "answer", "forward", "produced",
	"make", "stop", "leave",
}

// Points at which a step may take long.
var slow = []string{ //nolint:gochecknoglobals // a table
	"poll", "polled", "seek", "pause", "joined", "start", "assigned", "spawn", "machine", "enter", "hand-over", "begin", "claim",
	"end", "report", "reported", "expire", "freed", "wake-up", "tick", "lease", "line", "flush", "send", "answer", "committed",
	"revoke", "drain", "drained", "close", "fence", "lose", "rebuild", "leave", "forward", "produced", "forwarded", "restart",
	"make", "stop", "escalate", "resume",
}

// Points on the goroutine of a partition's actor, or within a call of the user's code: a
// panic there is handled. On any other it ends Run, or the process.
var panicking = []string{ //nolint:gochecknoglobals // a table
	"machine", "enter", "hand-over", "filled", "reported", "line", "committed", "drain", "close", "forward", "forwarded",
	"restart", "escalate", "make", "stop",
}

// point breaks a step of a member.
func (g *generator) point() Fault {
	f := Fault{Member: g.anyMember(), Count: 1 + g.IntN(3), For: g.between(5*sec, 20*sec)}
	switch n := g.IntN(10); {
	case n < 4:
		f.Kind, f.Point = FaultPointFails, pick(g, refusable...)
	case n < 8:
		// All of it is within what the engine waits for its own actors, the commit timeout:
		// beyond, they count as wedged by a bug and Run ends.
		f.Kind, f.Point, f.Lag = FaultPointStalls, pick(g, slow...), g.between(10*ms, g.plan.Group.Commit/3)
	default:
		f.Kind, f.Point = FaultPointPanics, pick(g, panicking...)
	}
	return f
}

// clock lets a member's clock jump. Its records of a delayed topic come early or late by
// that; no session is longer than the least of the long jumps.
func (g *generator) clock() Fault {
	by := pick(g, g.between(sec, 10*sec), g.between(30*sec, 3600*sec)) / sec * sec
	return Fault{Kind: FaultClockJumps, Member: g.anyMember(), Lag: pick(g, by, -by), For: g.between(sec, 20*sec)}
}
