package check_test

import (
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func TestCommitted(t *testing.T) {
	t.Parallel()
	reset := func(offset int64) ev { return ev{Kind: history.Reset, Offset: offset} }
	twice := func(e ev) ev { e.Text = history.Resent; return e }
	settled, failed := ev{Kind: history.Settled}, result(history.ResultSupervisor, of(history.Escalated, 0))
	judge(t, check.Committed, []judged{
		{"nothing", nil, 0, nil},
		{"one look", run(committed(3)), 0, nil},
		{"rising and standing", run(committed(-1), committed(0), committed(5), committed(5), committed(9)), 4, nil},
		{"partitions apart", run(committed(5), other(committed(1)), committed(6)), 1, nil},
		{"set by an admin", run(committed(5), reset(2), committed(5), committed(3), committed(4)), 3, nil},
		{"a late commit of unknown outcome", run(sent(3), unknown(3), sent(5), committed(5), committed(3), ok(5), committed(5)), 2, nil},
		{"a late request of one that was sent twice", run(sent(3), twice(ok(3)), sent(5), ok(5), committed(5), committed(3)), 1, nil},
		{"one that a crash left unanswered", run(sent(3), inB(sent(5)), committed(5), committed(3), inB(ok(5))), 1, nil},
		{"it was applied just before the acknowledgment", run(sent(3), unknown(3), sent(5), committed(5), ok(5), committed(3)), 1, nil},
		{"epochs may begin lower", run(committed(1), committed(1), epoch(1, sent(5)), epoch(1, refused(5)), epoch(2, sent(3)), epoch(2, ok(3))), 1, nil},
		{"the same line again", run(committed(1), committed(1), sent(5), unknown(5), sent(5), ok(5)), 1, nil},
		{"one that was refused, and the supervisor failed", run(committed(1), committed(1), sent(5), refused(5), failed, sent(4), ok(4)), 1, nil},
		{"on the wire", run(wire("m", "", 1), wire("m", "", 2), result(history.ResultRefused, wire("n", "", 1))), 1, nil},
		{"the windows do not mix", run(wire("m", "", 5), committed(4), committed(5)), 1, nil},
		{"the runtime alone is no comparison", run(sent(1), ok(1), sent(2), ok(2)), 0, nil},

		{
			"an owner begins at a line that came back unseen", run(wire("m", "m", 5), sent(3), unknown(3), inB(begins(1, 3)), wire("n", "n", 4)), 1, nil,
		},
		{"an older acknowledgment closes nothing", run(sent(5), ok(5), epoch(2, sent(3)), epoch(2, unknown(3)), committed(5), committed(3)), 1, nil},

		{"after an acknowledgment", run(sent(3), unknown(3), sent(5), ok(5), committed(5), committed(3)), 1, nil},
		{"it was applied just before the next assignment", run(assigned(1), sent(3), unknown(3), committed(5), inB(assigned(1)), committed(3)), 1, nil},
		{"made good in the end", run(sent(3), unknown(3), sent(5), ok(5), committed(5), committed(3), sent(5), ok(5), settled, committed(5)), 3, nil},
		{"made good after it has settled", run(sent(3), ok(3), settled, committed(0), committed(3)), 2, nil},
		{"an admin moved the group before it settled", run(sent(3), ok(3), reset(2), settled, committed(2)), 0, nil},
		{"an acknowledgment behind the end", run(sent(3), ok(3), sent(5), settled, ok(5), committed(3)), 1, nil},
		{"it settles twice", run(sent(3), ok(3), settled, committed(3), sent(5), ok(5), settled), 0, nil},
		{"of another partition", run(sent(3), ok(3), settled, other(committed(2))), 0, nil},

		{"a fall", run(committed(5), committed(3)), 1, []string{"t/0: the committed offset fell from 5 to 3"}},
		{"an owner begins too low", run(wire("m", "m", 5), sent(3), unknown(3), inB(begins(1, 2)), wire("n", "n", 4)), 1, []string{"fell from 5 to 4"}},
		{"below where the owner began", run(wire("m", "m", 5), sent(3), unknown(3), inB(begins(1, 3)), wire("n", "n", 2)), 1, []string{"fell from 3 to 2"}},
		{"one that was sent twice is made good as well", run(sent(3), twice(ok(3)), sent(5), ok(5), committed(5), committed(3), settled, committed(3)), 3, []string{"the committed offset is 3 in the end"}},
		{"sent once", run(sent(3), ok(3), sent(5), ok(5), committed(5), committed(3)), 1, []string{"fell from 5 to 3"}},
		{"gone", run(committed(5), committed(-1)), 1, []string{"fell from 5 to -1"}},
		{"a fall on the wire", run(wire("m", "", 5), wire("n", "", 3)), 1, []string{"fell from 5 to 3"}},
		{"below what the admin set", run(committed(5), reset(3), committed(2)), 1, []string{"fell from 5 to 2"}},
		{"an admin explains one fall", run(committed(5), reset(3), committed(3), committed(5), committed(3)), 3, []string{"fell from 5 to 3"}},
		{"to a line that nobody has open", run(sent(3), unknown(3), committed(5), committed(2)), 1, []string{"fell from 5 to 2"}},
		{"after the next assignment", run(assigned(1), sent(3), unknown(3), inB(assigned(1)), committed(5), committed(3)), 1, []string{"fell from 5 to 3"}},
		{"behind in the end", run(sent(3), unknown(3), sent(5), ok(5), committed(5), committed(3), settled, committed(3)), 3, []string{"the committed offset is 3 in the end, and 5 was acknowledged"}},
		{"behind since an admin moved the group", run(reset(0), sent(3), ok(3), settled, committed(2)), 1, []string{"the committed offset is 2 in the end, and 3 was acknowledged"}},
		{"a refused commit explains nothing", run(sent(3), refused(3), committed(5), committed(3)), 1, []string{"fell from 5 to 3"}},
		{"not even sent", run(committed(5), committed(3), sent(3), unknown(3)), 1, []string{"fell from 5 to 3"}},
		{"acknowledged before is not after", run(sent(5), ok(5), sent(3), ok(3), committed(5), committed(3)), 1, []string{"fell from 5 to 3", "commit of 3 sent after one of 5"}},
		{"sent backwards within an epoch", run(committed(1), committed(1), sent(5), ok(5), sent(4), refused(4)), 1, []string{"a: t/0 epoch 0: commit of 4 sent after one of 5"}},
		{"the supervisor failed, and it was not refused", run(committed(1), committed(1), sent(5), unknown(5), failed, sent(4)), 1, []string{"commit of 4 sent after one of 5"}},
		{"the supervisor failed before it was refused", run(committed(1), committed(1), sent(5), failed, refused(5), sent(4)), 1, []string{"commit of 4 sent after one of 5"}},
		{"below one that was acknowledged before", run(committed(1), committed(1), sent(3), ok(3), sent(5), refused(5), failed, sent(2)), 1, []string{"commit of 2 sent after one of 3"}},
	})
}

func TestOwner(t *testing.T) {
	t.Parallel()
	e1 := func(e ev) ev { return epoch(1, e) }
	e2 := func(e ev) ev { return epoch(2, e) }
	expelled := inB(of(history.Expelled, 0))
	unsure := inB(of(history.Expelling, 0))
	answer := func(r string) ev { e := result(r, expelled); e.Ref = 2; return e }
	judge(t, check.Owner, []judged{
		{"nothing", nil, 0, nil},
		{"within", run(assigned(1), e1(sent(3)), e1(ok(3)), e1(sent(5)), e1(ok(5)), revoked()), 2, nil},
		{"answered after the end", run(assigned(1), e1(sent(3)), revoked(), e1(ok(3))), 1, nil},
		{"handed over", run(assigned(1), e1(sent(3)), e1(ok(3)), revoked(), inB(assigned(1)), inB(e1(sent(5))), inB(e1(ok(5)))), 2, nil},
		{"refused does not count", run(e1(sent(3)), e1(refused(3))), 0, nil},
		{"an expulsion overtook the other's assignment", run(inB(member("")), assigned(1), expelled, inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, nil},
		{"an expulsion that nobody answered overtook the other's assignment", run(inB(member("")), assigned(1), unsure, inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, nil},
		{"an expulsion that nobody answered was not done", run(inB(member("")), assigned(1), e1(sent(3)), e1(ok(3)), revoked(), unsure, inB(assigned(1)), inB(e1(sent(5))), inB(e1(ok(5)))), 2, nil},
		{"the group said that it was done", run(inB(member("")), unsure, answer(history.ResultOK), assigned(1), inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, nil},
		{"on the wire", run(wire("m", "m", 3), wire("n", "", 4)), 1, nil},

		{"never assigned", run(e1(sent(3)), e1(ok(3))), 1, []string{"t/0: commit of 3 by a, epoch 1, outside of its assignment"}},
		{"before it was assigned", run(e1(sent(3)), assigned(1), e1(ok(3))), 1, []string{"outside"}},
		{"after the revoke", run(assigned(1), revoked(), e1(sent(3)), e1(ok(3))), 1, []string{"outside"}},
		{"after the loss", run(assigned(1), lost(), e1(sent(3)), e1(ok(3))), 1, []string{"outside"}},
		{"after the end of the runtime", run(assigned(1), of(history.ShutdownEnded, 0), e1(sent(3)), e1(ok(3))), 1, []string{"outside"}},
		{"in an older epoch", run(assigned(1), revoked(), assigned(2), e1(sent(3)), e1(ok(3))), 1, []string{"epoch 1, outside"}},
		{"a zombie", run(assigned(1), inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, []string{"by a, epoch 1, when b, epoch 1, had it"}},
		{"the other has joined since it was expelled", run(inB(member("")), assigned(1), expelled, inB(member("")), inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, []string{"when b, epoch 1, had it"}},
		{"an expulsion overtook its own assignment", run(inB(member("")), assigned(1), expelled, inB(assigned(1)), inB(e1(sent(3))), inB(e1(ok(3)))), 1, []string{"when a, epoch 1, had it"}},
		{"another one had it before an expulsion that nobody answered", run(inB(member("")), assigned(1), inB(assigned(1)), unsure, e1(sent(3)), e1(ok(3))), 1, []string{"when b, epoch 1, had it"}},
		{"followed since by another one", run(inB(member("")), unsure, inB(assigned(1)), assigned(1), inB(e1(sent(3))), inB(e1(ok(3)))), 1, []string{"when a, epoch 1, had it"}},
		{"the other has joined since an expulsion that nobody answered", run(inB(member("")), assigned(1), unsure, inB(member("")), inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, []string{"when b, epoch 1, had it"}},
		{"the group refused the expulsion", run(inB(member("")), unsure, answer(history.ResultRefused), assigned(1), inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, []string{"when b, epoch 1, had it"}},
		{"it joined before the answer", run(inB(member("")), unsure, inB(member("")), answer(history.ResultOK), assigned(1), inB(assigned(1)), e1(sent(3)), e1(ok(3))), 1, []string{"when b, epoch 1, had it"}},
		{"of another partition", run(other(assigned(1)), e1(sent(3)), e1(ok(3))), 1, []string{"outside"}},
		{"by two epochs of one runtime", run(assigned(1), assigned(2), e1(sent(3)), e1(ok(3)), e2(sent(4)), e2(ok(4))), 2, []string{"epoch 1, when a, epoch 2, had it"}},
		{"another member on the wire", run(wire("m", "n", 3)), 1, []string{`took a commit of 3 from member "m", but "n" is the owner`}},
	})
}
