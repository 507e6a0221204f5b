package check_test

import (
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func TestHoles(t *testing.T) {
	t.Parallel()
	settled := ev{Kind: history.Settled}
	log := func(from, to int64) ev { return ev{Kind: history.LogObserved, Offset: from, To: to} }
	stopped := epoch(1, ev{Kind: history.Paused, Incarnation: "a", Text: "operator"})
	resumed := epoch(1, ev{Kind: history.Resumed, Incarnation: "a", Text: "operator"})
	batch := func(n int, from, to int64) ev { e := epoch(1, span(history.Fetched, from, to)); e.Count = n; return e }
	gone := span(history.Removed, 1, 3)
	two := []ev{acked(0), acked(3), begins(1, 0)} // 1 and 2 are a hole
	judge(t, check.Holes, []judged{
		{"nothing", nil, 0, nil},
		{"no hole", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), resent(1, 2), one(drained(revoked()))), 0, nil},
		{"passed", join(two, calls(1, 0, 3), resent(1, 1), resent(1, 4), one(drained(revoked()))), 1, nil},
		{"passed by a shutdown", join(two, calls(1, 0, 3), resent(1, 4), one(of(history.ShutdownEnded, 0))), 1, nil},
		{"behind the last marker", join(two, calls(1, 0, 3), resent(1, 5), one(drained(revoked()))), 1, nil},
		{"compacted away", join(acks(4), one(span(history.Removed, 1, 3), begins(1, 0)), calls(1, 0, 3), resent(1, 4), one(drained(revoked()))), 1, nil},
		{"compacted away while it ran", join(acks(4), one(begins(1, 0), enter(1), span(history.Removed, 1, 3)), calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 0, nil},
		{"compacted away while it waited in its lane", join(acks(4), one(begins(1, 0), batch(4, 0, 4), gone), calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 0, nil},
		{"one of two compacted away while it waited", join(acks(4), one(begins(1, 0), batch(3, 0, 4), gone), calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 0, nil},
		{"at the start", join(one(acked(2), begins(1, 0)), calls(1, 2), resent(1, 3), one(drained(revoked()))), 1, nil},
		{"not finished behind it", join(two, calls(1, 0), resent(1, 1), one(drained(revoked()))), 0, nil},
		{"not drained", join(two, calls(1, 0, 3), resent(1, 1), one(cut(revoked()))), 0, nil},
		{"not ended", join(two, calls(1, 0, 3), resent(1, 1)), 0, nil},
		{"a tail that is passed", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(settled, committed(4), log(0, 4))), 1, nil},
		{"no hole at the tail", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(settled, committed(1), log(0, 2))), 0, nil},
		{"not settled", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(committed(2), log(0, 4))), 0, nil},
		{"nobody looked since", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(committed(2), settled, log(0, 4))), 0, nil},
		{"produced since", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(settled, acked(2), committed(2), log(0, 4))), 0, nil},
		{"unfinished", join(acks(2), one(begins(1, 0)), calls(1, 1), one(settled, committed(0), log(0, 4))), 0, nil},
		{"an operator holds it", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(stopped, settled, committed(2), log(0, 4))), 0, nil},
		{"nobody has had it", join(acks(2), one(settled, committed(2), log(0, 4))), 0, nil},

		{"stuck at it", join(two, calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 1, []string{"a: t/0 epoch 1 finished all records up to 3 and ended at the line 1: a hole begins at 1"}},
		{"stuck at what was compacted away", join(acks(4), one(span(history.Removed, 1, 3), begins(1, 0)), calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 1, []string{"a hole begins at 1"}},
		{"fetched without what was compacted away", join(acks(4), one(begins(1, 0), batch(2, 0, 4), gone), calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 1, []string{"a hole begins at 1"}},
		{"fetched again without it", join(acks(4), one(begins(1, 0), batch(4, 0, 4), batch(2, 0, 4), gone), calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 1, []string{"a hole begins at 1"}},
		{"another assignment had fetched it", join(acks(4), one(begins(1, 0)), byB(batch(4, 0, 4)), one(gone), calls(1, 0, 3), resent(1, 1), one(drained(revoked()))), 1, []string{"a hole begins at 1"}},
		{"never committed", join(two, calls(1, 0, 3), one(drained(revoked()))), 1, []string{"ended at the line 0"}},
		{"refused", join(two, calls(1, 0, 3), one(epoch(1, sent(4)), epoch(1, refused(4)), drained(revoked()))), 1, []string{"line 0"}},
		{"stuck at the first", join(one(acked(2), begins(1, 0)), calls(1, 2), one(drained(revoked()))), 1, []string{"a hole begins at 0"}},
		{"stuck at the tail", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(settled, committed(2), log(0, 4))), 1, []string{"t/0: everything is finished, and the committed offset stays at 2 of 4"}},
		{"let go and stuck", join(acks(2), one(begins(1, 0)), calls(1, 0, 1), one(stopped, resumed, settled, committed(2), log(0, 4))), 1, []string{"2 of 4"}},
	})
}

