//go:build kafka

package conformance

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// pendingJoin is a group in which the joins of b, c and d are pending, because a drains
// a call that does not return until the file release is there. b has partitions, d has
// none yet.
type pendingJoin struct {
	*bed
	topic      string
	a, b, c, d *member
}

func newPendingJoin(t *testing.T) *pendingJoin {
	t.Helper()
	bed := newBed(t)
	topic := bed.topic("orders", 6)
	bed.produce(topic, 6, 10, "k")
	p := &pendingJoin{bed: bed, topic: topic}
	p.a = bed.start(spec{Name: "a", Session: 60 * time.Second, Drain: 40 * time.Second, Topics: []topicSpec{{
		Name: topic, Lanes: 1, Script: script{HoldAt: []int64{10}, Release: bed.file("release")},
	}}})
	other := spec{Name: "b", Topics: []topicSpec{{Name: topic, Lanes: 1}}}
	p.b = bed.start(other)
	p.a.waitHolds(3)
	p.b.waitHolds(3)
	bed.waitDrained(topic)
	bed.produce(topic, 6, 1, "k") // offset 10, on which a goes on until it is released
	p.a.waitRunning(3)
	before := p.a.count(history.RevokeBegan)
	other.Name = "c"
	p.c = bed.start(other)
	eventually(t, "a is asked for a partition", func() bool { return p.a.count(history.RevokeBegan) > before })
	// By now the others may be through with their rebalance: another one begins.
	other.Name = "d"
	p.d = bed.start(other)
	eventually(t, "the joins are pending", func() bool {
		state, members := bed.groupState()
		return state == "PreparingRebalance" && len(members) == 4
	})
	return p
}

// A join that is pending for longer than the session fences nobody (K16): neither the
// member that joins nor the one that joins again.
func TestAJoinOutlastsTheSession(t *testing.T) {
	t.Parallel()
	p := newPendingJoin(t)
	const session = 6 * time.Second
	since := time.Now()
	eventually(t, "the joins are pending for longer than the session", func() bool {
		if state, _ := p.groupState(); state != "PreparingRebalance" {
			t.Fatalf("the group is %s though a member drains", state)
		}
		return time.Since(since) > session+2*time.Second
	})
	p.release(p.file("release"))
	p.waitStable("a", "b", "c", "d")
	eventually(t, "each member has its share", func() bool {
		return p.a.holds()+p.b.holds()+p.c.holds()+p.d.holds() == 6 && p.a.holds() <= 2 && p.b.holds() <= 2 && p.d.holds() >= 1
	})
	p.produce(p.topic, 6, 10, "k")
	p.waitDrained(p.topic)
	for _, m := range []*member{p.a, p.b, p.c, p.d} {
		if n := m.count(history.Lost) + m.count(history.Rejoined); n != 0 {
			t.Errorf("%s was fenced %d times", m.spec.Name, n)
		}
		m.stops(exitClean)
	}
	p.wantAllCommitted(p.topic)
	p.wantNoRepeats(p.judge([]string{p.topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7))
}

// A member stops while its own join and that of another one are pending: it commits and
// leaves within its budget.
func TestStopWhileAJoinIsPending(t *testing.T) {
	t.Parallel()
	p := newPendingJoin(t)
	p.b.stops(exitClean)
	eventually(t, "b has left though the join is pending", func() bool {
		_, members := p.groupState()
		_, there := members["b"]
		return !there
	})
	p.d.stops(exitClean) // its first join is pending; it has nothing yet
	p.c.stops(exitClean)
	p.release(p.file("release"))
	p.a.waitHolds(6)
	p.waitDrained(p.topic)
	p.a.stops(exitClean)
	p.wantAllCommitted(p.topic)
	p.wantNoRepeats(p.judge([]string{p.topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7))
}
