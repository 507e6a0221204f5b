package check_test

import (
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func deadLetter(written int64) ev {
	return ev{Kind: history.DeadLetterObserved, Due: written, Dest: "dlq"}
}

func TestLoss(t *testing.T) {
	t.Parallel()
	judge(t, check.Loss, []judged{
		{"nothing", nil, 0, nil},
		{"finished", run(acked(0), acked(1), enter(0), leave(0), enter(1), leave(1)), 2, nil},
		{"finished before the ack came", run(enter(0), leave(0), acked(0)), 1, nil},
		{"finished by another incarnation", run(acked(0), enter(0), inB(enter(0)), inB(leave(0))), 1, nil},
		{"finished at the second attempt", run(acked(0), enter(0), result(history.ResultError, leave(0)), again(enter(0)), again(leave(0))), 1, nil},
		{"copied to the dead letter topic", run(acked(0), of(history.Forwarded, 0), deadLetter(0)), 1, nil},
		{"copied, though the runtime died before it said so", run(acked(0), deadLetter(0)), 1, nil},
		{"unknown and failed sends do not count", run(ev{Kind: history.Unknown}, ev{Kind: history.Failed}, ev{Kind: history.Sent}), 0, nil},
		{"before the group's start", run(ev{Kind: history.GroupStart, Offset: 2}, acked(1), acked(2), enter(2), leave(2)), 1, nil},
		{"removed by the test", run(acked(0), acked(1), acked(2), span(history.Removed, 0, 1), span(history.Removed, 1, 3)), 0, nil},
		{"a gap that the log bears out", run(acked(0), acked(1), span(history.LogObserved, 2, 5), span(history.Gap, 0, 2)), 0, nil},

		{"never begun", run(acked(0), acked(1), enter(0), leave(0)), 2, []string{"t/0 offset 1"}},
		{"never returned", run(acked(0), enter(0)), 1, []string{"t/0 offset 0"}},
		{"failed for good", run(acked(0), enter(0), result(history.ResultError, leave(0))), 1, []string{"t/0 offset 0"}},
		{
			"panicked, snoozed, discarded, retried", run(acked(0), acked(1), acked(2), acked(3),
				result(history.ResultPanic, leave(0)), result(history.ResultSnooze, leave(1)), result(history.ResultDiscard, leave(2)), result(history.ResultRetry, leave(3))),
			4,
			[]string{"offset 0", "offset 1", "offset 2", "offset 3"},
		},
		{"the runtime's word is not enough", run(acked(0), of(history.Started, 0), result(history.ResultOK, of(history.Delivered, 0))), 1, []string{"offset 0"}},
		{"a forward without a copy", run(acked(0), of(history.Forwarded, 0)), 1, []string{"offset 0"}},
		{"a copy of another partition", run(acked(0), other(deadLetter(0))), 1, []string{"t/0 offset 0"}},
		{"finished in another topic", run(acked(0), ev{Kind: history.Leave, Topic: "u", Result: history.ResultOK}), 1, []string{"t/0 offset 0"}},
		{"a gap that the runtime made up", run(acked(0), span(history.LogObserved, 0, 5), span(history.Gap, 0, 2)), 1, []string{"offset 0"}},
		{"a gap longer than what is missing", run(acked(0), acked(3), span(history.LogObserved, 2, 5), span(history.Gap, 0, 4)), 1, []string{"offset 3"}},
		{"removed by retention, and not a word of it", run(acked(0), span(history.LogObserved, 2, 5)), 1, []string{"offset 0"}},
		{"next to what was removed", run(acked(1), acked(2), acked(3), span(history.Removed, 2, 3)), 2, []string{"offset 1", "offset 3"}},
		{"the group's start itself", run(ev{Kind: history.GroupStart, Offset: 1}, acked(1)), 1, []string{"offset 1"}},
	})
}

func TestCommitLine(t *testing.T) {
	t.Parallel()
	three := []ev{acked(0), acked(1), acked(2)}
	with := func(more ...ev) []ev { return run(append(append([]ev{}, three...), more...)...) }
	done := func(offset int64) []ev { return []ev{enter(offset), leave(offset)} }
	seq := func(groups ...[]ev) []ev {
		var all []ev
		for _, g := range groups {
			all = append(all, g...)
		}
		return with(all...)
	}
	judge(t, check.CommitLine, []judged{
		{"nothing", nil, 0, nil},
		{"one by one", seq(done(0), []ev{sent(1), ok(1)}, done(1), []ev{sent(2), ok(2), committed(2)}), 3, nil},
		{"out of order, the line waits", seq(done(1), done(2), done(0), []ev{sent(3), ok(3)}), 1, nil},
		{"a line below the first record", seq([]ev{sent(0), ok(0), committed(-1), committed(0)}), 0, nil},
		{"holes that no record fills", run(acked(0), acked(5), enter(0), leave(0), sent(5), ok(5)), 1, nil},
		{"refused is harmless", seq([]ev{sent(3), refused(3)}), 0, nil},
		{"dead letter, acknowledged first", seq([]ev{of(history.Forwarded, 0), sent(1), ok(1), deadLetter(0)}), 1, nil},
		{"dead letter, by the copy's own time", seq([]ev{sent(1), ok(1), deadLetter(3 * micro)}), 1, nil},
		{"before the group's start", run(ev{Kind: history.GroupStart, Offset: 2}, acked(0), acked(2), enter(2), leave(2), sent(3), ok(3)), 1, nil},
		{"over a gap", run(acked(0), acked(2), span(history.LogObserved, 2, 3), span(history.Gap, 0, 2), enter(2), leave(2), sent(3), ok(3)), 1, nil},
		{"the other partition's line", seq([]ev{other(sent(3)), other(ok(3))}), 0, nil},
		{"set by an admin", seq([]ev{{Kind: history.Reset, Offset: 3}, committed(3), committed(3)}), 0, nil},
		{"first finish counts, a second changes nothing", seq(done(0), []ev{sent(1), ok(1)}, done(0)), 1, nil},

		{"one too far", seq(done(0), []ev{sent(2), ok(2)}), 1, []string{"t/0: commit of a at 2 passes 1"}},
		{"the highest instead of the contiguous", seq(done(0), done(2), []ev{sent(3), ok(3)}), 1, []string{"3 passes 1"}},
		{"issued before the end, answered after", seq(done(0), []ev{enter(1), sent(2), leave(1), ok(2)}), 1, []string{"2 passes 1"}},
		{"outcome unknown", seq([]ev{sent(1), unknown(1)}), 1, []string{"1 passes 0"}},
		{"never answered", seq([]ev{sent(1)}), 1, []string{"1 passes 0"}},
		{"failed is not finished", seq([]ev{enter(0), result(history.ResultError, leave(0)), sent(1), ok(1)}), 1, []string{"1 passes 0"}},
		{"dead letter, committed before its ack", seq([]ev{sent(1), of(history.Forwarded, 0), ok(1), deadLetter(0)}), 1, []string{"1 passes 0"}},
		{"dead letter, the runtime only says so", seq([]ev{of(history.Forwarded, 0), sent(1), ok(1)}), 1, []string{"1 passes 0"}},
		{"dead letter, written later by its own time", seq([]ev{sent(1), ok(1), deadLetter(6 * micro)}), 1, []string{"1 passes 0"}},
		{"seen by the poller alone", seq(done(0), []ev{committed(3)}, done(1), done(2)), 1, []string{"committed offset 3 passes 1"}},
		{"past what an admin set", seq([]ev{{Kind: history.Reset, Offset: 2}, committed(3)}), 1, []string{"committed offset 3 passes 0"}},
		{"seen on the wire alone", seq(done(0), []ev{wire("m", "", 2)}, done(1)), 1, []string{"member m at 2 passes 1"}},
		{"a record that only the final read found", run(acked(0), enter(0), leave(0), sent(2), ok(2), found(1), found(1)), 1, []string{"2 passes 1"}},
	})
}

func TestDelay(t *testing.T) {
	t.Parallel()
	judge(t, check.Delay, []judged{
		{"nothing", nil, 0, nil},
		{"no due time", run(enter(0)), 0, nil},
		{"to the nanosecond", run(at(500, due(500, enter(0)))), 1, nil},
		{"late", run(at(900, due(500, enter(0)))), 1, nil},
		{"the runtime's own is not looked at", run(at(1, due(500, of(history.Started, 0)))), 0, nil},

		{"one nanosecond early", run(at(499, due(500, enter(7)))), 1, []string{"t/0 offset 7 began 1ns before"}},
		{"early after a rebalance", run(at(600, due(500, enter(0))), inB(at(400, due(500, enter(0))))), 2, []string{"began 100ns before"}},
		{"an early retry", run(at(600, due(500, enter(0))), again(at(100, due(500, enter(0))))), 2, []string{"began 400ns before"}},
	})
}
