package check_test

import (
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func TestFence(t *testing.T) {
	t.Parallel()
	e1 := func(e ev) ev { return epoch(1, e) }
	member := ev{Kind: history.MemberIs, Incarnation: "a", Member: "m"}
	judge(t, check.Fence, []judged{
		{"nothing", nil, 0, nil},
		{"nothing was revoked", run(assigned(1), started(1, 0), enter(0), e1(sent(1)), e1(ok(1))), 0, nil},
		{"all before", run(assigned(1), started(1, 0), enter(0), leave(0), e1(sent(1)), e1(ok(1)), revoked()), 2, nil},
		{"all before a loss", run(assigned(1), started(1, 0), enter(0), lost()), 1, nil},
		{"an end is late, not a start", run(assigned(1), started(1, 0), enter(0), revoked(), leave(0)), 1, nil},
		{"passed the fence, written after", run(assigned(1), started(1, 0), revoked(), enter(0)), 1, nil},
		{"told, and never entered", run(assigned(1), started(1, 0), enter(0), leave(0), revoked(), started(1, 1)), 1, nil},
		{"the next assignment", run(assigned(1), started(1, 0), enter(0), leave(0), revoked(), assigned(2), started(2, 0), enter(0)), 1, nil},
		{"the next one, without a word of the runtime", run(assigned(1), revoked(), assigned(2), enter(0)), 0, nil},
		{"another partition goes on", run(assigned(1), other(assigned(2)), revoked(), other(started(2, 0)), other(enter(0))), 0, nil},
		{"another member goes on", run(assigned(1), inB(assigned(1)), revoked(), inB(started(1, 0)), inB(enter(0))), 0, nil},
		{"it has not learned yet that it was replaced", run(assigned(1), inB(assigned(1)), started(1, 0), enter(0), lost()), 2, nil},
		{"it passed the fence before", run(assigned(1), started(1, 0), inB(assigned(1)), at(9e9, enter(0)), lost()), 1, nil},
		{"an admin took it out of the group", run(assigned(1), of(history.Expelled, 0), inB(assigned(1)), at(9e9, started(1, 0)), enter(0), at(9e9, lost())), 1, nil},
		{"an expulsion had overtaken its assignment", run(member, of(history.Expelled, 0), assigned(1), inB(assigned(1)), at(9e9, started(1, 0)), enter(0), at(9e9, lost())), 1, nil},
		{"taken late by the broker, unanswered", run(member, assigned(1), e1(sent(1)), revoked(), wire("m", "", 1)), 2, nil},
		{"taken late by the broker, unknown", run(member, assigned(1), e1(sent(1)), e1(unknown(1)), revoked(), wire("m", "", 1)), 2, nil},
		{"taken late from somebody else", run(member, assigned(1), revoked(), wire("n", "", 1)), 0, nil},

		{"begun after the revoke", run(assigned(1), revoked(), started(1, 0), enter(0)), 1, []string{"a: t/0 epoch 1: enter of offset 0 after its end"}},
		{"begun after the loss", run(assigned(1), lost(), started(1, 0), enter(0)), 1, []string{"enter of offset 0"}},
		{"begun after the runtime's end", run(assigned(1), of(history.ShutdownEnded, 0), started(1, 0), enter(0)), 0, []string{"enter of offset 0"}},
		{"begun after a stop had fenced it", run(assigned(1), started(1, 0), enter(0), leave(0), stopped(), started(1, 1), enter(1), of(history.ShutdownEnded, 0)), 0, []string{"enter of offset 1"}},
		{"begun without a word", run(assigned(1), started(1, 0), enter(0), leave(0), revoked(), enter(0)), 2, []string{"enter of offset 0"}},
		{"no journal", run(assigned(1), revoked(), started(1, 0)), 1, []string{"started of offset 0"}},
		{"it thaws, and another has the partition", run(assigned(1), inB(assigned(1)), at(9e9, started(1, 0)), enter(0), at(9e9, lost())), 2, []string{"a: t/0 epoch 1: enter of offset 0, 8.9"}},
		{"an admin took it out in an earlier assignment", run(assigned(1), of(history.Expelled, 0), lost(), assigned(2), inB(assigned(1)), at(9e9, started(2, 0)), enter(0), at(9e9, epoch(2, lost()))), 2, []string{"a: t/0 epoch 2: enter of offset 0, 8.9"}},
		{"an admin took the other out", run(assigned(1), inB(of(history.Expelled, 0)), inB(assigned(1)), at(9e9, started(1, 0)), enter(0), at(9e9, lost())), 2, []string{"a: t/0 epoch 1: enter of offset 0, 8.9"}},
		{"an admin took it out, and it begins after the loss", run(assigned(1), of(history.Expelled, 0), lost(), started(1, 0), enter(0)), 1, []string{"enter of offset 0 after its end"}},
		{"it thaws, and no word of the runtime", run(assigned(1), inB(assigned(1)), at(9e9, enter(0)), at(9e9, lost())), 2, []string{"after b had the partition"}},
		{"begun under the old epoch", run(assigned(1), revoked(), assigned(2), started(1, 0), enter(0)), 1, []string{"epoch 1"}},
		{"the history begins late", run(revoked(), started(1, 0), enter(0)), 1, []string{"epoch 1"}},
		{"committed after the revoke", run(assigned(1), revoked(), e1(sent(1)), e1(ok(1))), 1, []string{"commit-sent of offset 1 after its end"}},
		{"committed after it, refused", run(assigned(1), revoked(), e1(sent(1)), e1(refused(1))), 1, []string{"commit-sent of offset 1"}},
		{"committed after the loss", run(assigned(1), lost(), e1(sent(1))), 1, []string{"commit-sent of offset 1"}},
		{"on the wire and never told", run(member, assigned(1), revoked(), wire("m", "", 1)), 1, []string{"took a commit of 1 after its end"}},
		{"on the wire, sent too late", run(member, assigned(1), revoked(), e1(sent(1)), wire("m", "", 1)), 2, []string{"commit-sent of offset 1", "took a commit of 1"}},
		{"on the wire, of another line", run(member, assigned(1), e1(sent(2)), revoked(), wire("m", "", 1)), 2, []string{"took a commit of 1"}},
		{"on the wire, answered before", run(member, assigned(1), e1(sent(1)), e1(ok(1)), revoked(), wire("m", "", 1)), 2, []string{"took a commit of 1"}},
	})
}
