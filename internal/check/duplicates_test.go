package check_test

import (
	"slices"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// begins is an assignment that fetches from an offset on.
func begins(n uint64, from int64) ev { return epoch(n, of(history.Assigned, from)) }

func drained(e ev) ev { return result(history.ResultDrained, e) }

func cut(e ev) ev { return result(history.ResultCut, e) }

func resent(n uint64, next int64) []ev { return []ev{epoch(n, sent(next)), epoch(n, ok(next))} }

func calls(n uint64, offsets ...int64) []ev {
	var all []ev
	for _, o := range offsets {
		all = append(all, started(n, o), enter(o), leave(o))
	}
	return all
}

func byB(events ...ev) []ev {
	out := slices.Clone(events)
	for i := range out {
		out[i].Incarnation = "b"
	}
	return out
}

func acks(n int64) []ev {
	var all []ev
	for o := range n {
		all = append(all, acked(o))
	}
	return all
}

func join(groups ...[]ev) []ev { return run(slices.Concat(groups...)...) }

func one(e ...ev) []ev { return e }

func TestDuplicates(t *testing.T) {
	t.Parallel()
	batch := func(n int, from, to int64) ev { e := epoch(1, span(history.Fetched, from, to)); e.Count = n; return e }
	removed := span(history.Removed, 1, 2)
	expelled, unsure := inB(of(history.Expelled, 0)), inB(of(history.Expelling, 0))
	copyOf := func(n uint64, offset int64) ev { return epoch(n, of(history.Forwarded, offset)) }
	judge(t, check.Duplicates, []judged{
		{"nothing", nil, 0, nil},
		{"each once", join(acks(2), one(begins(1, 0)), calls(1, 0, 1)), 2, nil},
		{"of no known assignment", join(acks(1), calls(0, 0)[1:], calls(0, 0)[1:]), 0, nil},
		{"handed over", join(acks(2), one(begins(1, 0)), calls(1, 0), resent(1, 1), one(drained(revoked())), byB(begins(1, 1)), byB(calls(1, 1)...)), 2, nil},
		{
			"the line was held by one that the log has no more", join(acks(3), one(begins(1, 0), batch(3, 0, 3), removed), calls(1, 0, 2), resent(1, 1), one(drained(revoked())),
				byB(begins(1, 1)), byB(calls(1, 2)...)), 2, nil,
		},
		{
			"the line was held below it", join(acks(3), one(begins(1, 0)), calls(1, 0, 2), resent(1, 1), one(drained(revoked())),
				byB(begins(1, 1)), byB(calls(1, 1, 2)...)), 3, nil,
		},
		{"lost", join(acks(1), one(begins(1, 0)), calls(1, 0), one(lost()), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil},
		{"killed", join(acks(1), one(begins(1, 0)), calls(1, 0), one(of(history.Killed, 0)), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil},
		{
			"replaced, and told later", join(acks(1), one(begins(1, 0)), byB(begins(1, 0)), byB(calls(1, 0)...), calls(1, 0), one(lost())), 1, nil,
		},
		{
			"an expulsion overtook the other's assignment", join(one(inB(member("")), expelled), acks(1), one(begins(1, 0)), byB(begins(1, 0)), calls(1, 0), byB(calls(1, 0)...),
				one(inB(lost()), drained(revoked()))), 1, nil,
		},
		{
			"an expulsion that nobody answered did", join(one(inB(member("")), unsure), acks(1), one(begins(1, 0)), byB(begins(1, 0)),
				calls(1, 0), byB(calls(1, 0)...), one(inB(lost()), drained(revoked()))), 1, nil,
		},
		{
			"an expulsion that nobody answered was not done", join(one(inB(member("")), unsure), acks(1), one(begins(1, 0)), byB(begins(1, 0)),
				calls(1, 0), byB(calls(1, 0)...), one(lost(), inB(drained(revoked())))), 1, nil,
		},
		{
			"cut, and the last commit was not answered", join(acks(1), one(begins(1, 0)), calls(1, 0), one(epoch(1, sent(1)), cut(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"cut, and the last commit was refused", join(acks(1), one(begins(1, 0)), calls(1, 0), one(epoch(1, sent(1)), epoch(1, refused(1)), cut(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"not shut down well", join(acks(1), one(begins(1, 0)), calls(1, 0), one(epoch(1, sent(1)), epoch(1, unknown(1)), ev{Kind: history.ShutdownEnded, Incarnation: "a", Text: "not drained"}),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"its call was taken away", join(acks(1), one(begins(1, 0), started(1, 0), enter(0), epoch(1, of(history.Quarantined, 0)), leave(0), cut(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"its result was dropped", join(acks(1), one(begins(1, 0)), calls(1, 0), one(epoch(1, of(history.LateDropped, 0))), calls(1, 0)), 1, nil,
		},
		{
			"the old call of a forced restart returns", join(acks(1), one(begins(1, 0), started(1, 0), enter(0), epoch(1, of(history.Quarantined, 0)),
				started(1, 0), again(enter(0)), again(leave(0)), leave(0))), 1, nil,
		},
		{"after the end", join(acks(1), one(begins(1, 0), started(1, 0), enter(0), cut(revoked()), leave(0)), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil},
		{
			"the supervisor failed", join(acks(1), one(begins(1, 0)), calls(1, 0), one(result(history.ResultSupervisor, epoch(1, of(history.Escalated, 0)))), calls(1, 0)), 1, nil,
		},
		{
			"the supervisor failed, and the record that held the line was not finished then", join(acks(2), one(begins(1, 0)), calls(1, 0, 1),
				one(result(history.ResultSupervisor, epoch(1, of(history.Escalated, 0)))), calls(1, 1), one(drained(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0, 1)...)), 2, nil,
		},
		{
			"frozen before it was committed", join(acks(1), one(begins(1, 0)), calls(1, 0), one(freezes(history.ResultBegin), freezes(history.ResultEnd), cut(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"frozen in its revoke, and finished behind that", join(acks(1), one(begins(1, 0), started(1, 0), enter(0), epoch(1, of(history.RevokeBegan, 0)),
				freezes(history.ResultBegin), freezes(history.ResultEnd), leave(0), cut(revoked())), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"its revoke began when it was frozen", join(acks(1), one(begins(1, 0), started(1, 0), enter(0), freezes(history.ResultBegin),
				epoch(1, of(history.RevokeBegan, 0)), freezes(history.ResultEnd), leave(0), cut(revoked())), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{"a disturbance", join(acks(1), one(begins(1, 0)), calls(1, 0), one(of(history.Disturbance, 0)), calls(1, 0)), 1, nil},
		{
			"an admin went back", join(acks(1), one(begins(1, 0)), calls(1, 0), resent(1, 1), one(drained(revoked()), ev{Kind: history.Reset}),
				one(begins(2, 0)), calls(2, 0)), 1, nil,
		},
		{
			"a late commit brought the line back", join(acks(2), one(begins(1, 0), epoch(1, sent(0)), epoch(1, unknown(0))), one(epoch(1, sent(1))), calls(1, 0), one(wire("m", "m", 1)),
				one(lost()), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"a late commit after one that was acknowledged", join(acks(2), one(begins(1, 0), epoch(1, sent(0)), epoch(1, unknown(0))), calls(1, 0), resent(1, 1),
				one(lost()), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, nil,
		},
		{
			"a late commit that two owners have found", join(acks(2), one(begins(1, 0), epoch(1, sent(0)), epoch(1, unknown(0))), calls(1, 0), resent(1, 1),
				one(lost()), byB(begins(1, 0), lost()), one(begins(2, 0)), calls(2, 0)), 1, nil,
		},
		{"dead letters, each once", join(acks(1), one(begins(1, 0), copyOf(1, 0))), 1, nil},
		{"two copies, one acknowledgment", join(acks(1), one(begins(1, 0), copyOf(1, 0), deadLetter(0), deadLetter(0))), 1, nil},

		{
			"the line was held by one that was not fetched", join(acks(3), one(begins(1, 0), batch(2, 0, 3), removed), calls(1, 0, 2), resent(1, 1), one(drained(revoked())),
				byB(begins(1, 1)), byB(calls(1, 2)...)), 2, []string{"t/0 offset 2 was finished by a, epoch 1, and again by b, epoch 1: nothing held the line"},
		},
		{
			"a late commit that the owner in between has not found", join(acks(2), one(begins(1, 0), epoch(1, sent(0)), epoch(1, unknown(0))), calls(1, 0), resent(1, 1),
				one(lost()), byB(begins(1, 1), lost()), one(begins(2, 0)), calls(2, 0)), 1, []string{"accepted"},
		},
		{"twice in one assignment", join(acks(1), one(begins(1, 0)), calls(1, 0), calls(1, 0)), 1, []string{"t/0 offset 0 was finished by a, epoch 1, and again by a, epoch 1: within one"}},
		{"a rebuild forgot it", join(acks(1), one(begins(1, 0)), calls(1, 0), one(epoch(1, of(history.Escalated, 0))), calls(1, 0)), 1, []string{"within one"}},
		{"dead-lettered after it was done", join(acks(1), one(begins(1, 0)), calls(1, 0), one(copyOf(1, 0))), 1, []string{"within one"}},
		{
			"below the line that was accepted", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), resent(1, 2), one(lost()), byB(begins(1, 1)), byB(calls(1, 1)...)), 2,
			[]string{"t/0 offset 1 was finished by a, epoch 1, and again by b, epoch 1: a commit above it had been accepted"},
		},
		{
			"accepted on the wire, not answered", join(acks(1), one(begins(1, 0)), calls(1, 0), one(epoch(1, sent(1)), wire("m", "m", 1), lost()), byB(begins(1, 0)), byB(calls(1, 0)...)), 1,
			[]string{"accepted"},
		},
		{
			"drained, and not committed", join(acks(1), one(begins(1, 0)), calls(1, 0), one(drained(revoked())), byB(begins(1, 0)), byB(calls(1, 0)...)), 1,
			[]string{"nothing held the line"},
		},
		{
			"cut elsewhere, and not committed", join(acks(1), one(begins(1, 0)), calls(1, 0), one(cut(revoked())), byB(begins(1, 0)), byB(calls(1, 0)...)), 1,
			[]string{"nothing held the line"},
		},
		{
			"shut down well, and not committed", join(acks(1), one(begins(1, 0)), calls(1, 0), one(of(history.ShutdownEnded, 0)), byB(begins(1, 0)), byB(calls(1, 0)...)), 1,
			[]string{"nothing held the line"},
		},
		{
			"the supervisor failed behind what was committed", join(acks(2), one(begins(1, 0)), calls(1, 0), resent(1, 1),
				one(result(history.ResultSupervisor, epoch(1, of(history.Escalated, 0)))), calls(1, 1), one(drained(revoked())),
				byB(begins(1, 1)), byB(calls(1, 1)...)), 2, []string{"nothing held the line"},
		},
		{
			"frozen before it was finished", join(acks(1), one(begins(1, 0), freezes(history.ResultBegin), freezes(history.ResultEnd)), calls(1, 0), one(cut(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, []string{"nothing held the line"},
		},
		{
			"frozen before its revoke", join(acks(1), one(begins(1, 0), freezes(history.ResultBegin), freezes(history.ResultEnd)), calls(1, 0),
				one(epoch(1, of(history.RevokeBegan, 0)), cut(revoked())), byB(begins(1, 0)), byB(calls(1, 0)...)), 1, []string{"nothing held the line"},
		},
		{
			"frozen in its revoke, and drained", join(acks(1), one(begins(1, 0), started(1, 0), enter(0), epoch(1, of(history.RevokeBegan, 0)),
				freezes(history.ResultBegin), freezes(history.ResultEnd), leave(0), drained(revoked())), byB(begins(1, 0)), byB(calls(1, 0)...)), 1,
			[]string{"nothing held the line"},
		},
		{
			"another was frozen in its revoke", join(acks(1), one(begins(1, 0), started(1, 0), enter(0), epoch(1, of(history.RevokeBegan, 0)),
				inB(freezes(history.ResultBegin)), inB(freezes(history.ResultEnd)), leave(0), cut(revoked())), byB(begins(1, 0)), byB(calls(1, 0)...)), 1,
			[]string{"nothing held the line"},
		},
		{
			"frozen, and drained", join(acks(1), one(begins(1, 0)), calls(1, 0), one(freezes(history.ResultBegin), freezes(history.ResultEnd), drained(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, []string{"nothing held the line"},
		},
		{
			"nobody said that it ended", join(acks(1), one(begins(1, 0)), calls(1, 0), byB(begins(1, 0)), byB(calls(1, 0)...)), 1,
			[]string{"nothing held the line"},
		},
		{
			"below the record that held the line", join(acks(3), one(begins(1, 0)), calls(1, 0, 2), one(drained(revoked())), byB(begins(1, 0)), byB(calls(1, 0, 1, 2)...)), 3,
			[]string{"t/0 offset 0"},
		},
		{
			"the supervisor failed, above what was acknowledged", join(acks(1), one(begins(1, 0)), calls(1, 0), resent(1, 1),
				one(result(history.ResultSupervisor, epoch(1, of(history.Escalated, 0)))), calls(1, 0)), 1, []string{"accepted"},
		},
		{
			"after an admin's reset", join(acks(1), one(begins(1, 0), ev{Kind: history.Reset}), calls(1, 0), resent(1, 1), one(drained(revoked())),
				byB(begins(1, 0)), byB(calls(1, 0)...)), 1, []string{"accepted"},
		},
		{
			"the other has joined since it was expelled", join(one(inB(member("")), expelled, inB(member(""))), acks(1), one(begins(1, 0)), byB(begins(1, 0)), calls(1, 0), byB(calls(1, 0)...),
				one(inB(lost()), drained(revoked()))), 1, []string{"nothing held the line"},
		},
		{
			"an expulsion overtook the other's assignment, which drained", join(one(inB(member("")), expelled), acks(1), one(begins(1, 0)), byB(begins(1, 0)), calls(1, 0), byB(calls(1, 0)...),
				one(inB(drained(revoked())), lost())), 1, []string{"nothing held the line"},
		},
		{
			"an expulsion that nobody answered, and both drained", join(one(inB(member("")), unsure), acks(1), one(begins(1, 0)), byB(begins(1, 0)),
				calls(1, 0), byB(calls(1, 0)...), one(drained(revoked()), inB(drained(revoked())))), 1, []string{"nothing held the line"},
		},
		{
			"an expulsion overtook its own assignment, behind the end of the other's", join(one(inB(member(""))), acks(1), one(begins(1, 0)), calls(1, 0), one(drained(revoked()), expelled),
				byB(begins(1, 0)), byB(calls(1, 0)...), one(inB(lost()))), 1, []string{"nothing held the line"},
		},
		{"told for each", join(acks(1), one(begins(1, 0)), calls(1, 0), calls(1, 0), calls(1, 0)), 1, []string{"within one", "within one"}},
	})
}
