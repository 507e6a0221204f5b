//go:build kafka

package conformance

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// A member that is stopped under load drains, commits all that it finished, also where a
// lane was ahead of another, and leaves at once. Its successor repeats nothing.
func TestCleanStop(t *testing.T) {
	t.Parallel()
	for _, lanes := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d lanes", lanes), func(t *testing.T) {
			t.Parallel()
			inBoth(t, func(b *bed) {
				t := b.t
				topic := b.topic("orders", 2)
				load := b.load(topic, 2, 2*time.Millisecond)
				// It commits nothing by itself before it is stopped.
				s := spec{Name: "a", CommitInterval: time.Minute, Topics: []topicSpec{{Name: topic, Lanes: lanes, Script: script{Sleep: time.Millisecond}}}}
				first := b.start(s)
				first.waitFinished(300)
				first.stops(exitClean)
				if state, members := b.groupState(); state != "Empty" {
					t.Errorf("after the member left the group is %s with %d members, want Empty", state, len(members))
				}
				if err := differ(b.committedByJava(b.group), first.lines()); err != nil {
					t.Error(err)
				}
				s.Name = "b"
				second := b.start(s)
				second.waitFinished(100)
				load.stop()
				eventually(t, "the second member finishes the rest", func() bool { return maps.Equal(second.lines(), b.ends(topic)) })
				second.stops(exitClean)
				b.wantAllCommitted(topic)
				events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6)
				b.wantNoRepeats(events)
				b.wantRepeatsAboveLines(events)
			})
		})
	}
}

// wantTakenOver has another member finish what the one that stopped has left of a topic of
// one partition, and judges both.
func (b *bed) wantTakenOver(topic string, end int64) {
	b.t.Helper()
	second := b.start(spec{Name: "b", Topics: []topicSpec{{Name: topic, Lanes: 3}}})
	b.waitLine(topic, 0, end)
	second.stops(exitClean)
	b.wantRepeatsAboveLines(b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S5, check.S6))
}

// A call that does not return holds a stop up to its budget and no longer. What it had is
// delivered again.
func TestStopWithACallThatHangs(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		topic := b.topic("orders", 1)
		b.produce(topic, 1, 30, keyPerLane(3)...)
		hangs := spec{Name: "a", Shutdown: 6 * time.Second, Topics: []topicSpec{{
			Name: topic, Lanes: 3, Script: script{DeafAt: []int64{12}, Release: b.file("never")},
		}}}
		first := b.start(hangs)
		first.waitFinished(24)
		b.waitLine(topic, 0, 12)
		first.stops(exitNotDrained)
		b.wantCommitted(topic, 12)
		b.wantTakenOver(topic, 30)
	})
}

// A broker that is away does not hold up a stop beyond its budget, whether it refuses
// connections or is silent. What could not be committed is delivered again.
func TestStopWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(*proxy){
		"refused": (*proxy).close,
		"silent":  func(p *proxy) { p.hush(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBoth(t, func(b *bed) {
				topic := b.topic("orders", 1)
				b.produce(topic, 1, 30, keyPerLane(3)...)
				p := newProxy(b.t)
				first := b.start(spec{Name: "a", Via: p.address(), CommitInterval: time.Minute, Shutdown: 6 * time.Second, Topics: []topicSpec{{
					Name: topic, Lanes: 3, Script: script{HoldAt: []int64{29}, Release: b.file("release")},
				}}})
				first.waitFinished(29)
				cut(p)
				b.release(b.file("release"))
				first.waitFinished(30)
				first.stops(exitNotDrained)
				b.wantTakenOver(topic, 30)
			})
		})
	}
}

// A member is cut off from the broker for longer than its session: it lets go of what it
// has by itself, another one takes over, and when the network is back it joins again.
func TestAMemberIsCutOffPastItsSession(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		topic := b.topic("orders", 2)
		load := b.load(topic, 2, 5*time.Millisecond)
		p := newProxy(t)
		first := b.start(spec{Name: "a", Via: p.address(), Topics: []topicSpec{{Name: topic, Lanes: 3}}})
		second := b.start(spec{Name: "b", Topics: []topicSpec{{Name: topic, Lanes: 3}}})
		first.waitHolds(1)
		second.waitHolds(1)
		finished := first.finished()
		first.waitFinished(finished + 50)
		p.hush(true)
		eventually(t, "the member that is cut off lets go", func() bool { return first.count(history.Lost) == 1 })
		lost := len(first.journal())
		second.waitHolds(2)
		finished = second.finished()
		second.waitFinished(finished + 100)
		for _, e := range first.journal()[lost:] {
			if e.Kind == history.Started || e.Kind == history.CommitSent {
				t.Errorf("%s of %s offset %d, behind the loss", e.Kind, e.TP(), e.Offset)
			}
		}
		p.hush(false)
		b.waitStable("a", "b")
		first.waitHolds(1)
		second.waitHolds(1)
		load.stop()
		b.waitDrained(topic)
		first.stops(exitClean)
		second.stops(exitClean)
		b.wantAllCommitted(topic)
		events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7)
		b.wantRepeatsAboveLines(events)
	})
}

// A broker that is away for less than the session costs nothing: no member is fenced and
// no record is repeated.
func TestBrokerAwayForLessThanTheSession(t *testing.T) {
	t.Parallel()
	inBoth(t, func(b *bed) {
		t := b.t
		topic := b.topic("orders", 2)
		load := b.load(topic, 2, 5*time.Millisecond)
		p := newProxy(t)
		m := b.start(spec{Name: "a", Via: p.address(), Session: 30 * time.Second, Topics: []topicSpec{{Name: topic, Lanes: 3}}})
		m.waitFinished(100)
		p.hush(true)
		sent := load.sent()
		eventually(t, "the producer goes on for a while", func() bool { return load.sent() > sent+400 })
		p.hush(false)
		load.stop()
		b.waitDrained(topic)
		m.stops(exitClean)
		b.wantAllCommitted(topic)
		events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6)
		b.wantNoRepeats(events)
		if n := m.count(history.Lost) + m.count(history.RevokeBegan); n != 0 {
			t.Errorf("the member lost its partitions %d times", n)
		}
	})
}
