package core

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// judge holds a machine against the model, step by step.
type judge struct {
	*model
	t      *rapid.T
	m      *Machine
	paused ReasonSet // as told
	stale  []Event   // of calls, forwards and commits that are over
	stats  Stats

	underway []underway

	saw map[string]int
}

// step takes one event through both. apply is the model's side of it.
func (j *judge) step(ev Event, apply func() []string) {
	j.t.Helper()
	defer func() {
		if r := recover(); r != nil && strings.HasPrefix(fmt.Sprint(r), "invariant broken") {
			j.t.Fatalf("the machine's own invariant: %v", r)
		} else if r != nil {
			panic(r)
		}
	}()
	var want []string
	if apply != nil {
		want = apply()
	}
	j.condemnAll()
	want = append(want, j.renewals()...)
	if _, woke := ev.(*Woke); woke {
		j.asked = time.Time{}
	}
	var got []string
	j.saw[fmt.Sprintf("%T", ev)]++
	for _, e := range j.m.Step(j.now, ev, nil) {
		j.saw[fmt.Sprintf("%T", e)]++
		if s := j.effect(ev, e); s != "" {
			got = append(got, s)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		j.t.Fatalf("effects of %T %+v:\n got %q\nwant %q", ev, ev, got, want)
	}
	j.settled(ev)
}

// effect judges one effect. Those that the model foretells are returned as text.
func (j *judge) effect(ev Event, e Effect) string {
	j.t.Helper()
	switch e := e.(type) {
	case *HandOver:
		j.handOver(e)
	case *Forward:
		j.sent(e)
	case *Commit:
		j.commit(ev, e)
	case *WakeAt:
		if e.At.Equal(j.asked) {
			j.t.Fatalf("asked twice for %s", since(e.At))
		}
		j.asked = e.At
	case *PauseSet:
		if e.Was != j.paused || e.Now == j.paused {
			j.t.Fatalf("pause changes from %s to %s, was %s", set(e.Was), set(e.Now), set(j.paused))
		}
		j.paused = e.Now
	case *Drained:
		j.drainedNow()
	case *SkewCapped:
		return fmt.Sprintf("skew %d", e.Record.Offset)
	case *Cancel:
		if j.lanes[e.Call.Lane].call == nil || e.Call != *j.lanes[e.Call.Lane].call {
			j.t.Fatalf("canceled %+v", e.Call)
		}
		return fmt.Sprintf("cancel %d", e.Call.Lane)
	case *Restarted:
		j.count("a new behavior in a drain", j.draining)
		if e.Forced {
			return fmt.Sprintf("restarted %d forced", e.Lane)
		}
		return fmt.Sprintf("restarted %d", e.Lane)
	case *Halted:
		return fmt.Sprintf("halted %d", e.Lane)
	case *Escalate:
		return fmt.Sprintf("escalate %d", e.Lane)
	case *Quarantined:
		return fmt.Sprintf("quarantined %d at %d", e.Lane, e.Offset)
	case *Retrying:
		return fmt.Sprintf("retry %d at %d after %d until %s", e.Lane, e.Offset, e.Attempt, since(e.At))
	}
	return ""
}

// handOver: nothing starts early, out of order, twice, or where nothing may.
func (j *judge) handOver(e *HandOver) {
	j.t.Helper()
	l := j.lanes[e.Call.Lane]
	j.calls++
	switch {
	case l.call != nil:
		j.t.Fatalf("S6: lane %d has a hand-over in flight", l.id)
	case j.limit(l) < 0:
		j.t.Fatalf("S7: a hand-over begins in a machine that drains, failed or is paused")
	case l.hung:
		j.t.Fatalf("quarantine: lane %d begins while a call of it runs", l.id)
	case l.stopped:
		j.t.Fatalf("lane %d is stopped", l.id)
	case l.doomed != nil:
		j.t.Fatalf("lane %d begins with a head that is a dead letter", l.id)
	case j.now.Before(l.until):
		j.t.Fatalf("lane %d waits until %s, and begins at %s", l.id, since(l.until), since(j.now))
	case e.Call.Epoch != j.epoch || e.Call.Seq != j.calls:
		j.t.Fatalf("call %+v, want number %d of epoch %d", e.Call, j.calls, j.epoch)
	}
	queue := j.queue(l)
	if len(e.Records) == 0 || len(e.Records) > len(queue) || e.Records[0].Offset != queue[0].Offset {
		j.t.Fatalf("S5: lane %d is given %v, its queue is %v", l.id, offsetsOf(e.Records), at(queue))
	}
	for i, r := range e.Records {
		switch {
		case r != queue[i].Record:
			j.t.Fatalf("S5: lane %d is given %v, its queue is %v", l.id, offsetsOf(e.Records), at(queue))
		case r.Offset < l.last:
			j.t.Fatalf("S5: lane %d: %d begins after %d", l.id, r.Offset, l.last)
		case queue[i].due > j.now.UnixNano():
			j.t.Fatalf("S8: %d is due at %d, handed over at %d", r.Offset, queue[i].due, j.now.UnixNano())
		case r.Offset >= j.limit(l):
			j.t.Fatalf("S7: a hand-over of %d in a drain, which is no gap below %d", r.Offset, j.limit(l))
		case i > 0 && queue[i].attempts > 0:
			j.t.Fatalf("%d has %d attempts, and is not first", r.Offset, queue[i].attempts)
		}
	}
	if n := j.reach(l); n != len(e.Records) {
		j.t.Fatalf("lane %d is given %d records, want %d", l.id, len(e.Records), n)
	}
	if head := queue[0]; e.Attempt != head.attempts+1 || e.Due != head.due || e.Restarts != j.spent(l) {
		j.t.Fatalf("hand-over of %d: attempt %d due %d restarts %d, want %d %d %d",
			head.Offset, e.Attempt, e.Due, e.Restarts, head.attempts+1, head.due, j.spent(l))
	}
	call := e.Call
	l.call, l.begun, l.done, l.until, l.last = &call, len(e.Records), 0, time.Time{}, queue[0].Offset
	j.filled = j.filled || j.filling
	j.count("a gap that is filled", j.filling)
	j.count("a gap that is filled by several", j.filling && l.begun > 1)
	j.count("a retry", e.Attempt > 1)
	j.count("a hand-over of several", l.begun > 1)
}

func (j *judge) count(what string, ok bool) {
	if ok {
		j.saw[what]++
	}
}

// sent: only a doomed head, or a forward that failed.
func (j *judge) sent(e *Forward) {
	j.t.Helper()
	l := j.lanes[e.Lane]
	if !j.mustForward(l) {
		j.t.Fatalf("dead letter %d of lane %d is sent, and must not be", e.Record.Offset, l.id)
	}
	if f := l.forward; f != nil {
		j.saw["a forward sent again"]++
		if e.Seq != f.seq {
			j.t.Fatalf("forward %d sent again as %d", f.seq, e.Seq)
		}
		f.flying = true
		return
	}
	f := l.doomed
	head := j.queue(l)[0]
	if f.record != head || e.Record != head.Record {
		j.t.Fatalf("dead letter %d, want %d", e.Record.Offset, f.record.Offset)
	}
	if e.Failure.Attempt != head.attempts || !e.First.Equal(head.first) || !e.Last.Equal(f.last) {
		j.t.Fatalf("forward %+v after %d deliveries, want %d from %s to %s", e, e.Failure.Attempt, head.attempts, since(head.first), since(f.last))
	}
	f.seq, f.flying = e.Seq, true
	head.forwarding = true
	l.forward, l.doomed = f, nil
	j.condemn(l)
	j.saw["a dead letter"]++
	j.count("a dead letter of the machine before", head.over < j.epoch)
}

// commit: the line, and never past what is unfinished.
func (j *judge) commit(ev Event, e *Commit) {
	j.t.Helper()
	if _, ok := ev.(*Ticked); !ok || len(j.commits) > 0 {
		j.t.Fatalf("S3: a commit after %T, with %d unanswered", ev, len(j.commits))
	}
	for _, u := range j.unfinished() {
		if u.Offset < e.Next {
			j.t.Fatalf("S2: commit %d passes %d, which is not finished", e.Next, u.Offset)
		}
	}
	if e.Next < j.acked {
		j.t.Fatalf("S3: commit %d after %d", e.Next, j.acked)
	}
	j.line = j.wantLine()
	if e.Next != j.line || e.Epoch != j.epoch || !j.mustCommit() {
		j.t.Fatalf("commit %d of epoch %d, want %d of %d after %d", e.Next, e.Epoch, j.line, j.epoch, j.acked)
	}
	j.checkSet(e.Done, e.Attempts, e.LeaderEpoch)
	j.count("a commit of the set alone", e.Next == j.acked && !j.again)
	if j.committed++; e.Seq != j.committed {
		j.t.Fatalf("commit %d of its epoch is numbered %d", j.committed, e.Seq)
	}
	c := *e
	c.Done, c.Attempts = slices.Clone(e.Done), slices.Clone(e.Attempts)
	j.commits, j.sentAt = append(j.commits, sentCommit{sent: c, says: j.says()}), j.now
	since, doubted := j.doubt()
	j.count("a line sent once more", e.Next == j.acked && !j.again && doubted && !j.now.Before(since))
	j.saw["a commit"]++
}

// inFlight counts calls and forwards.
func (j *judge) inFlight() (int, int) {
	calls, flying := 0, 0
	for _, l := range j.lanes {
		if l.call != nil {
			calls++
		}
		if l.forward != nil && l.forward.flying {
			flying++
		}
	}
	return calls, flying
}

func (j *judge) drainedNow() {
	j.t.Helper()
	if calls, flying := j.inFlight(); !j.draining || j.drained || calls+flying > 0 {
		j.t.Fatalf("drained, with %d calls and %d forwards in flight", calls, flying)
	}
	j.drained = true
	if gaps := j.gaps(); j.filling && len(gaps) > 0 {
		j.t.Fatalf("S7: drained, and %v below %d could be finished", at(gaps), j.top())
	}
	j.saw["drained"]++
	j.count("drained with gaps filled", j.filling && j.filled)
	j.count("drained with nothing finished above the line", j.filling && j.filled && j.wantLine() > j.top())
	j.count("drained with a line held back", j.filling && j.filled && j.wantLine() < j.top())
}

// settled holds the state after a step against the model: what had to happen did.
func (j *judge) settled(ev Event) {
	j.t.Helper()
	for _, l := range j.lanes {
		if j.ready(l) {
			j.t.Fatalf("lane %d could begin %v, and does not", l.id, at(j.queue(l)))
		}
		if j.mustForward(l) {
			j.t.Fatalf("lane %d could forward, and does not", l.id)
		}
		if l.doomed != nil && !j.held() {
			j.saw["a dead letter that waits"]++
		}
	}
	if line := j.wantLine(); j.m.Next() != line || line < j.line {
		j.t.Fatalf("line %d, want %d, was %d", j.m.Next(), line, j.line)
	}
	j.line = j.wantLine()
	if _, ok := ev.(*Ticked); ok && len(j.commits) == 0 && j.mustCommit() {
		j.t.Fatalf("no commit of %d", j.line)
	}
	if at := j.wantWake(); !at.IsZero() && !at.Equal(j.asked) {
		j.t.Fatalf("wakes at %s, want %s", since(j.asked), since(at))
	}
	if calls, flying := j.inFlight(); j.draining && !j.drained && calls+flying == 0 {
		j.t.Fatalf("not drained")
	}
	j.count("a dead letter that looped", j.looped > 0)
	if horizon, _ := j.horizon(); horizon < math.MaxInt64 {
		for _, l := range j.lanes {
			q := j.queue(l)
			j.count("a lane that the horizon holds", len(q) > 0 && q[0].Offset >= horizon && l.call == nil)
		}
	}
	j.reasons()
	j.compareStats()
	j.invariants()
}

// reasons: a pause tells the truth. A frozen machine may be behind with why the
// buffer is full, but not with that.
func (j *judge) reasons() {
	j.t.Helper()
	got, want := j.paused, j.wantReasons()
	why := ReasonSet(1<<BackPressure | 1<<Delayed | 1<<Retried | 1<<Stopped)
	if j.frozen() && (got&why != 0) == (want&why != 0) {
		got, want = got&^why, want&^why
	}
	if got != want {
		j.t.Fatalf("pause for %s, want %s", set(got), set(want))
	}
	for r := range want.All {
		j.saw["pause for "+r.String()]++
	}
	j.count("paused ahead of refused commits", want.Has(Ahead) && j.aheadOf(j.wantLine()) <= j.cfg.MaxAhead/2)
}

func (j *judge) compareStats() {
	j.t.Helper()
	j.m.Stats(&j.stats)
	s := &j.stats
	want := Stats{
		Next: j.line, Position: j.tail, Buffered: len(j.unfinished()), Bytes: j.bytes(), Ahead: j.aheadOf(j.wantLine()),
		Forwarding: j.unacked(), Drained: j.drained,
	}
	for _, l := range j.lanes {
		if l.hung {
			want.Quarantined++
		}
		if l.call != nil {
			want.InFlight += l.begun - l.done
		}
		if f := l.forward; f != nil {
			want.ForwardTries = max(want.ForwardTries, f.tries)
			if want.ForwardSince.IsZero() || f.last.Before(want.ForwardSince) {
				want.ForwardSince = f.last
			}
		}
		q, ls := j.queue(l), s.Lanes[l.id]
		if ls.Queued == len(q) && len(q) > 0 && ls.Head != q[0].Offset {
			j.t.Fatalf("S5: the head of lane %d is %d, want %v", l.id, ls.Head, at(q))
		}
		if ls.Queued != len(q) || len(q) > 0 && ls.Attempt != q[0].attempts {
			j.t.Fatalf("stats of lane %+v, want %v", ls, at(q))
		}
	}
	if u := j.unfinished(); len(u) > 0 {
		want.Oldest = Oldest{u[0].Offset, u[0].Timestamp}
	}
	got := *s
	got.Lanes, got.Reasons, got.Waiting = nil, 0, want.Waiting
	if fmt.Sprint(got) != fmt.Sprint(want) {
		j.t.Fatalf("stats\n got %+v\nwant %+v", got, want)
	}
}

func at(entries []*entry) []Offset {
	var offsets []Offset
	for _, e := range entries {
		offsets = append(offsets, e.Offset)
	}
	return offsets
}
