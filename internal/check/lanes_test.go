package check_test

import (
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	judge(t, check.Order, []judged{
		{"nothing", nil, 0, nil},
		{"ascending", run(enter(0), enter(3), enter(7)), 2, nil},
		{"a redelivery", run(enter(3), again(enter(3)), enter(4)), 2, nil},
		{"keys do not matter to each other", run(enter(3), key("l", enter(1)), key("l", enter(2))), 1, nil},
		{"lanes do not", run(enter(3), lane(1, key("l", enter(1)))), 0, nil},
		{"a key has a lane in each partition", run(enter(1), lane(1, other(enter(2)))), 0, nil},
		{"and in each process", run(enter(1), lane(1, inB(enter(2)))), 0, nil},
		{"no key may be in any", run(noKey(enter(1)), lane(1, noKey(enter(2)))), 0, nil},
		{"partitions do not", run(enter(3), other(enter(1))), 0, nil},
		{"incarnations do not", run(enter(3), inB(enter(1))), 0, nil},
		{"no key is not an empty one", run(noKey(enter(3)), key("", enter(1))), 0, nil},
		{"a new assignment may repeat", run(assigned(1), enter(3), revoked(), assigned(2), enter(1)), 0, nil},
		{"a late entry belongs to the assignment that let it pass", run(assigned(1), started(1, 1), revoked(), assigned(2), started(2, 3), enter(3), enter(1)), 0, nil},
		{"a supervisor that failed begins anew", run(enter(3), result(history.ResultSupervisor, of(history.Escalated, 0)), enter(1)), 0, nil},
		{"a late entry belongs to what was before", run(assigned(1), started(1, 3), result(history.ResultSupervisor, of(history.Escalated, 0)), enter(3), started(1, 1), enter(1)), 0, nil},
		{"a disturbance begins anew", run(enter(3), of(history.Disturbance, 0), enter(1)), 0, nil},

		{"a key in two lanes", run(enter(1), lane(1, enter(2))), 0, []string{`key "k": offset 1 began in lane 0, and offset 2 in lane 1`}},
		{"a key in two lanes, one after the other", run(assigned(1), enter(1), revoked(), assigned(2), lane(1, enter(2))), 0, []string{"in lane 1"}},
		{"back", run(enter(3), enter(2)), 1, []string{`lane 0 epoch 0 key "k": offset 2 began after offset 3`}},
		{"a retry behind a later record", run(enter(3), enter(4), again(enter(3))), 2, []string{"offset 3 began after offset 4"}},
		{"told once for each", run(enter(3), enter(5), again(enter(3)), again(enter(5))), 3, []string{"offset 3 began after offset 5"}},
		{"without keys", run(noKey(enter(3)), noKey(enter(2))), 1, []string{"offset 2"}},
		{"within an assignment", run(assigned(1), enter(1), assigned(2), enter(5), enter(4)), 1, []string{"epoch 2"}},
		{"of an assignment that began again", run(assigned(1), enter(5), assigned(1), enter(4)), 1, []string{"epoch 1"}},
		{"a rebuild keeps the order", run(enter(3), of(history.Escalated, 0), enter(1)), 1, []string{"offset 1"}},
		{"a late entry that was back before", run(assigned(1), enter(5), started(1, 3), of(history.Disturbance, 0), enter(3)), 1, []string{"offset 3 began after offset 5"}},
		{"back behind a late entry", run(assigned(1), started(1, 3), of(history.Disturbance, 0), enter(3), enter(2), enter(1)), 1, []string{"offset 1 began after offset 2"}},
		{"a disturbance of another partition", run(enter(3), other(of(history.Disturbance, 0)), enter(1)), 1, []string{"offset 1"}},
	})
}

