package check_test

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

func TestIsolation(t *testing.T) {
	t.Parallel()
	const (
		second = int64(time.Second)
		late   = 30 * second
	)
	batch := epoch(1, span(history.Fetched, 0, 9))
	hung := lane(1, epoch(1, of(history.Quarantined, 5)))
	first := one(started(1, 0), enter(0), leave(0))
	next := func(wall int64) []ev { return one(started(1, 1), at(wall, enter(1)), at(wall+1, leave(1))) }
	before := func(between ...ev) []ev {
		return join(one(begins(1, 0), batch, hung), first, between, next(late))
	}
	dueThen := due(25*second, started(1, 1))
	full := history.Sample{Buffered: 9, MaxBuffered: 9}
	paused := full
	paused.Reasons = []string{"stopped"}
	judge(t, check.Isolation, []judged{
		{"nothing", nil, 0, nil},
		{"at once", join(one(begins(1, 0), batch, hung), first, next(second)), 1, nil},
		{"no trouble anywhere", join(one(begins(1, 0), batch), first, next(late)), 0, nil},
		{"its own trouble", join(one(begins(1, 0), batch, lane(0, hung)), first, next(late)), 0, nil},
		{"its partition's", join(one(begins(1, 0), batch, epoch(1, of(history.ForwardFailed, 3))), first, next(late)), 0, nil},
		{"behind a call that failed", join(one(begins(1, 0), batch, hung, started(1, 0), enter(0), result(history.ResultError, leave(0))), next(late)), 0, nil},
		{"the first of a lane", join(one(begins(1, 0), batch, hung), next(late)), 0, nil},
		{"the first after a restart", before(epoch(1, of(history.Restarted, 0))), 0, nil},
		{"waiting for its retry", before(due(late, epoch(1, of(history.RetryScheduled, 1)))), 0, nil},
		{"due then", join(one(begins(1, 0), batch, hung), first, one(dueThen, at(late, enter(1)))), 1, nil},
		{"fetched then", join(one(begins(1, 0), epoch(1, span(history.Fetched, 0, 1)), hung), first, one(at(25*second, epoch(1, span(history.Fetched, 1, 9)))), next(late)), 1, nil},
		{"fetched again then", join(one(begins(1, 0), batch, hung), first, one(at(25*second, epoch(1, span(history.Fetched, 1, 9)))), next(late)), 1, nil},
		{"it drains", before(epoch(1, of(history.RevokeBegan, 0))), 0, nil},
		{"it is rebuilt", before(epoch(1, of(history.Escalated, 0))), 0, nil},
		{"an operator held it", before(ev{Kind: history.Resumed, Incarnation: "a", Text: "operator"}), 0, nil},
		{"it was frozen", before(ev{Kind: history.Fault, Incarnation: "a", Result: history.ResultEnd}), 0, nil},
		{"the world was", before(ev{Kind: history.Fault, Result: history.ResultEnd}), 0, nil},
		{"a stop", before(of(history.ShutdownBegan, 0)), 0, nil},
		{"without the runtime's word", join(one(begins(1, 0), batch, hung), first, one(at(late, enter(1)))), 0, nil},
		{"at the horizon, paused", run(sampled(paused)), 1, nil},
		{"below it", run(sampled(history.Sample{Buffered: 8, MaxBuffered: 9, Bytes: 1, MaxBytes: 2, Ahead: 1, MaxAhead: 2})), 0, nil},

		{"held up by a hung lane", before(), 1, []string{"a: t/0 lane 0: offset 1 was ready and waited 29.99"}},
		{"by a retry", join(one(begins(1, 0), batch, lane(1, epoch(1, of(history.RetryScheduled, 5)))), first, next(late)), 1, []string{"offset 1"}},
		{"by another partition", join(one(begins(1, 0), batch, other(lane(0, hung))), first, next(late)), 1, []string{"offset 1"}},
		{"by a dead letter of another partition", join(one(begins(1, 0), batch, other(epoch(1, of(history.ForwardFailed, 3)))), first, next(late)), 1, []string{"offset 1"}},
		{"its own trouble first", join(one(begins(1, 0), batch, lane(0, hung), hung), first, next(late)), 1, []string{"offset 1"}},
		{"long after it was due", join(one(begins(1, 0), batch, hung), first, one(due(second, started(1, 1)), at(late, enter(1)))), 1, []string{"waited 29s"}},
		{"another one's drain", before(other(epoch(1, of(history.RevokeBegan, 0)))), 1, []string{"offset 1"}},
		{"another one's freeze", before(inB(ev{Kind: history.Fault})), 1, []string{"offset 1"}},
		{"at the horizon and silent", run(sampled(full)), 1, []string{"t/0 is at its horizon (9 records"}},
		{"in bytes", run(sampled(history.Sample{Bytes: 3, MaxBytes: 2})), 1, []string{"3 bytes"}},
		{"ahead", run(sampled(history.Sample{Ahead: 2, MaxAhead: 2})), 1, []string{"2 ahead"}},
	})
}
