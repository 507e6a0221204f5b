package core

import (
	"time"

	"pgregory.net/rapid"
)

// modelCommit is one that was sent, in this epoch or, as one that is late, before it.
type modelCommit struct {
	at, answered time.Time
	ok, late     bool
}

// underway is a commit of unknown outcome that the broker has not stored yet.
type underway struct {
	sent  Commit
	until time.Time // it is thrown away then; zero: nothing was acknowledged since
}

// doubt looks for the last commit that may be stored late and for what followed it: from
// when on the line has to be sent once more, and whether it was.
func (m *model) doubt() (since time.Time, doubted bool) { //nolint:nonamedreturns // tells them apart
	for _, c := range m.told {
		switch {
		case c.late:
			since, doubted = time.Time{}, true
		case c.ok && doubted && !since.IsZero() && !c.at.Before(since):
			since, doubted = time.Time{}, false
		}
		if c.ok && doubted && since.IsZero() {
			since = c.answered.Add(m.cfg.Doubt)
		}
	}
	return since, doubted
}

// mustCommit says that a Ticked has to be answered with a commit.
func (m *model) mustCommit() bool {
	since, doubted := m.doubt()
	return m.line > m.acked || m.again || m.says() != m.known || doubted && !m.now.Before(since)
}

// carryDoubt keeps what is in doubt over a rebuild.
func (m *model) carryDoubt() {
	_, doubted := m.doubt()
	doubted = doubted || len(m.commits) > 0
	if m.told = nil; doubted {
		m.told = []modelCommit{{late: true}}
	}
}

// answered writes down what the machine heard of its commit, and how long the broker may
// keep those before it.
func (j *judge) answered(o outcome) {
	j.told = append(j.told, modelCommit{j.sentAt, j.now, o.ok, o.late})
	for i := range j.underway {
		if u := &j.underway[i]; o.ok && u.until.IsZero() {
			u.until = j.now.Add(j.cfg.Doubt)
		}
	}
}

// opStoreLate lets the broker store a commit that nobody waits for any more.
func (j *judge) opStoreLate() {
	if len(j.underway) > 0 {
		j.storeLate(rapid.IntRange(0, len(j.underway)-1).Draw(j.t, "late"))
	}
}

func (j *judge) storeLate(i int) {
	u := j.underway[i]
	j.underway = append(j.underway[:i:i], j.underway[i+1:]...)
	if !u.until.IsZero() && !j.now.Before(u.until) {
		return
	}
	j.count("a line that fell", u.sent.Next < j.stored.Next)
	j.stored = u.sent
}

// endDoubt lets all the broker has be stored, and the doubt be over.
func (j *judge) endDoubt(since time.Time) {
	for len(j.underway) > 0 {
		j.storeLate(0)
	}
	j.now = since
	j.step(&Ticked{}, nil)
}
