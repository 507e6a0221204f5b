package core

import (
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/supervision"
)

// outcome is what became of a commit, as the broker knows it.
type outcome struct {
	ok     bool // the answer says so
	stored bool // by the broker, when the answer comes
	late   bool // another request of it may be stored later
	plain  bool // without what it says besides the line
}

// outcomes are all that there are: acknowledged, refused, unknown twice, acknowledged
// after it was sent twice, and acknowledged without the set.
var outcomes = []outcome{
	{ok: true, stored: true},
	{},
	{stored: true, late: true},
	{late: true},
	{ok: true, stored: true, late: true},
	{ok: true, stored: true, plain: true},
}

// store is the broker's side of the oldest commit that is unanswered.
func (j *judge) store(o outcome) {
	j.t.Helper()
	c := j.commits[0].sent
	if o.late && o.ok == o.stored {
		j.underway = append(j.underway, underway{sent: c})
	}
	if !o.stored {
		return
	}
	if c.Next < j.stored.Next {
		j.t.Fatalf("S3: the broker's offset falls from %d to %d", j.stored.Next, c.Next)
	}
	if o.plain {
		c.Done, c.Attempts = nil, nil
	}
	j.stored = c
	j.count("an unknown commit that was stored", !o.ok)
}

// opLose takes the partition away at once, as a loss, a crash and a panic of its actor
// do: what was in flight is over, and the next owner begins at what the broker has. It runs
// again what was finished above, but for what a commit told the broker of.
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
	j.count("a loss with finished records", j.line > j.stored.Next)
	h := Handoff{Next: j.stored.Next, Hung: hung}
	if rapid.IntRange(0, 3).Draw(j.t, "another tool's") > 0 {
		j.cutOff()
		h = j.takeOver(hung)
	} else {
		j.count("a set that is left behind", len(j.stored.Done)+len(j.stored.Attempts) > 0)
		j.stored.Done, j.stored.Attempts = nil, nil
	}
	j.forget()
	j.underway = nil // the group is in another generation
	for _, id := range hung {
		j.lanes[id].hung = true
	}
	j.take(h)
	j.saw["a loss"]++
}

// cutOff is an election of a leader that was behind: the end of the log is gone, and what
// is appended next takes the offsets of other records.
func (j *judge) cutOff() {
	if len(j.log) == 0 || rapid.IntRange(0, 3).Draw(j.t, "cut off") > 0 {
		return
	}
	n := rapid.IntRange(0, len(j.log)).Draw(j.t, "records left")
	for n < len(j.log) && j.log[n].Offset < j.stored.Next {
		n++
	}
	done := j.stored.Done
	j.count("a log that was cut off below the set", n < len(j.log) && len(done) > 0 && j.log[n].Offset < done[len(done)-1].To)
	j.log = j.log[:n:n]
	j.leader++
}

// takeOver is what the next owner makes of the stored commit.
func (j *judge) takeOver(hung []LaneID) Handoff {
	c := &j.stored
	h := Handoff{Next: c.Next, Done: c.Done, Attempts: c.Attempts, LeaderEpoch: c.LeaderEpoch, Hung: hung}
	for _, a := range c.Attempts {
		if a.GivenUp {
			h.DeadLetters = append(h.DeadLetters, DeadLetter{Offset: a.Offset, Failure: supervision.Failure{Attempt: a.Count}})
		}
	}
	j.count("a set that is taken over", len(h.Done) > 0)
	j.count("attempts that are taken over", len(h.Attempts) > 0)
	j.count("a dead letter that is taken over", len(h.DeadLetters) > 0)
	return h
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
		j.stale = append(j.stale, &Committed{Epoch: c.sent.Epoch, Seq: c.sent.Seq, OK: true})
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

// forget begins an epoch at what the broker has, and knows nothing else of the one before.
func (m *model) forget() {
	c := &m.stored
	for _, e := range m.log {
		if e.Offset < c.Next {
			continue
		}
		e.finished, e.attempts, e.over = false, 0, 0
		if e.leader > c.LeaderEpoch {
			continue
		}
		for _, r := range c.Done {
			e.finished = e.finished || r.From <= e.Offset && e.Offset < r.To
		}
		for _, a := range c.Attempts {
			if a.Offset == e.Offset && !e.finished {
				e.attempts = a.Count
			}
			if a.Offset == e.Offset && !e.finished && a.GivenUp {
				e.over, e.first, e.last = m.epoch, time.Time{}, time.Time{}
			}
		}
	}
	m.line, m.acked, m.commits, m.again = c.Next, c.Next, nil, false
	m.told, m.known = nil, m.says()
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
