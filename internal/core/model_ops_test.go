package core

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/supervision"
)

// TestMain gives the property tests longer and more cases than rapid's defaults,
// where neither the command line nor RAPID_FLAGS says otherwise. The variable is for
// who runs go test without a way to pass flags on, as make mutation does.
func TestMain(m *testing.M) {
	flag.Parse()
	given := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { given[f.Name] = true })
	values := map[string]string{"checks": "800", "steps": "150", "nofailfile": "true"}
	for _, f := range strings.Fields(os.Getenv("RAPID_FLAGS")) {
		name, value, _ := strings.Cut(f, "=")
		values[name] = value
	}
	for name, value := range values {
		if given["rapid."+name] {
			continue
		}
		if err := flag.Set("rapid."+name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// TestModel plays random events against the model, first with every fault, then with
// none, when everything has to finish.
func TestModel(t *testing.T) {
	t.Parallel()
	saw := map[string]int{}
	rapid.Check(t, func(t *rapid.T) { property(t, saw) })
	t.Log(saw)
	want := append(everyType(t), everyOutcome()...)
	for _, what := range append(want,
		"a hand-over of several", "a retry", "a dead letter", "a dead letter that waits", "a dead letter that looped", "a forward sent again",
		"a commit", "a commit refused", "an unknown commit that was stored", "a line that fell", "a line sent once more", "drained", "a loss", "a loss with calls", "a loss with finished records",
		"a rebuild", "a rebuild with a set", "a rebuild with attempts", "a rebuild with a hung lane", "a rebuild with a dead letter",
		"a dead letter of the machine before", "a commit of the set alone", "a commit without its set", "a set that is taken over",
		"attempts that are taken over", "a dead letter that is taken over", "a set that is left behind", "a log that was cut off below the set",
		"a stale *core.Succeeded", "a stale *core.Failed", "a stale *core.Progress", "a stale *core.Forwarded", "a stale *core.Committed", "a stale *core.Freed",
		"an older generation", "a forced restart", "a call that is freed", "everything finished",
		"pause for back-pressure", "pause for delay", "pause for retry", "pause for ahead", "pause for operator", "pause for gap",
		"pause for key-by", "pause for stopped", "paused ahead of refused commits", "a lane that the horizon holds",
	) {
		if saw[what] == 0 {
			t.Errorf("not once: %s", what)
		}
	}
}

func property(t *rapid.T, saw map[string]int) {
	cfg := drawConfig(t)
	j := &judge{model: newModel(cfg), t: t, m: New(cfg, 1, Handoff{}), saw: saw}
	t.Repeat(map[string]func(*rapid.T){
		"fetch":      j.as(j.opFetch),
		"fetch more": j.as(j.opFetch),
		"reposition": j.as(j.opReposition),
		"progress":   j.as(j.opProgress),
		"succeed":    j.as(j.opSucceed),
		"succeed 2":  j.as(j.opSucceed),
		"answer":     j.as(j.opForwarded),
		"fail":       j.as(j.opFail),
		"fail again": j.as(j.opFail),
		"free":       j.as(j.opFree),
		"forwarded":  j.as(j.opForwarded),
		"tick":       j.as(func() { j.step(&Ticked{}, nil) }),
		"committed":  j.as(j.opCommitted),
		"late":       j.as(j.opStoreLate),
		"time":       j.as(j.opTime),
		"wake":       j.as(func() { j.step(&Woke{}, nil) }),
		"pause":      j.as(j.opPause),
		"restart":    j.as(j.opRestart),
		"drain":      j.as(j.opDrain),
		"lose":       j.as(j.opLose),
		"stale":      j.as(j.opStale),
	})
	j.heal()
}

// as runs an operation under the T that rapid made for it.
func (j *judge) as(op func()) func(*rapid.T) {
	return func(t *rapid.T) {
		j.t = t
		op()
	}
}

func drawConfig(t *rapid.T) Config {
	pick := func(name string, from ...time.Duration) time.Duration { return rapid.SampledFrom(from).Draw(t, name) }
	n := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	s := time.Second
	return Config{
		Lanes:         n("lanes", 1, 4),
		Delay:         pick("delay", 0, 0, s, 5*s),
		MaxSkew:       pick("skew", 0, 2*s),
		MaxAttempts:   n("attempts", 0, 3),
		DeadLetter:    n("dead_letters", 0, 3) > 0,
		Retry:         supervision.Backoff{Min: s, Max: 4 * s},
		ForwardRetry:  supervision.Backoff{Min: s, Max: 2 * s},
		Supervision:   supervision.Policy{MaxRestarts: n("restarts", -1, 2), Within: 10 * s, Backoff: supervision.Backoff{Min: 500 * time.Millisecond, Max: 4 * s}},
		BufferRecords: n("records", 1, 14),
		BufferBytes:   rapid.Int64Range(40, 400).Draw(t, "bytes"),
		MaxAhead:      n("ahead", 2, 24),
		MaxForwards:   n("forwards", 1, 2),
		Room:          rapid.SampledFrom([]int64{0, 0, 4, 9, 20}).Draw(t, "room"),
		HandOverMax:   n("hand_over", 1, 5),
		HandOverTime:  100 * time.Millisecond,
		Doubt:         pick("doubt", s, 5*s),
	}
}

// lane draws a lane that ok likes, or returns nil.
func (j *judge) lane(ok func(*modelLane) bool) *modelLane {
	var some []*modelLane
	for _, l := range j.lanes {
		if ok(l) {
			some = append(some, l)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[rapid.IntRange(0, len(some)-1).Draw(j.t, "lane")]
}

func (j *judge) millis(name string, from ...int) time.Duration {
	return time.Duration(rapid.SampledFrom(from).Draw(j.t, name)) * time.Millisecond
}

func called(l *modelLane) bool { return l.call != nil }

func (j *judge) opFetch() {
	if j.paused != 0 && rapid.IntRange(0, 3).Draw(j.t, "in flight already") > 0 {
		return
	}
	for n := rapid.IntRange(1, 5).Draw(j.t, "records"); len(j.log)-j.position < n; {
		j.produce()
	}
	n := rapid.IntRange(1, min(5, len(j.log)-j.position)).Draw(j.t, "fetched")
	j.fetch(n)
}

// produce appends a record to the log.
func (j *judge) produce() {
	offset := j.tail
	if n := len(j.log); n > 0 {
		offset = max(offset, j.log[n-1].Offset+1)
	}
	now := j.now.UnixMilli()
	r := Record{
		Offset:    offset + rapid.SampledFrom([]int64{0, 0, 1, 3}).Draw(j.t, "hole"),
		Timestamp: rapid.SampledFrom([]int64{now, now - 4000, now + 1500, now + 100_000, -1, 0, math.MaxInt64, math.MinInt64}).Draw(j.t, "timestamp"),
		Bytes:     rapid.Int32Range(0, 60).Draw(j.t, "bytes"),
		Control:   rapid.IntRange(0, 9).Draw(j.t, "control") == 9,
	}
	r.Looped = rapid.IntRange(0, 9).Draw(j.t, "looped") == 9
	r.Handle = r.Offset
	if !r.Control {
		r.Lane = LaneID(rapid.IntRange(0, j.cfg.Lanes-1).Draw(j.t, "lane"))
	}
	j.log = append(j.log, &entry{Record: r, leader: j.leader})
}

func (j *judge) fetch(n int) {
	for j.log[j.position+n-1].leader != j.log[j.position].leader {
		n--
	}
	entries := j.log[j.position : j.position+n]
	ev := &Fetched{Gen: j.gen, LeaderEpoch: entries[0].leader}
	for _, e := range entries {
		ev.Records = append(ev.Records, e.Record)
	}
	if j.gen > 0 && rapid.IntRange(0, 5).Draw(j.t, "older") == 0 {
		ev.Gen--
		j.saw["an older generation"]++
		j.step(ev, nil)
		return
	}
	j.position += n
	j.step(ev, func() []string { return j.fetched(entries) })
}

// opReposition leaves a gap behind the log.
func (j *judge) opReposition() {
	if j.position < len(j.log) {
		return
	}
	ev := &Repositioned{Gen: j.gen + 1, To: j.tail + rapid.Int64Range(0, 9).Draw(j.t, "gap")}
	j.step(ev, func() []string {
		j.gen, j.tail = ev.Gen, ev.To
		return nil
	})
}

func (j *judge) opProgress() {
	l := j.lane(called)
	if l == nil {
		return
	}
	ev := &Progress{*l.call, rapid.IntRange(0, l.begun).Draw(j.t, "done")}
	j.step(ev, func() []string {
		j.complete(l, ev.Done)
		return nil
	})
}

func (j *judge) opSucceed() {
	if l := j.lane(called); l != nil {
		j.succeed(l, j.millis("took", 0, 49, 50, 100, 101))
	}
}

func (j *judge) succeed(l *modelLane, took time.Duration) {
	ev := &Succeeded{*l.call, took}
	j.step(ev, func() []string {
		j.succeeded(l, took)
		return nil
	})
	j.stale = append(j.stale, ev)
}

func (j *judge) opFail() {
	l := j.lane(func(l *modelLane) bool { return l.call != nil && l.done < l.begun })
	if l == nil {
		return
	}
	ev := &Failed{Call: *l.call, Done: rapid.IntRange(l.done, l.begun-1).Draw(j.t, "done")}
	ev.Result = Result{
		Kind:      rapid.SampledFrom([]Kind{Error, Error, Error, Panic, RetryAfter, Snooze, Discard, Timeout, Interrupted, Hung, StartFailed}).Draw(j.t, "kind"),
		After:     j.millis("after", 0, 700, 3000),
		Directive: rapid.SampledFrom([]supervision.Directive{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 3}).Draw(j.t, "directive"),
		Err:       errors.New("failed"),
	}
	if k := ev.Result.Kind; (k == Interrupted || k == Hung) && rapid.Bool().Draw(j.t, "past its last record") {
		ev.Done = l.begun
	}
	ev.Jitter = rapid.SampledFrom([]float64{0, 0.25, 0.5}).Draw(j.t, "jitter")
	j.step(ev, func() []string { return j.failed(l, ev) })
	j.saw[fmt.Sprintf("kind %d", ev.Result.Kind)]++
	j.saw[fmt.Sprintf("directive %d", ev.Result.Directive)]++
	j.stale = append(j.stale, ev)
}

func (j *judge) opFree() {
	l := j.lane(func(l *modelLane) bool { return l.hung })
	if l == nil {
		return
	}
	ev := &Freed{Lane: l.id}
	if rapid.Bool().Draw(j.t, "named") && l.hungBy != (Call{}) {
		ev.Call = l.hungBy
		j.stale = append(j.stale, &Freed{Lane: l.id, Call: l.hungBy})
	}
	j.step(ev, func() []string {
		l.hung, l.hungBy = false, Call{}
		return nil
	})
	j.saw["a call that is freed"]++
}

func (j *judge) opForwarded() {
	l := j.lane(func(l *modelLane) bool { return l.forward != nil && l.forward.flying })
	if l == nil {
		return
	}
	ev := &Forwarded{Epoch: j.epoch, Seq: l.forward.seq, Jitter: 0.5}
	if rapid.Bool().Draw(j.t, "refused") {
		ev.Err = errors.New("refused")
	}
	j.forwardAnswered(l, ev)
}

func (j *judge) forwardAnswered(l *modelLane, ev *Forwarded) {
	j.step(ev, func() []string {
		j.forwarded(l, ev)
		return nil
	})
	if ev.Err == nil {
		j.stale = append(j.stale, ev)
	}
}

func (j *judge) opCommitted() {
	if len(j.commits) > 0 {
		j.answerCommit(rapid.SampledFrom(outcomes).Draw(j.t, "outcome"))
	}
}

func (j *judge) answerCommit(o outcome) {
	c := j.commits[0]
	j.store(o)
	ev := &Committed{Epoch: c.sent.Epoch, Seq: c.sent.Seq, OK: o.ok, Late: o.late, Plain: o.plain}
	j.step(ev, func() []string {
		j.commits, j.again, j.refused = nil, !o.ok || o.plain, !o.ok
		if o.ok {
			j.acked = c.sent.Next
		}
		if o.ok && !o.plain {
			j.known = c.says
		}
		j.answered(o)
		return nil
	})
	j.stale = append(j.stale, ev)
	j.count("a commit refused", !o.ok)
	j.count("a commit without its set", o.plain && c.says != "")
}

func (j *judge) opTime() {
	j.now = j.now.Add(j.millis("passed", 1, 499, 1000, 2500, 7000))
}

func (j *judge) opPause() {
	r := rapid.SampledFrom([]Reason{Operator, GapStop, KeyBy}).Draw(j.t, "reason")
	if j.outside.Has(r) {
		j.resume(r)
		return
	}
	j.step(&Paused{r}, func() []string {
		j.outside |= 1 << r
		return nil
	})
}

func (j *judge) resume(r Reason) {
	j.step(&Resumed{r}, func() []string {
		j.outside &^= 1 << r
		return nil
	})
}

func (j *judge) opRestart() {
	l := j.lane(func(*modelLane) bool { return true })
	j.restartLane(l, rapid.Bool().Draw(j.t, "force"))
}

func (j *judge) restartLane(l *modelLane, force bool) {
	j.count("a forced restart", force && l.hung && !j.frozen())
	if force && l.hung && l.hungBy != (Call{}) && !j.frozen() {
		j.stale = append(j.stale, &Freed{Lane: l.id, Call: l.hungBy})
	}
	j.step(&Restart{Lane: l.id, Force: force}, func() []string { return j.restart(l, force) })
}

// opDrain is rare, but after an escalation; a drained machine is rebuilt.
func (j *judge) opDrain() {
	switch {
	case j.drained:
		j.rebuild()
	case j.frozen() || rapid.IntRange(0, 9).Draw(j.t, "at all") == 0:
		j.drain(rapid.IntRange(0, 3).Draw(j.t, "now") == 0)
	}
}

func (j *judge) drain(now bool) {
	j.count("a drain that is cut short", now && j.filling)
	j.step(&Drain{Now: now}, func() []string {
		j.filling = !now && !j.escalated && (j.filling || !j.draining)
		j.draining = true
		if _, doubted := j.doubt(); now && doubted {
			j.again = true
		}
		return nil
	})
}

// rebuild begins a new machine from what the old one hands off.
func (j *judge) rebuild() {
	h := j.m.Handoff()
	j.checkHandoff(h)
	if len(j.commits) > 0 {
		j.store(rapid.SampledFrom(outcomes).Draw(j.t, "the commit on its way"))
	}
	j.late()
	j.begin()
	j.take(h)
	j.saw["a rebuild"]++
	j.count("a rebuild with a set", len(h.Done) > 0)
	j.count("a rebuild with attempts", len(h.Attempts) > 0)
	j.count("a rebuild with a dead letter", len(h.DeadLetters) > 0)
	j.count("a rebuild with a hung lane", len(h.Hung) > 0)
}

// checkHandoff: the set is exactly what is finished above the line, and attempts are
// those of what is not.
func (j *judge) checkHandoff(h Handoff) {
	var dead []string
	for _, e := range j.log {
		if e.over > 0 && !e.finished {
			dead = append(dead, fmt.Sprintf("%d after %d from %s to %s", e.Offset, e.attempts, since(e.first), since(e.last)))
		}
	}
	j.checkSet(h.Done, h.Attempts, h.LeaderEpoch)
	if h.Next != j.line {
		j.t.Fatalf("hand-off %+v, want from %d", h, j.line)
	}
	var got []string
	for _, d := range h.DeadLetters {
		if j.of(d.Offset, h.LeaderEpoch) != nil {
			got = append(got, fmt.Sprintf("%d after %d from %s to %s", d.Offset, d.Failure.Attempt, since(d.First), since(d.Last)))
		}
	}
	if !slices.Equal(got, dead) {
		j.t.Fatalf("dead letters of the hand-off %q, want %q", got, dead)
	}
	for _, l := range j.lanes {
		hung := false
		for _, id := range h.Hung {
			hung = hung || id == l.id
		}
		if hung != l.hung {
			j.t.Fatalf("hand-off: lane %d is hung: %t", l.id, hung)
		}
	}
}

// of is the record of the log that is meant by an offset under a leader epoch; nil: it was
// cut off.
func (m *model) of(at Offset, leader int32) *entry {
	for _, e := range m.log {
		if e.Offset == at && e.leader <= leader {
			return e
		}
	}
	return nil
}

// checkSet: it is exactly what is finished above the line, and attempts are those of what
// is not. Of what was cut off the log it may still speak.
func (j *judge) checkSet(done []Run, tried []Attempt, leader int32) {
	j.t.Helper()
	for i, r := range done {
		if r.From >= r.To || i > 0 && r.From <= done[i-1].To || r.From < j.line {
			j.t.Fatalf("S17: the set is not runs apart from %d on: %v", j.line, done)
		}
	}
	var want, got []Attempt
	for _, e := range j.log {
		in := e.leader <= leader && slices.ContainsFunc(done, func(r Run) bool { return r.From <= e.Offset && e.Offset < r.To })
		if want := e.finished && e.Offset >= j.line; in != want && !e.Control {
			j.t.Fatalf("S17: %d in the set: %t, want %t: %v", e.Offset, in, want, done)
		}
		if e.attempts > 0 && !e.finished {
			want = append(want, Attempt{Offset: e.Offset, Count: e.attempts, GivenUp: e.over > 0})
		}
	}
	for _, a := range tried {
		if j.of(a.Offset, leader) != nil {
			got = append(got, a)
		}
	}
	if !slices.Equal(got, want) {
		j.t.Fatalf("S17: attempts %v, want %v", got, want)
	}
}

// opStale reports what is over, or another epoch's. It changes nothing.
func (j *judge) opStale() {
	stale := j.stale
	for _, l := range j.lanes {
		if l.call != nil {
			other := *l.call
			other.Epoch--
			stale = append(stale, &Succeeded{Call: other}, &Failed{Call: other}, &Progress{Call: other, Done: 1})
		}
		if f := l.forward; f != nil && f.flying {
			stale = append(stale, &Forwarded{Epoch: j.epoch + 1, Seq: f.seq}, &Forwarded{Epoch: j.epoch, Seq: f.seq + uint64(j.cfg.Lanes)})
		}
	}
	for _, c := range j.commits {
		stale = append(stale, &Committed{Epoch: c.sent.Epoch - 1, Seq: c.sent.Seq, OK: true}, &Committed{Epoch: c.sent.Epoch, Seq: c.sent.Seq - 1, OK: true})
	}
	if len(stale) == 0 {
		return
	}
	ev := stale[rapid.IntRange(0, len(stale)-1).Draw(j.t, "stale")]
	if f, ok := ev.(*Freed); ok {
		if l := j.lanes[f.Lane]; l.hung && (l.hungBy == Call{} || l.hungBy == f.Call) {
			return
		}
	}
	j.step(ev, nil)
	j.saw[fmt.Sprintf("a stale %T", ev)]++
}
