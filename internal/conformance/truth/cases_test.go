//go:build kafka

package truth

import (
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// question is asked of both brokers. What they answer goes into side.said.
type question struct {
	about string
	only  protocol // empty: both
	ask   func(s *side, p protocol)
}

func questions() []question {
	return []question{
		{about: "a member id that the group does not know", ask: unknownMember},
		{about: "a commit without a member id while the group has members", ask: noMember},
		{about: "a generation, or epoch, that is not the present one", ask: otherGeneration},
		{about: "another member joins", only: classic, ask: classicRebalance},
		{about: "another member joins", only: consumer, ask: consumerRebalance},
		{about: "a second process with the instance id", only: classic, ask: classicInstance},
		{about: "a second process with the instance id", only: consumer, ask: consumerInstance},
		{about: "offsets of a transaction that is open", ask: pendingOffsets},
		{about: "a commit by a member that does not own the partition", ask: notOwner},
		{about: "a commit backwards", ask: backwards},
		{about: "metadata at and over the limit of 4,096 bytes", ask: metadata},
		{about: "a commit for a partition and a topic that do not exist", ask: noPartition},
		{about: "a commit above the end of the log", ask: aboveTheEnd},
		{about: "a member that has left", ask: hasLeft},
		{about: "a member that commits and does not heartbeat, for three sessions", ask: commitsOnly},
		{about: "a join that is pending for longer than its session (K16)", only: classic, ask: longJoin},
		{about: "a static member that stays away for longer than its session", only: consumer, ask: staysAway},
		{about: "offsets behind markers, and of aborted records", only: classic, ask: markers},
		{about: "holes of compaction", only: classic, ask: holes},
	}
}

func unknownMember(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("commit", s.commitAs("nobody", m.generation, nil, 0, 5, ""))
	m.id = "nobody"
	s.say("heartbeat", m.heartbeat(m.generation))
	s.say("leave", m.leave(-1))
	s.say("stored", s.committed(0, false))
}

func noMember(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("generation -1:", s.commitAs("", -1, nil, 0, 5, ""))
	s.say("the member's:", s.commitAs("", m.generation, nil, 0, 5, ""))
}

func otherGeneration(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("commit of the one before", m.commit(m.generation-1, 0, 5))
	s.say("of the next", m.commit(m.generation+1, 0, 5))
	s.say("stored", s.committed(0, false))
	if p == classic {
		s.say("heartbeat of the one before", m.heartbeat(m.generation-1))
	}
	s.say("heartbeat of the next", m.heartbeat(m.generation+1))
	s.say("of the present one", m.heartbeat(m.generation))
}

// pending begins a join in the group, which waits for m.
func pending(s *side, m, other *member) <-chan string {
	s.t.Helper()
	done := make(chan string, 1)
	go func() { done <- other.join() }()
	s.eventually("a heartbeat tells of the join", func() bool { return m.heartbeat(m.generation) == "REBALANCE_IN_PROGRESS" })
	return done
}

func classicRebalance(s *side, p protocol) {
	a, b := s.joined(p, ""), s.member(p, "")
	done := pending(s, a, b)
	s.say("while it is pending: commit", a.commit(a.generation, 0, 5))
	old := a.generation
	s.say("join", a.join())
	s.say("the other's", <-done)
	s.say("before the sync: commit", a.commit(a.generation, 0, 6))
	s.say("of the generation before", a.commit(old, 0, 7))
	s.say("heartbeat", a.heartbeat(a.generation))
	s.say("sync", a.sync())
	s.say("commit", a.commit(a.generation, 0, 8))
	s.say("stored", s.committed(0, false))
}

func consumerRebalance(s *side, p protocol) {
	a, b := s.joined(p, ""), s.member(p, "")
	b.takes(b.beat(0))
	old := a.generation
	s.say("commit before the next heartbeat", a.commit(old, 0, 5))
	s.eventually("the member is told to let one partition go", func() bool {
		a.takes(a.beat(a.generation))
		return len(a.owns) == 1
	})
	kept := a.owns[0]
	s.say("commit of the kept partition", a.commit(a.generation, kept, 6))
	s.say("of the one that is let go", a.commit(a.generation, 1-kept, 6))
	s.eventually("the epochs have moved on", func() bool {
		a.takes(a.beat(a.generation))
		b.takes(b.beat(b.generation))
		return len(b.owns) == 1 && a.generation > old
	})
	a.beat(a.generation)
	s.say("with the epoch before: of the kept one", a.commit(old, kept, 7))
	s.say("of the one that another has", a.commit(old, 1-kept, 7))
	s.say("by its new owner with an epoch before its assignment", b.commit(b.generation-1, 1-kept, 8))
	s.say("heartbeat with the epoch before, owning what it has", a.heartbeat(old))
}

func classicInstance(s *side, p protocol) {
	first := s.joined(p, "one")
	second := s.joined(p, "one")
	s.say("the first: commit", first.commit(first.generation, 0, 5))
	s.say("heartbeat", first.heartbeat(first.generation))
	s.say("leave", first.leave(-1))
	s.say("the second: commit", second.commit(second.generation, 0, 5))
}

func consumerInstance(s *side, p protocol) {
	first, second := s.joined(p, "one"), s.member(p, "one")
	s.say("join", name(second.beat(0).ErrorCode))
	s.say("the first: commit", first.commit(first.generation, 0, 5))
	s.say("stays away", first.leave(-2))
	second.joinsConsumer()
	s.sayf("the second has %d partitions", len(second.owns))
	s.say("the first: commit", first.commit(first.generation, 0, 5))
	s.say("heartbeat", first.heartbeat(first.generation))
	s.say("leave", first.leave(-1))
	s.say("the second: commit", second.commit(second.generation, 0, 5))
}

func pendingOffsets(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("commit", m.commit(m.generation, 0, 3))
	t := s.transaction()
	s.say("offsets of the transaction", t.offsets(m, 0, 5))
	s.say("read stable", s.committed(0, true))
	s.say("read", s.committed(0, false))
	s.say("another partition, stable", s.committed(1, true))
	s.say("commit meanwhile", m.commit(m.generation, 0, 4))
	s.say("read", s.committed(0, false))
	s.say("end", t.end(true))
	s.eventually("the offsets are stable", func() bool { return s.committed(0, true) != "UNSTABLE_OFFSET_COMMIT" })
	s.say("read stable", s.committed(0, true))
}

func notOwner(s *side, p protocol) {
	m := s.joined(p, "")
	other := s.member(p, "")
	if p == consumer {
		other.takes(other.beat(0)) // it owns nothing yet
	} else {
		done := pending(s, m, other)
		m.join()
		<-done
		m.sync()
		other.sync() // the assignment is nobody's: the members play no roles
	}
	s.say("commit", other.commit(other.generation, 0, 5))
	s.say("stored", s.committed(0, false))
}

func backwards(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("commit 9", m.commit(m.generation, 0, 9))
	s.say("commit 4", m.commit(m.generation, 0, 4))
	s.say("stored", s.committed(0, false))
	s.say("commit -5", m.commit(m.generation, 0, -5))
}

func metadata(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("4,096:", s.commitAs(m.id, m.generation, nil, 0, 4, string(make4096())))
	s.say("4,097:", s.commitAs(m.id, m.generation, nil, 0, 5, string(make4096())+"x"))
	s.say("stored", s.committed(0, false))
}

func make4096() []byte {
	text := make([]byte, 4096)
	for i := range text {
		text[i] = 'm'
	}
	return text
}

func noPartition(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("partition 7:", m.commit(m.generation, 7, 5))
	s.say("stored", s.committed(7, false))
	s.topic, s.topicID = "nosuch", [16]byte{1, 2, 3}
	s.say("topic", m.commit(m.generation, 0, 5))
}

func aboveTheEnd(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("commit 1000 of an empty log", m.commit(m.generation, 0, 1000))
	s.say("stored", s.committed(0, false))
	s.say("fetch from there", s.fetch(0, 1000, 1).code)
}

func hasLeft(s *side, p protocol) {
	m := s.joined(p, "")
	s.say("leave", m.leave(-1))
	s.say("commit", m.commit(m.generation, 0, 5))
	s.say("heartbeat", m.heartbeat(m.generation))
	s.say("leave", m.leave(-1))
	s.say("an empty group: commit without a member", s.commitAs("", -1, nil, 0, 6, ""))
	s.say("stored", s.committed(0, false))
}

// shortSession is long beside what an answer takes on a busy machine.
const shortSession = 4 * time.Second

func commitsOnly(s *side, p protocol) {
	m := s.shortLived(p, "")
	last := ""
	s.within(3*shortSession, func() bool {
		last = m.commit(m.generation, 0, 5)
		return last != "ok"
	})
	s.say("the last commit:", last)
}

func longJoin(s *side, p protocol) {
	slow, again, fresh := s.joined(p, ""), s.member(p, ""), s.member(p, "")
	again.session, fresh.session = shortSession, shortSession
	done := pending(s, slow, again)
	slow.join()
	<-done
	slow.sync()
	again.sync()
	joined := pending(s, slow, fresh)
	rejoined := make(chan string, 1)
	go func() { rejoined <- again.join() }()
	s.within(2*shortSession, func() bool { return slow.heartbeat(slow.generation) != "REBALANCE_IN_PROGRESS" })
	s.say("the one that they wait for:", slow.join())
	s.say("the one that joined again:", <-rejoined)
	s.say("the new one:", <-joined)
}

func staysAway(s *side, p protocol) {
	m := s.shortLived(p, "one")
	instance := m.instance
	m.instance = nil
	s.say("stays away, and does not name its instance", m.leave(-2))
	m.instance = instance
	s.say("names it", m.leave(-2))
	s.sayf("%d member", s.members())
	gone := s.within(4*shortSession, func() bool { return s.members() == 0 })
	s.sayf("gone after its session: %t", gone)
}

func markers(s *side, _ protocol) {
	s.produce(0, "a", "")
	t := s.transaction()
	t.produce(0, "b")
	s.sayf("open: end %d, stable %d", s.listed(0, -1, 0), s.listed(0, -1, 1))
	s.say("commit above the stable end", s.commitAs("", -1, nil, 0, 2, ""))
	s.say("end", t.end(true))
	t = s.transaction()
	t.produce(0, "c")
	s.say("abort", t.end(false))
	s.produce(0, "d", "")
	s.eventually("the transactions are over", func() bool { return s.listed(0, -1, 1) == s.listed(0, -1, 0) })
	s.sayf("end %d", s.listed(0, -1, 1))
	got := s.fetch(0, 0, 1)
	s.sayf("read from 0: %s %v, aborted from %v", got.code, got.offsets, got.aborted)
	got = s.fetch(0, 2, 1)
	s.sayf("from the marker at 2: %s %v", got.code, got.offsets)
	s.say("commit at the marker", s.commitAs("", -1, nil, 0, 2, ""))
	s.say("commit at the end", s.commitAs("", -1, nil, 0, 6, ""))
	got = s.fetch(0, 6, 1)
	s.sayf("read from the end: %s %v", got.code, got.offsets)
	s.sayf("read uncommitted: %v", s.fetch(0, 0, 0).offsets)
}

func holes(s *side, _ protocol) {
	s.topic += "-compacted"
	s.createTopic("cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01", "max.compaction.lag.ms", "100")
	s.produce(0, "v", "once")
	for i := range 20 {
		s.produce(0, strconv.Itoa(i), "again")
	}
	var got fetched
	s.eventually("the log is compacted", func() bool {
		if s.fake != nil {
			s.fake.Compact()
		}
		s.produce(0, "later", "later") // the segment in use is not compacted
		got = s.fetch(0, 1, 1)
		return len(got.offsets) > 0 && got.offsets[0] >= 20
	})
	s.sayf("read from the hole at 1: %s, first %d", got.code, got.offsets[0])
	s.sayf("the log starts at %d", s.listed(0, -2, 0))
	s.say("commit in the hole", s.commitAs("", -1, nil, 0, 5, ""))
	s.say("stored", s.committed(0, true))
}

// listed asks for an offset by a special timestamp.
func (s *side) listed(partition int32, which int64, isolation int8) int64 {
	s.t.Helper()
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID, req.IsolationLevel = -1, isolation
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = s.topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, which, -1
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	got := ask[*kmsg.ListOffsetsResponse](s, req).Topics[0].Partitions[0]
	if got.ErrorCode != 0 {
		s.t.Fatalf("list offsets: %s", name(got.ErrorCode))
	}
	return got.Offset
}
