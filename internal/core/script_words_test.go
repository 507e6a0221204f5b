package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// configure reads field=value over testConfig.
func (p *player) configure(words []string) {
	p.t.Helper()
	c := &p.cfg
	ints := map[string]*int{
		"lanes": &c.Lanes, "attempts": &c.MaxAttempts, "records": &c.BufferRecords, "ahead": &c.MaxAhead,
		"forwards": &c.MaxForwards, "hand-over": &c.HandOverMax, "restarts": &c.Supervision.MaxRestarts,
	}
	durations := map[string]*time.Duration{"delay": &c.Delay, "skew": &c.MaxSkew, "hand-over-time": &c.HandOverTime, "doubt": &c.Doubt}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch {
		case ints[name] != nil:
			*ints[name] = int(p.number(value))
		case durations[name] != nil:
			*durations[name] = p.duration(value)
		case name == "room":
			c.Room = p.number(value)
		case name == "bytes":
			c.BufferBytes = p.number(value)
		case name == "dead-letters":
			c.DeadLetter = value == "on"
		default:
			p.t.Fatalf("no field %q", name)
		}
	}
}

// handoff reads next=N done=FROM-TO attempts=OFFSET:COUNT[!] leader=N hung=LANE
// uncommitted in-doubt.
func (p *player) handoff(words []string) Handoff {
	p.t.Helper()
	var h Handoff
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "next":
			h.Next = p.number(value)
		case "done":
			from, to, _ := strings.Cut(value, "-")
			h.Done = append(h.Done, Run{From: p.number(from), To: p.number(to)})
		case "attempts":
			value, dead := strings.CutSuffix(value, "!")
			at, count, _ := strings.Cut(value, ":")
			a := Attempt{Offset: p.number(at), Count: int(p.number(count)), GivenUp: dead}
			h.Attempts = append(h.Attempts, a)
			if dead {
				h.DeadLetters = append(h.DeadLetters, DeadLetter{Offset: a.Offset, Failure: supervision.Failure{Attempt: a.Count}})
			}
		case "leader":
			h.LeaderEpoch = int32(p.number(value))
		case "hung":
			h.Hung = append(h.Hung, p.lane(value))
		case "uncommitted":
			h.Uncommitted = true
		case "in-doubt":
			h.InDoubt = true
		default:
			p.t.Fatalf("no part of a hand-off: %q", w)
		}
	}
	return h
}

// lane a is lane 0.
func (p *player) lane(w string) LaneID {
	p.t.Helper()
	if len(w) != 1 || w[0] < 'a' || w[0] > 'z' {
		p.t.Fatalf("no lane: %q", w)
	}
	return LaneID(w[0] - 'a')
}

// call reads LANE, the lane's last call, or LANE#SEQ, or LANE#SEQ/EPOCH.
func (p *player) call(w string) Call {
	p.t.Helper()
	lane, seq, ok := strings.Cut(w, "#")
	c := p.calls[p.lane(lane)]
	if ok {
		seq, epoch, old := strings.Cut(seq, "/")
		c = Call{Epoch: 1, Lane: p.lane(lane), Seq: uint64(p.number(seq))}
		if old {
			c.Epoch = uint64(p.number(epoch))
		}
	}
	return c
}

