package engine

import (
	"testing"
	"testing/synctest"
	"time"
)

// A join that is pending keeps a session alive for longer than an answered heartbeat
// does, but not beyond its answer: a process that is frozen after it starts nothing.
func TestAPendingJoinDoesNotOutliveItsAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const session, rebalance = 6 * time.Second, time.Minute
		var l lease
		l.init(nil)
		heartbeat := time.Now()
		l.renew(heartbeat, session)
		l.open()
		time.Sleep(time.Second)
		l.renew(time.Now(), rebalance) // a join leaves
		l.renew(heartbeat.Add(time.Millisecond), session)
		time.Sleep(20 * time.Second)
		if !l.valid() {
			t.Error("the lease ended while the join was pending")
		}
		l.renew(time.Now(), session) // the sync is answered
		time.Sleep(session - time.Nanosecond)
		if !l.valid() {
			t.Error("the lease ended before the session")
		}
		time.Sleep(time.Nanosecond)
		if l.valid() {
			t.Errorf("the lease is good for another %v after the session", l.left())
		}
	})
}