func TestGaps(t *testing.T) {
	t.Parallel()
	log := func(from, to int64) ev { return ev{Kind: history.LogObserved, Offset: from, To: to} }
	gap := func(from, to int64) ev { return epoch(1, span(history.Gap, from, to)) }
	judge(t, check.Gaps, []judged{
		{"nothing", nil, 0, nil},
		{"told", join(acks(3), one(begins(1, 0), log(2, 3), gap(0, 2)), calls(1, 2), resent(1, 3)), 3, nil},
		{"nobody looked at the log", run(gap(0, 2)), 0, nil},
		{"the log is cut off", run(log(0, 2), ev{Kind: history.Gap, Offset: 5, To: 2, Text: "truncated"}), 0, nil},
		{"finished before it went", join(acks(2), one(begins(1, 0)), calls(1, 0), resent(1, 1), one(log(1, 2))), 0, nil},
		{"nobody has come so far", join(acks(3), one(begins(1, 0), log(2, 3))), 0, nil},
		{"before the group was there", join(acks(3), one(log(2, 3), begins(1, 2)), calls(1, 2), resent(1, 3)), 0, nil},
		{"the group starts behind it", join(acks(3), one(ev{Kind: history.GroupStart, Offset: 2}, committed(0), log(2, 3), begins(1, 2)), calls(1, 2), resent(1, 3)), 0, nil},
		{"an admin went past it", join(acks(3), one(committed(0), ev{Kind: history.Reset, Offset: 2}, log(2, 3), begins(1, 2)), calls(1, 2), resent(1, 3)), 0, nil},
		{"compacted away before the log began there", join(acks(3), one(begins(1, 0), log(2, 3), span(history.Removed, 0, 2)), calls(1, 2), resent(1, 3)), 0, nil},
		{"compacted: the log still begins there", join(acks(1), one(acked(5), begins(1, 0), log(0, 6)), calls(1, 0, 5), resent(1, 6)), 0, nil},

		{"made up", run(log(0, 9), gap(0, 2)), 1, []string{"a: t/0 epoch 1 tells of a gap [0, 2), and the log begins at 0"}},
		{"too long", run(log(2, 9), gap(0, 3)), 1, []string{"[0, 3)"}},
		{"silent", join(acks(3), one(begins(1, 0), log(2, 3)), calls(1, 2), resent(1, 3)), 2, []string{"t/0 offset 0 was deleted and is passed", "offset 1"}},
		{"silent while nobody ran", join(acks(3), one(committed(0), log(2, 3), begins(1, 2)), calls(1, 2)), 2, []string{"offset 0", "offset 1"}},
		{"half of it", join(acks(3), one(begins(1, 0), log(2, 3), gap(0, 1)), calls(1, 2), resent(1, 3)), 3, []string{"offset 1"}},
	})
}

func TestPollOrder(t *testing.T) {
	t.Parallel()
	batch := func(from, to int64) ev { return epoch(1, span(history.Fetched, from, to)) }
	count := func(n int, e ev) ev { e.Count = n; return e }
	rebuilt := epoch(1, of(history.Escalated, 0))
	judge(t, check.PollOrder, []judged{
		{"nothing", nil, 0, nil},
		{"one after the other", join(acks(6), one(begins(1, 0), count(2, batch(0, 2)), count(4, batch(2, 6)))), 2, nil},
		{"over holes", run(acked(0), acked(5), begins(1, 0), count(1, batch(0, 1)), count(1, batch(5, 6))), 2, nil},
		{"a hole within", run(acked(0), acked(5), begins(1, 0), count(2, batch(0, 6))), 1, nil},
		{"the next assignment goes back", join(acks(3), one(begins(1, 0), batch(0, 3), revoked(), begins(2, 1), epoch(2, batch(1, 3)))), 2, nil},
		{"another incarnation does", join(acks(3), one(begins(1, 0), batch(0, 3), inB(begins(1, 0)), inB(batch(0, 3)))), 2, nil},
		{"a rebuild does", join(acks(3), one(begins(1, 0), batch(0, 3), rebuilt, batch(1, 3))), 2, nil},
		{"a batch was under way to it", join(acks(6), one(begins(1, 0), batch(0, 3), rebuilt, batch(3, 6), batch(1, 6))), 3, nil},
		{"a disturbance does", join(acks(3), one(begins(1, 0), batch(0, 3), of(history.Disturbance, 0), batch(0, 3))), 2, nil},
		{"removed in between", join(acks(5), one(begins(1, 0), batch(0, 2), span(history.Removed, 2, 4), batch(4, 5))), 2, nil},
		{"a gap in between", join(acks(5), one(begins(1, 0), batch(0, 2), span(history.Gap, 2, 4), batch(4, 5))), 2, nil},
		{"the log went away", join(acks(5), one(begins(1, 0), batch(4, 5), span(history.LogObserved, 4, 5))), 1, nil},
		{"the history begins late", join(acks(5), one(batch(3, 5))), 1, nil},
		{"begun at once again", join(acks(3), one(begins(1, 0), batch(0, 3), begins(1, 0))), 1, nil},

		{"back", join(acks(5), one(begins(1, 0), batch(0, 3), batch(2, 5))), 2, []string{"a: t/0 epoch 1: a batch begins at 2, and 3 was reached before"}},
		{"before the start", join(acks(5), one(begins(1, 3), batch(2, 5))), 1, []string{"begins at 2, and 3"}},
		{"twice for one rebuild", join(acks(3), one(begins(1, 0), batch(0, 3), rebuilt, batch(1, 3), batch(1, 3))), 3, []string{"begins at 1"}},
		{"another one's rebuild", join(acks(3), one(begins(1, 0), batch(0, 3), other(rebuilt), batch(1, 3))), 2, []string{"begins at 1"}},
		{"skipped", join(acks(5), one(begins(1, 0), batch(0, 2), batch(3, 5))), 2, []string{"a: t/0 epoch 1: offset 2 was skipped between 2 and 3"}},
		{"skipped at the start", join(acks(5), one(begins(1, 0), batch(2, 5))), 1, []string{"offset 0 was skipped"}},
		{"skipped within", join(acks(5), one(begins(1, 0), count(4, batch(0, 5)))), 1, []string{"of [0, 5) only 4 records came in"}},
		{"found by the final read alone", run(begins(1, 0), batch(1, 2), found(0), found(1)), 1, []string{"offset 0 was skipped"}},
	})
}