func (p *player) number(w string) int64 {
	p.t.Helper()
	n, err := strconv.ParseInt(w, 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *player) duration(w string) time.Duration {
	p.t.Helper()
	d, err := time.ParseDuration(w)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func (p *player) reason(w string) Reason {
	p.t.Helper()
	for r := range reasons {
		if r.String() == w {
			return r
		}
	}
	p.t.Fatalf("no reason: %q", w)
	return 0
}

// answer prints an effect.
func (p *player) answer(e Effect) {
	switch e := e.(type) {
	case *HandOver:
		p.calls[e.Call.Lane] = e.Call
		p.printHandOver(e)
	case *Forward:
		p.fwds[e.Lane] = *e
		p.printf("forward %s %d after %d deliveries: %v; failed from %s to %s", name(e.Lane), e.Record.Offset,
			e.Failure.Attempt, e.Failure.Err, since(e.First), since(e.Last))
	case *Cancel:
		p.printf("cancel %s", name(e.Call.Lane))
	case *Commit:
		p.sent = *e
		p.printf("commit %d%s", e.Next, besides(e))
	case *WakeAt:
		p.printf("wake me at %s", since(e.At))
	case *PauseSet:
		p.printf("pause for %s", set(e.Now))
	case *Drained:
		p.printf("drained")
	case *SkewCapped:
		p.printf("timestamp of %d is too far ahead", e.Record.Offset)
	case *Restarted:
		p.printf("new behavior for %s%s", name(e.Lane), why(e))
	case *Halted:
		p.printf("halt %s: %v", name(e.Lane), e.Failure.Err)
	case *Escalate:
		p.printf("escalate %s: %v, %d deliveries, %d restarts", name(e.Lane), e.Failure.Err, e.Failure.Attempt, e.Failure.Restarts)
	case *Quarantined:
		p.printf("quarantine %s at %d: %v", name(e.Lane), e.Offset, e.Err)
	case *Retrying:
		p.printf("retry %s %d after %d deliveries, at %s", name(e.Lane), e.Offset, e.Attempt, since(e.At))
	}
}

func (p *player) printHandOver(e *HandOver) {
	text := fmt.Sprintf("hand over %s#%d %v", name(e.Call.Lane), e.Call.Seq, offsetsOf(e.Records))
	if e.Attempt != 1 {
		text += fmt.Sprintf(" attempt %d", e.Attempt)
	}
	if e.Restarts != 0 {
		text += fmt.Sprintf(" restarts %d", e.Restarts)
	}
	if e.Due != 0 {
		text += " due " + since(time.Unix(0, e.Due))
	}
	p.printf("%s", text)
}

func (p *player) printStats() {
	var s Stats
	p.m.Stats(&s)
	p.printf("next %d position %d, buffered %d of %d bytes, ahead %d, in flight %d, forwarding %d, quarantined %d",
		s.Next, s.Position, s.Buffered, s.Bytes, s.Ahead, s.InFlight, s.Forwarding, s.Quarantined)
	p.printf("paused for %s, waiting until %s, oldest %d, drained %t", set(s.Reasons), since(s.Waiting), s.Oldest.Offset, s.Drained)
	for _, l := range s.Lanes {
		p.printf("%s %s, queued %d of %d bytes, in flight %d, head %d after %d deliveries, restarts %d, until %s, error %v",
			name(l.Lane), l.State, l.Queued, l.Bytes, l.InFlight, l.Head, l.Attempt, l.Restarts, since(l.Until), l.Err)
	}
}

func (p *player) printHandoff(h Handoff) {
	p.printf("next %d, done %v, attempts %v, hung %v, uncommitted %t", h.Next, h.Done, counts(h.Attempts), h.Hung, h.Uncommitted)
	if h.InDoubt {
		p.printf("in doubt")
	}
	for _, d := range h.DeadLetters {
		p.printf("dead letter %d after %d deliveries: %v; failed from %s to %s", d.Offset, d.Failure.Attempt, d.Failure.Err,
			since(d.First), since(d.Last))
	}
}

// besides is what a commit says besides its line.
func besides(e *Commit) string {
	text := ""
	if len(e.Done) > 0 {
		text += fmt.Sprintf(", done %v", e.Done)
	}
	if len(e.Attempts) > 0 {
		text += fmt.Sprintf(", attempts %v", counts(e.Attempts))
	}
	if text != "" && e.LeaderEpoch != 0 {
		text += fmt.Sprintf(", leader %d", e.LeaderEpoch)
	}
	return text
}

// counts are attempts as the scripts write them; ! was given up.
func counts(attempts []Attempt) []string {
	var all []string
	for _, a := range attempts {
		text := fmt.Sprintf("%d:%d", a.Offset, a.Count)
		if a.GivenUp {
			text += "!"
		}
		all = append(all, text)
	}
	return all
}

func why(e *Restarted) string {
	switch {
	case e.Forced:
		return ", forced"
	case e.Failure.Err == nil:
		return ", asked for"
	}
	return fmt.Sprintf(": %v", e.Failure.Err)
}

func name(l LaneID) string { return string(rune('a' + l)) }

func offsetsOf(rs []Record) []Offset {
	var at []Offset
	for _, r := range rs {
		at = append(at, r.Offset)
	}
	return at
}

// since is a time as the scripts write it.
func since(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%+v", t.Sub(scriptStart))
}

func set(s ReasonSet) string {
	var names []string
	for r := range s.All {
		names = append(names, r.String())
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(slices.Clone(names), " and ")
}
