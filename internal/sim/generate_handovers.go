package sim

// handovers make some plans those in which lines are held while their partitions move in
// good order, so that much that is finished has to travel with them: more calls fail and
// snooze, and members stop and come back every few seconds. In some of them the broker now
// and then has no room for what travels.
func (g *generator) handovers() {
	if len(g.plan.Members) == 1 || !g.chance(25) {
		return
	}
	for i := range g.plan.Topics {
		c := &g.plan.Topics[i].Calls
		c.Retry += 15
		c.Snooze += 15
	}
	for at := g.between(3*sec, 10*sec); at < g.over; at += g.between(6*sec, 15*sec) {
		g.plan.Faults = append(g.plan.Faults, Fault{At: at, Kind: FaultLeave, Member: g.anyMember(), For: g.between(500*ms, 5*sec)})
	}
	if g.chance(40) {
		for range 1 + g.IntN(5) {
			g.plan.Faults = append(g.plan.Faults, Fault{
				At: g.between(sec, g.over), Kind: FaultAnswer, Request: "OffsetCommit", Error: "OFFSET_METADATA_TOO_LARGE", Count: 1, For: 10 * sec,
			})
		}
	}
}
