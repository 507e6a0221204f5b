package check

import (
	"time"

	"github.com/troupe-go/troupe/internal/history"
)

// Fence judges S7: when a revoke or a loss has ended, and when the runtime has, nothing
// of that epoch begins or commits. A call begins where the runtime says that it passed
// the fence, if the journal bears out that it was entered; one that the runtime is silent
// about begins where the journal says. What the broker takes later is excused if it was
// sent before and not answered yet. Compared are the calls and commits of assignments that
// were revoked or lost.
//
// A call also begins too late when another incarnation has had the partition for longer
// than a member takes to learn that, since its session lease ran out before that (A4): so
// a process that was frozen begins nothing when it thaws. A static member whose instance id
// was taken by another process is replaced at once, and learns it by its next heartbeat.
// One that an admin took out of its group is not judged by that: its session lives on as far
// as it can know, and it may be in a join that takes longer than a heartbeat.
func Fence(events []history.Event) Verdict { return fenced(newFacts(events)) }

func fenced(facts *facts) Verdict {
	events := facts.events
	f := &fence{Verdict{Check: S7}, facts.assignments(), facts}
	journaled := map[string]bool{}
	for i := range events {
		if e := &events[i]; e.Kind == history.Enter {
			journaled[e.Incarnation] = true
			a, at := f.as.of(e)
			f.judge(a, e, at)
		}
	}
	for i := range events {
		if e := &events[i]; e.Kind == history.Started && !journaled[e.Incarnation] {
			f.judge(f.as.known(e), e, e.Seq)
		}
	}
	commits := facts.commits()
	for _, c := range commits {
		f.judge(f.as.known(c.sent), c.sent, c.sent.Seq)
	}
	f.wire(events, commits)
	return f.verdict
}

// learning is how long a member may not know that it was replaced: a heartbeat, which goes
// every 3 seconds, and its answer.
const learning = 4 * time.Second

type fence struct {
	verdict Verdict
	as      *assignments
	events  *facts
}

// judge looks at what began at seq under an assignment.
func (f *fence) judge(a *assignment, e *history.Event, seq uint64) {
	if a == nil {
		return
	}
	if a.taken {
		f.verdict.Compared++
	}
	if other := latest(f.as.byTP[a.tp], seq); other != nil && a.known && other.incarnation != a.incarnation && other.begin > a.begin && other.begin < seq {
		f.replaced(a, other, e, seq)
	}
	if seq > a.end {
		f.verdict.add([]uint64{a.end, e.Seq}, "%s: %s epoch %d: %s of offset %d after its end", e.Incarnation, e.TP(), a.epoch, e.Kind, e.Offset)
	}
}

// replaced looks at a call that began at seq while another assignment was newer. A call
// that has passed the fence may be written down late, so the runtime's time counts.
func (f *fence) replaced(a, other *assignment, e *history.Event, seq uint64) {
	began, passed := f.events.event(other.begin), f.events.event(seq)
	if e.Kind == history.CommitSent || seq > a.end || began == nil || passed == nil || f.as.dropped(a, seq) > 0 {
		return // commits are S4's
	}
	f.verdict.Compared++
	if late := time.Duration(passed.Wall - began.Wall); late > learning {
		f.verdict.add([]uint64{other.begin, e.Seq}, "%s: %s epoch %d: %s of offset %d, %v after %s had the partition",
			a.incarnation, a.tp, a.epoch, e.Kind, e.Offset, late, other.incarnation)
	}
}

// wire looks at commits that the broker took from a member whose assignment had ended.
func (f *fence) wire(events []history.Event, commits []commit) {
	type line struct {
		incarnation string
		place
	}
	sent := map[line][]commit{}
	for _, c := range commits {
		l := line{c.sent.Incarnation, placeOf(c.sent)}
		sent[l] = append(sent[l], c)
	}
	incarnations := map[string]string{} // by member
	for i := range events {
		e := &events[i]
		if e.Kind == history.MemberIs {
			incarnations[e.Member] = e.Incarnation
		}
		incarnation, known := incarnations[e.Member]
		if e.Kind != history.CommitOnWire || e.Result != history.ResultOK || !known {
			continue
		}
		a := latest(f.as.byHolding[holding{incarnation, e.TP()}], e.Seq)
		if a == nil || e.Seq < a.end {
			continue
		}
		f.verdict.Compared++
		if !unanswered(sent[line{incarnation, placeOf(e)}], a.end) {
			f.verdict.add([]uint64{a.end, e.Seq}, "%s: %s epoch %d: the broker took a commit of %d after its end", incarnation, e.TP(), a.epoch, e.Offset)
		}
	}
}

// unanswered reports whether one of commits was sent before seq and its outcome unknown
// by then.
func unanswered(commits []commit, seq uint64) bool {
	for _, c := range commits {
		if c.sent.Seq < seq && (c.answered > seq || c.result == history.ResultUnknown) {
			return true
		}
	}
	return false
}
