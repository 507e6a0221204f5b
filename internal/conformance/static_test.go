//go:build kafka

package conformance

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
)

// A static member that restarts within its session gets its partitions back, and the
// other member is not asked for anything.
func TestAStaticMemberRestarts(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		topic := b.topic("orders", 4)
		load := b.load(topic, 4, 4*time.Millisecond)
		s := spec{Session: 30 * time.Second, Topics: []topicSpec{{Name: topic, Lanes: 1}}}
		one, two := s, s
		one.Name, one.InstanceID = "one", "one"
		two.Name, two.InstanceID = "two", "two"
		first, second := b.start(one), b.start(two)
		first.waitHolds(2)
		second.waitHolds(2)
		second.waitFinished(50)
		before := second.count(history.Assigned) + second.count(history.RevokeBegan) + second.count(history.Lost)
		first.waitFinished(50)
		first.stops(exitClean)
		if _, members := b.groupState(); len(members) != 2 {
			t.Errorf("the group has %d members after a static one stopped, want 2", len(members))
		}
		again := b.start(one)
		again.waitHolds(2)
		again.waitFinished(50)
		for tp := range again.lines() {
			if _, ok := first.lines()[tp]; !ok {
				t.Errorf("%s moved to the member that restarted", tp)
			}
		}
		if n := second.count(history.Assigned) + second.count(history.RevokeBegan) + second.count(history.Lost); n != before {
			t.Errorf("the other member was told of %d assignments, revokes and losses", n-before)
		}
		load.stop()
		b.waitDrained(topic)
		again.stops(exitClean)
		second.stops(exitClean)
		b.wantAllCommitted(topic)
		b.wantNoRepeats(b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6))
	})
}

// A static member that is told to leaves when it stops.
func TestAStaticMemberLeaves(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		topic := b.topic("orders", 2)
		b.produce(topic, 2, 20, "k")
		s := spec{Name: "one", InstanceID: "one", LeaveOnShutdown: true, Session: 30 * time.Second, Topics: []topicSpec{{Name: topic, Lanes: 1}}}
		m := b.start(s)
		b.waitDrained(topic)
		m.stops(exitClean)
		if state, members := b.groupState(); state != "Empty" {
			t.Errorf("the group is %s with %d members, want Empty", state, len(members))
		}
		b.judge([]string{topic}, check.S1, check.S2)
	})
}

// Of two processes with one instance id exactly one goes on: in a classic group the one
// that came last, under KIP-848 the one that was there first. Run of the other returns
// ErrFencedInstance.
func TestTwoProcessesWithOneInstanceID(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		topic := b.topic("orders", 2)
		load := b.load(topic, 2, 4*time.Millisecond)
		s := spec{Name: "one", InstanceID: "one", Topics: []topicSpec{{Name: topic, Lanes: 1}}}
		first := b.start(s)
		first.waitFinished(50)
		s.Name = "other"
		goesOn, ends := b.start(s), first
		if b.protocol == runtime.GroupConsumer {
			goesOn, ends = ends, goesOn
		}
		if code := ends.exit(); code != exitFenced {
			t.Errorf("%s exits with %d, want %d", ends.spec.Name, code, exitFenced)
		}
		finished := goesOn.finished()
		goesOn.waitFinished(finished + 50)
		load.stop()
		b.waitDrained(topic)
		goesOn.stops(exitClean)
		b.wantAllCommitted(topic)
		events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S5, check.S6)
		b.wantRepeatsAboveLines(events)
	})
}
