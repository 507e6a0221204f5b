package core

import "time"

// heal ends all faults: everything finishes, and the line is committed at the end.
func (j *judge) heal() {
	for r := range j.outside.All {
		j.resume(r)
	}
	j.step(&Woke{}, nil) // time may have passed since the last one
	for range 10_000 {
		if j.healOne() {
			continue
		}
		if len(j.unfinished()) > 0 || j.line != j.tail || j.paused != 0 || j.acked != j.line || j.again || j.stored.Next != j.line {
			j.t.Fatalf("stuck at %d of %d, %v unfinished, paused for %s, %d acknowledged",
				j.line, j.tail, at(j.unfinished()), set(j.paused), j.acked)
		}
		j.saw["everything finished"]++
		return
	}
	j.t.Fatalf("no end after 10,000 steps")
}

// healOne takes one step without a fault; false when there is none to take.
func (j *judge) healOne() bool {
	for _, l := range j.lanes {
		switch {
		case l.call != nil:
			j.succeed(l, time.Millisecond)
			return true
		case l.forward != nil && l.forward.flying:
			j.forwardAnswered(l, &Forwarded{Epoch: j.epoch, Seq: l.forward.seq})
			return true
		case (l.hung || l.stopped) && !j.frozen():
			j.restartLane(l, true)
			return true
		}
	}
	switch {
	case j.drained:
		j.rebuild()
	case j.frozen():
		j.drain(false)
	case len(j.commits) > 0:
		j.answerCommit(outcomes[0])
	case j.position < len(j.log) && j.paused == 0:
		j.fetch(1)
	case !j.wantWake().IsZero():
		j.now = j.asked // no sooner: the machine has to ask
		j.step(&Woke{}, nil)
	case j.mustCommit():
		j.step(&Ticked{}, nil)
	default:
		since, doubted := j.doubt()
		if doubted {
			j.endDoubt(since)
		}
		return doubted
	}
	return true
}
