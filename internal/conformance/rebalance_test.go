//go:build kafka

package conformance

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
)

// A second member joins under load and leaves again: nothing is lost, order holds, and
// nothing is repeated.
func TestAMemberJoinsAndLeaves(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		topic := b.topic("orders", 4)
		load := b.load(topic, 4, 2*time.Millisecond)
		s := spec{Name: "a", Topics: []topicSpec{{Name: topic, Lanes: 3, Script: script{Sleep: 500 * time.Microsecond}}}}
		first := b.start(s)
		first.waitFinished(200)
		s.Name = "b"
		second := b.start(s)
		second.waitHolds(2)
		first.waitHolds(2)
		second.waitFinished(100)
		second.stops(exitClean)
		first.waitHolds(4)
		finished := first.finished()
		first.waitFinished(finished + 200)
		load.stop()
		b.waitDrained(topic)
		first.stops(exitClean)
		b.wantAllCommitted(topic)
		b.wantNoRepeats(b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7))
		if n := first.count(history.RevokeEnded); n != 2 {
			t.Errorf("the first member lost %d partitions to the second, want 2: a rebalance takes only what moves", n)
		}
	})
}

// The partitions that stay with a member go on while another one drains.
func TestKeptPartitionsGoOnDuringARevoke(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		// Under KIP-848 the broker picks what moves: of six partitions three stay, so that at
		// least one of them is worked at.
		topic := b.topic("orders", 2)
		other := b.topic("others", 4)
		b.produce(topic, 2, 1, "k") // one record in each partition, whose call is slow
		s := spec{Name: "a", Session: 30 * time.Second, Drain: 20 * time.Second, Topics: []topicSpec{
			{Name: topic, Lanes: 1, Script: script{HoldAll: true, Release: b.file("release")}},
			{Name: other, Lanes: 1},
		}}
		first := b.start(s)
		first.waitRunning(2)
		load := b.load(other, 4, 5*time.Millisecond)
		first.waitFinished(50)
		s.Name = "b"
		second := b.start(s)
		eventually(t, "a revoke begins", func() bool { return first.count(history.RevokeBegan) > 0 })
		finished := first.finished()
		first.waitFinished(finished + 100)
		if n := first.count(history.RevokeEnded, topic); n != 0 {
			t.Errorf("%d revokes ended though the call did not return", n)
		}
		b.release(b.file("release"))
		second.waitHolds(3)
		load.stop()
		b.waitDrained(topic, other)
		second.stops(exitClean)
		first.stops(exitClean)
		b.wantAllCommitted(topic, other)
		b.wantNoRepeats(b.judge([]string{topic, other}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7))
	})
}

// A member is killed under load: the other one takes over, nothing is lost, and what is
// repeated is at most what the dead one had not committed.
func TestAMemberIsKilled(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		topic := b.topic("orders", 4)
		load := b.load(topic, 4, 2*time.Millisecond)
		s := spec{Name: "a", Topics: []topicSpec{{Name: topic, Script: script{Sleep: 500 * time.Microsecond, FailEach: 37}}}}
		first := b.start(s)
		s.Name = "b"
		second := b.start(s)
		second.waitHolds(2)
		first.waitHolds(2)
		second.waitFinished(200)
		second.kill()
		first.waitHolds(4)
		load.stop()
		b.waitDrained(topic)
		first.stops(exitClean)
		b.wantAllCommitted(topic)
		events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6)
		b.wantRepeatsAboveLines(events)
	})
}

// A member is killed again and again, and another one comes in its place.
func TestMembersAreKilledInARow(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		topic := b.topic("orders", 2)
		load := b.load(topic, 2, 2*time.Millisecond)
		// A static member gets its partitions back at once. Under KIP-848 it waits for the end
		// of the session of the one that was killed.
		session := map[runtime.GroupProtocol]time.Duration{runtime.GroupClassic: 30 * time.Second, runtime.GroupConsumer: sessionOf}
		s := spec{Name: "a", InstanceID: "one", Session: session[b.protocol], Topics: []topicSpec{{Name: topic, Script: script{Sleep: time.Millisecond}}}}
		for range 4 {
			m := b.start(s)
			m.waitFinished(150)
			m.kill()
		}
		load.stop()
		last := b.start(s)
		b.waitDrained(topic)
		last.stops(exitClean)
		b.wantAllCommitted(topic)
		b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S5, check.S6)
	})
}

// A member is frozen past its session. Another one takes over; the thawed one starts
// nothing and commits nothing under its old assignment, and joins again.
func TestAMemberIsFrozenPastItsSession(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		topic := b.topic("orders", 2)
		b.produce(topic, 2, 60, keyPerLane(3)...)
		// It has something to commit when it thaws, and is inside a call in each lane, so that
		// none of its calls is between its claim and the journal.
		first := b.start(spec{Name: "a", CommitInterval: 3 * time.Second, Topics: []topicSpec{{
			Name: topic, Lanes: 3, Script: script{HoldAt: []int64{30, 31, 32}, Release: b.file("thawed")},
		}}})
		first.waitFinished(60)
		first.waitRunning(6)
		first.freeze()
		frozen := len(first.journal())
		second := b.start(spec{Name: "b", Topics: []topicSpec{{Name: topic, Lanes: 3}}})
		b.waitStable("b")
		second.waitHolds(2)
		b.waitDrained(topic)
		b.release(b.file("thawed"))
		first.thaw()
		b.waitStable("a", "b")
		first.waitHolds(1)
		second.waitHolds(1)

		lost, again, began := 0, false, 0
		for _, e := range first.journal()[frozen:] {
			switch e.Kind {
			case history.Lost:
				lost++
			case history.Assigned:
				again = true
			case history.Started, history.Enter, history.CommitSent:
				if !again {
					began++
				}
			default:
			}
		}
		if lost != 2 || !again || began != 0 {
			t.Errorf("the thawed member lost %d partitions, was assigned others: %t, and before that began %d calls and commits; want 2, true and 0", lost, again, began)
		}
		b.produce(topic, 2, 10, keyPerLane(3)...)
		b.waitDrained(topic)
		first.stops(exitClean)
		second.stops(exitClean)
		b.wantAllCommitted(topic)
		events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7)
		b.wantRepeatsAboveLines(events)
	})
}
