package core

import "pgregory.net/rapid"

// outcome is what became of a commit, as the broker knows it.
type outcome struct {
	ok     bool // the answer says so
	stored bool // by the broker, when the answer comes
	late   bool // another request of it may be stored later
}

// outcomes are all that there are: acknowledged, refused, unknown twice, and acknowledged
// after it was sent twice.
var outcomes = []outcome{{true, true, false}, {false, false, false}, {false, true, true}, {false, false, true}, {true, true, true}}

// store is the broker's side of the oldest commit that is unanswered.
func (j *judge) store(o outcome) {
	j.t.Helper()
	next := j.commits[0].Next
	if o.late && o.ok == o.stored {
		j.underway = append(j.underway, underway{next: next})
	}
	if !o.stored {
		return
	}
	if next < j.stored {
		j.t.Fatalf("S3: the broker's offset falls from %d to %d", j.stored, next)
	}
	j.stored = next
	j.count("an unknown commit that was stored", !o.ok)
}

// opLose takes the partition away at once, as a loss, a crash and a panic of its actor
// do: what was in flight is over, and the next owner begins at what the broker has. It
// knows no attempts, and runs again what was finished above.
func (j *judge) opLose() {
	if rapid.IntRange(0, 11).Draw(j.t, "at all") > 0 {
		return
	}
	if len(j.commits) > 0 {
		j.store(rapid.SampledFrom(outcomes).Draw(j.t, "the commit on its way"))
	}
	j.late()
	var hung []LaneID
	if rapid.Bool().Draw(j.t, "same process") {
		hung = j.running()
	}
	j.count("a loss with calls", len(hung) > 0)
	j.count("a loss with finished records", j.line > j.stored)
	j.forget()
	j.underway = nil // the group is in another generation
	for _, id := range hung {
		j.lanes[id].hung = true
	}
	j.take(Handoff{Next: j.stored, Hung: hung})
	j.saw["a loss"]++
}

// late keeps what a lost owner's calls, forwards and commits still report.
func (j *judge) late() {
	for _, l := range j.lanes {
		if l.call != nil {
			j.stale = append(j.stale, &Succeeded{Call: *l.call}, &Progress{Call: *l.call, Done: l.begun}, &Failed{Call: *l.call})
		}
		if l.forward != nil {
			j.stale = append(j.stale, &Forwarded{Epoch: j.epoch, Seq: l.forward.seq})
		}
	}
	for _, c := range j.commits {
		j.stale = append(j.stale, &Committed{Epoch: c.Epoch, Seq: c.Seq, OK: true})
	}
}

// running are the lanes of which a call goes on.
func (j *judge) running() []LaneID {
	var all []LaneID
	for _, l := range j.lanes {
		if l.call != nil || l.hung {
			all = append(all, l.id)
		}
	}
	return all
}

// forget begins an epoch at what the broker has, and knows nothing of the one before.
func (m *model) forget() {
	for _, e := range m.log {
		if e.Offset >= m.stored {
			e.finished, e.attempts, e.over = false, 0, 0
		}
	}
	m.line, m.acked, m.commits, m.again = m.stored, m.stored, nil, false
	m.told = nil
	for _, l := range m.lanes {
		l.hung, l.last = false, -1
	}
	m.begin()
}

// take makes the machine of the epoch that the model has begun.
func (j *judge) take(h Handoff) {
	j.t.Helper()
	j.paused = 0
	j.m = New(j.cfg, j.epoch, h)
	j.settled(&Woke{})
}