func TestOverlap(t *testing.T) {
	t.Parallel()
	forced := lane(0, of(history.Forced, 0))
	frozen, thawed := freezes(history.ResultBegin), freezes(history.ResultEnd)
	flap := ev{Kind: history.Fault, Incarnation: "a", Text: "flap", Result: history.ResultBegin}
	otherOut, unsure := inB(of(history.Expelled, 0)), inB(of(history.Expelling, 0))
	refusal := ev{Kind: history.Expelled, Incarnation: "a", Ref: 3, Result: history.ResultRefused}
	expelled, revoking := of(history.Expelled, 0), epoch(1, of(history.RevokeBegan, 0))
	judge(t, check.Overlap, []judged{
		{"nothing", nil, 0, nil},
		{"one after the other", run(enter(0), leave(0), enter(1), result(history.ResultPanic, leave(1)), again(enter(1)), again(leave(1))), 2, nil},
		{"lanes run side by side", run(enter(0), lane(1, enter(1)), lane(1, leave(1)), leave(0)), 0, nil},
		{"partitions do", run(enter(0), other(enter(1))), 0, nil},
		{"processes may, in a loss", run(enter(0), inB(enter(0))), 0, nil},
		{"the last call hangs for ever", run(enter(0), leave(0), enter(1)), 1, nil},
		{"one process after the other", run(assigned(1), enter(0), leave(0), inB(assigned(1)), inB(enter(0)), inB(leave(0))), 0, nil},
		{"the call of a partition that was let go", run(assigned(1), enter(0), revoked(), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0))), 1, nil},
		{"of one that is lost, and told later", run(assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), lost()), 1, nil},
		{"of a process that was killed", run(assigned(1), enter(0), of(history.Killed, 0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0))), 1, nil},
		{"of one that a stop let go, and that cannot leave", run(assigned(1), enter(0), stopped(), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), of(history.ShutdownEnded, 0)), 1, nil},
		{"of one whose instance id was taken", run(member("i"), assigned(1), enter(0), inB(member("i")), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, nil},
		{"the same, told late", run(member("i"), assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), inB(member("i")), leave(0), inB(leave(0)), revoked()), 1, nil},
		{"of a process that was frozen", run(assigned(1), enter(0), frozen, inB(assigned(1)), inB(enter(0)), thawed, leave(0), inB(leave(0)), revoked()), 1, nil},
		{"the same, thawed before the other began", run(assigned(1), enter(0), frozen, thawed, inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, nil},
		{"one of its freezes was over", run(assigned(1), frozen, frozen, thawed, enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, nil},
		{"of one that an admin took out while it stopped", run(assigned(1), enter(0), expelled, inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), stopped()), 1, nil},
		{"of one that an admin took out in its revoke", run(assigned(1), enter(0), revoking, expelled, inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, nil},
		{"the replaced one begins late", run(assigned(1), inB(assigned(1)), inB(enter(0)), enter(0), leave(0), inB(leave(0)), lost()), 1, nil},
		{"an expulsion overtook the other's assignment", run(inB(member("")), otherOut, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), inB(lost()), revoked()), 1, nil},
		{"the same, and it stopped before it learned that", run(inB(member("")), otherOut, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), inB(stopped()), revoked()), 1, nil},
		{"the same, and that one began first", run(inB(member("")), otherOut, assigned(1), inB(assigned(1)), inB(enter(0)), enter(0), leave(0), inB(leave(0)), inB(lost()), revoked()), 1, nil},
		{"an expulsion that nobody answered did", run(inB(member("")), unsure, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), inB(lost()), revoked()), 1, nil},
		{"an expulsion that nobody answered was not done", run(inB(member("")), unsure, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), lost(), inB(revoked())), 1, nil},
		{"expulsions overtook both", run(member(""), inB(member("")), expelled, otherOut, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), inB(lost()), revoked()), 1, nil},
		{"forced", run(enter(0), forced, enter(1), leave(1), leave(0), enter(2)), 2, nil},

		{"overlap", run(enter(0), enter(1), leave(0), leave(1)), 1, []string{"a: t/0 lane 0: offset 1 began while offset 0 ran"}},
		{"two processes", run(assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, []string{"t/0 offset 0: calls of a and b overlap, and a still had the partition"}},
		{"the freeze was over before", run(assigned(1), frozen, thawed, enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"all freezes were over before", run(assigned(1), frozen, frozen, thawed, thawed, enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"the freeze came afterwards", run(assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), frozen, thawed, leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"another fault", run(assigned(1), enter(0), flap, inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"another one's freeze", run(assigned(1), enter(0), inB(frozen), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"an admin took it out, and it takes that for a revoke", run(assigned(1), enter(0), expelled, inB(assigned(1)), inB(enter(0)), revoking, leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"the other has joined since it was expelled", run(inB(member("")), otherOut, inB(member("")), assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), inB(lost()), revoked()), 1, []string{"a still had the partition"}},
		{"an expulsion overtook the other's assignment, which a revoke ends", run(inB(member("")), otherOut, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), lost(), inB(revoked())), 1, []string{"b still had the partition"}},
		{"an expulsion that nobody answered, and both end by a revoke", run(inB(member("")), unsure, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked(), inB(revoked())), 1, []string{"a still had the partition"}},
		{"expulsions overtook both, and both end by a revoke", run(member(""), inB(member("")), expelled, otherOut, assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked(), inB(revoked())), 1, []string{"a still had the partition"}},
		{"the group refused to take it out", run(assigned(1), enter(0), of(history.Expelling, 0), refusal, inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), stopped()), 1, []string{"a still had the partition"}},
		{"an admin took it out too late", run(assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), expelled, stopped()), 1, []string{"a still had the partition"}},
		{"two static members", run(member("i"), inB(member("j")), assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), member("i"), leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"two dynamic ones", run(member(""), inB(member("")), assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"the instance id is taken afterwards", run(member("i"), assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(member("i")), inB(leave(0)), revoked()), 1, []string{"a still had the partition"}},
		{"the taker's", run(member("i"), inB(member("i")), member("i"), inB(assigned(1)), inB(enter(0)), assigned(1), enter(0), leave(0), inB(leave(0))), 1, []string{"b still had the partition"}},
		{"a stop that has not let go", run(assigned(1), enter(0), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0)), stopped()), 1, []string{"a still had the partition"}},
		{"two processes, the longer call counts", run(assigned(1), enter(0), lane(1, enter(0)), lane(1, leave(0)), inB(assigned(1)), inB(enter(0)), leave(0), inB(leave(0))), 1, []string{"a still had the partition"}},
		{"the same record twice", run(enter(0), again(enter(0))), 1, []string{"offset 0 began while offset 0 ran"}},
		{"over a new assignment", run(assigned(1), enter(0), revoked(), assigned(2), enter(0)), 1, []string{"offset 0"}},
		{"a quarantine that nobody keeps", run(enter(0), of(history.Quarantined, 0), enter(1)), 1, []string{"offset 1"}},
		{"after it was forced", run(enter(0), forced, enter(1), enter(2)), 2, []string{"offset 2 began while offset 1 ran"}},
		{"forced in another lane", run(enter(0), lane(1, forced), enter(1)), 1, []string{"offset 1"}},
		{"forced too late", run(enter(0), enter(1), forced), 1, []string{"offset 1"}},
		{"the runtime says that it ended, the journal does not", run(enter(0), of(history.Delivered, 0), enter(1)), 1, []string{"offset 1"}},
	})
}
