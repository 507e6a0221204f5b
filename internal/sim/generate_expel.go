package sim

// expel is that an admin takes a member out of the group.
func (g *generator) expel() Fault {
	session := g.plan.Group.Session
	f := Fault{Kind: FaultExpel, Member: g.anyMember(), For: session}
	if g.chance(60) {
		f.Lag = g.between(3*sec, session)
	}
	return f
}

// expulsions make a plan one of those in which members lose their partitions while calls
// of theirs go on, and their sessions live on as far as they know: more of the calls are
// long, and an admin takes members out every few seconds.
func (g *generator) expulsions() {
	for i := range g.plan.Topics {
		g.plan.Topics[i].Calls.Tail += 20
	}
	for at := g.between(3*sec, 10*sec); at < g.over; at += g.between(5*sec, 12*sec) {
		f := g.expel()
		f.At = at
		g.plan.Faults = append(g.plan.Faults, f)
	}
}

// overtaken are members whose poll goroutine stands still with what it has polled while
// they are taken out of the group, so that its partitions could come back before the
// records are handed over.
func (g *generator) overtaken() {
	for _, f := range g.plan.Faults {
		if f.Kind != FaultExpel || g.chance(30) {
			continue
		}
		lag := g.between(4*sec, 12*sec)
		g.plan.Faults = append(g.plan.Faults, Fault{
			At: max(0, f.At-g.between(0, sec)), For: lag + sec, Kind: FaultPointStalls, Member: f.Member, Count: 1, Lag: lag, Point: "polled",
		})
	}
}
