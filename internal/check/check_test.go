package check_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// wholeRun is a healthy one that gives every check something to compare.
func wholeRun() []ev {
	return run(
		ev{Kind: history.Canary, Text: "secret"}, ev{Kind: history.Logged, Text: "fine"},
		assigned(1), acked(0), acked(1), acked(3), epoch(1, span(history.Fetched, 0, 4)), lane(1, epoch(1, of(history.RetryScheduled, 3))),
		started(1, 0), due(8*micro, enter(0)), leave(0), started(1, 1), enter(1), leave(1), lane(1, started(1, 3)), lane(1, key("l", enter(3))), lane(1, key("l", leave(3))),
		epoch(1, sent(2)), epoch(1, ok(2)), committed(0), committed(2),
		sampled(history.Sample{Buffered: 1, MaxBuffered: 2}),
		acked(4), epoch(1, span(history.Fetched, 4, 5)), dest("dlq", epoch(1, of(history.Forwarded, 4))),
		epoch(1, sent(5)), epoch(1, ok(5)), result(history.ResultDrained, revoked()),
		span(history.Gap, 7, 8), span(history.LogObserved, 8, 8), copied(4), read("t"), read("dlq"),
	)
}

func TestJudgeAHealthyRun(t *testing.T) {
	t.Parallel()
	r := check.Judge(wholeRun(), check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7, check.S8,
		check.S9, check.S10, check.S11, check.S12, check.S13, check.S14, check.S15, check.S16, check.Poll)
	if err := r.Err(); err != nil {
		t.Errorf("%v\n%v", err, r)
	}
	for i, c := range check.All() {
		if got, want := r.Verdicts[i].String(), c.Judge(wholeRun()).String(); got != want || r.Verdicts[i].Check != c.Name {
			t.Errorf("%s: %s among all, %s alone", c.Name, got, want)
		}
	}
}

func TestJudgeFailsWhenANamedCheckComparedNothing(t *testing.T) {
	t.Parallel()
	for _, c := range check.All() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			if err := check.Judge(nil).Err(); err != nil {
				t.Errorf("not named: %v", err)
			}
			err := check.Judge(nil, c.Name).Err()
			if err == nil || err.Error() != c.Name+": compared nothing" {
				t.Errorf("named: %v", err)
			}
		})
	}
	if err := check.Judge(wholeRun(), "S99").Err(); err == nil {
		t.Error("a check that does not exist passed")
	}
}

func TestJudgeNamesEveryViolation(t *testing.T) {
	t.Parallel()
	events := wholeRun()
	events = append(events, run(acked(9), at(1, due(2, enter(0))), enter(0), committed(1))...)
	for i := range events {
		events[i].Seq = uint64(i) + 1
	}
	r := check.Judge(events, check.S1)
	for _, name := range []string{check.S1, check.S3, check.S5, check.S6, check.S7, check.S8} {
		if v := r.Verdict(name); v.Found == 0 || v.Check != name {
			t.Errorf("%v", v)
		}
		if !strings.Contains(r.Err().Error(), name+": compared ") {
			t.Errorf("%s is missing in %v", name, r.Err())
		}
	}
	if got := r.Verdict("S99"); got.Compared != 0 {
		t.Errorf("%v", got)
	}
}

func TestVerdictsAreBounded(t *testing.T) {
	t.Parallel()
	events := make([]ev, 5000)
	for i := range events {
		events[i] = acked(int64(i))
	}
	v := check.Loss(run(events...))
	if v.Found != 5000 || len(v.Violations) != 100 {
		t.Errorf("found %d, kept %d, want 5000 and 100", v.Found, len(v.Violations))
	}
}

func TestASavedHistoryJudgesTheSame(t *testing.T) {
	t.Parallel()
	events := append(wholeRun(), run(acked(9), noKey(enter(3)), key("", enter(2)))...)
	for i := range events {
		events[i].Seq = uint64(i) + 1
	}
	var file bytes.Buffer
	if err := history.Save(&file, events); err != nil {
		t.Fatal(err)
	}
	loaded, err := history.Load(&file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := check.Judge(loaded).String(), check.Judge(events).String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Many events are judged in a moment: nothing here is quadratic, also where all of
// it is wrong.
func TestChecksScale(t *testing.T) {
	t.Parallel()
	const records = 10_000
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test's
	var events []ev
	for i := range int64(records) {
		offset := rnd.Int64N(records)
		events = append(events, acked(i), started(1, offset), enter(offset), leave(i), epoch(1, sent(offset)), epoch(1, unknown(offset)), committed(offset))
	}
	for i := range events {
		events[i].Seq, events[i].Wall, events[i].Topic = uint64(i)+1, int64(i), "t"
	}
	r := check.Judge(events)
	if r.Verdict(check.S3).Compared != records-1 {
		t.Errorf("%v", r.Verdict(check.S3).Compared)
	}
}
