//go:build kafka

package truth

import (
	"crypto/rand"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// protocol is how a group is run.
type protocol string

const (
	classic  protocol = "classic"
	consumer protocol = "consumer"
)

// member is one of a group, played by raw requests.
type member struct {
	s          *side
	cl         *kgo.Client
	protocol   protocol
	id         string
	generation int32 // or its epoch
	instance   *string
	session    time.Duration
	owns       []int32 // consumer
}

const longSession = 45 * time.Second

// member makes one that has not joined.
func (s *side) member(p protocol, instance string) *member {
	m := &member{s: s, cl: s.client(), protocol: p, session: longSession}
	if instance != "" {
		m.instance = &instance
	}
	if p == consumer {
		m.id = rand.Text()
	}
	return m
}

// joined is a member that has joined and owns what it is to own.
func (s *side) joined(p protocol, instance string) *member {
	s.t.Helper()
	m := s.member(p, instance)
	m.joins()
	return m
}

// shortLived is a member that has joined under shortSession.
func (s *side) shortLived(p protocol, instance string) *member {
	s.t.Helper()
	m := s.member(p, instance)
	m.session = shortSession
	if p == classic {
		m.joins()
		return m
	}
	s.consumerSession(shortSession)
	m.joins()
	if s.fake == nil { // one in memory takes over a change before it answers
		s.eventually("the group has its session timeout", func() bool {
			got := m.beat(m.generation)
			m.takes(got)
			return got.HeartbeatIntervalMillis == int32(heartbeatsOf(shortSession).Milliseconds())
		})
	}
	return m
}

// heartbeatsOf is how far apart the heartbeats of a session are.
func heartbeatsOf(session time.Duration) time.Duration { return session / 3 }

func (m *member) joins() {
	m.s.t.Helper()
	if m.protocol == consumer {
		m.joinsConsumer()
		return
	}
	if code := m.join(); code != "ok" {
		m.s.t.Fatalf("join: %s", code)
	}
	if code := m.sync(); code != "ok" {
		m.s.t.Fatalf("sync: %s", code)
	}
}

// join joins a classic group, which may wait for other members.
func (m *member) join() string {
	m.s.t.Helper()
	for {
		req := kmsg.NewPtrJoinGroupRequest()
		req.Group, req.MemberID, req.InstanceID, req.ProtocolType = m.s.group, m.id, m.instance, "consumer"
		req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(m.session.Milliseconds()), 30_000
		meta := kmsg.NewConsumerMemberMetadata()
		meta.Topics = []string{m.s.topic}
		p := kmsg.NewJoinGroupRequestProtocol()
		p.Name, p.Metadata = "range", meta.AppendTo(nil)
		req.Protocols = append(req.Protocols, p)
		resp := askBy[*kmsg.JoinGroupResponse](m.s, m.cl, req)
		code := name(resp.ErrorCode)
		if code == "MEMBER_ID_REQUIRED" {
			m.id = resp.MemberID
			continue
		}
		if code == "ok" {
			m.id, m.generation = resp.MemberID, resp.Generation
		}
		return code
	}
}

// sync gives the member an assignment of its own making. Only the leader's counts.
func (m *member) sync() string {
	m.s.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.s.group, m.id, m.generation, m.instance
	kind, chosen := "consumer", "range"
	req.ProtocolType, req.Protocol = &kind, &chosen
	a := kmsg.NewSyncGroupRequestGroupAssignment()
	a.MemberID, a.MemberAssignment = m.id, []byte{0, 0, 0, 0, 0, 0}
	req.GroupAssignment = append(req.GroupAssignment, a)
	return name(askBy[*kmsg.SyncGroupResponse](m.s, m.cl, req).ErrorCode)
}

// beat is a heartbeat of KIP-848, with all its fields.
func (m *member) beat(epoch int32) *kmsg.ConsumerGroupHeartbeatResponse {
	m.s.t.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = m.s.group, m.id, epoch, m.instance
	req.RebalanceTimeoutMillis = 30_000
	assignor := "uniform"
	req.ServerAssignor = &assignor
	req.SubscribedTopicNames = []string{m.s.topic}
	req.Topics = []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	if epoch > 0 && len(m.owns) > 0 {
		t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		t.TopicID, t.Partitions = m.s.topicID, m.owns
		req.Topics = append(req.Topics, t)
	}
	return ask[*kmsg.ConsumerGroupHeartbeatResponse](m.s, req)
}

// takes does what a heartbeat's answer says.
func (m *member) takes(resp *kmsg.ConsumerGroupHeartbeatResponse) {
	m.generation = resp.MemberEpoch
	if resp.Assignment == nil {
		return
	}
	m.owns = nil
	for _, t := range resp.Assignment.Topics {
		m.owns = append(m.owns, t.Partitions...)
	}
}

// joinsConsumer joins, and heartbeats until it has partitions.
func (m *member) joinsConsumer() {
	m.s.t.Helper()
	m.owns = nil
	resp := m.beat(0)
	m.s.eventually("the member has partitions, and not "+name(resp.ErrorCode), func() bool {
		if resp.ErrorCode != 0 {
			return false
		}
		m.takes(resp)
		if len(m.owns) > 0 {
			return true
		}
		resp = m.beat(m.generation)
		return false
	})
}

// heartbeat sends one under a generation and returns what the broker says.
func (m *member) heartbeat(generation int32) string {
	m.s.t.Helper()
	if m.protocol == consumer {
		return name(m.beat(generation).ErrorCode)
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.s.group, m.id, generation, m.instance
	return name(ask[*kmsg.HeartbeatResponse](m.s, req).ErrorCode)
}

// commit commits an offset of a partition under a generation.
func (m *member) commit(generation, partition int32, offset int64) string {
	m.s.t.Helper()
	return m.s.commitAs(m.id, generation, m.instance, partition, offset, "")
}

// leave leaves for good, or, under KIP-848 with epoch -2, for a while.
func (m *member) leave(epoch int32) string {
	m.s.t.Helper()
	if m.protocol == consumer {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = m.s.group, m.id, epoch, m.instance
		return name(ask[*kmsg.ConsumerGroupHeartbeatResponse](m.s, req).ErrorCode)
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.s.group, m.id
	one := kmsg.NewLeaveGroupRequestMember()
	one.MemberID, one.InstanceID = m.id, m.instance
	req.Members = append(req.Members, one)
	resp := ask[*kmsg.LeaveGroupResponse](m.s, req)
	if resp.ErrorCode != 0 {
		return name(resp.ErrorCode)
	}
	return name(resp.Members[0].ErrorCode)
}

// members is how many the group of KIP-848 has.
func (s *side) members() int {
	s.t.Helper()
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{s.group}
	return len(ask[*kmsg.ConsumerGroupDescribeResponse](s, req).Groups[0].Members)
}

// consumerSession sets the session timeout of a group of KIP-848. Apache Kafka answers
// before its group coordinator has taken the change over.
func (s *side) consumerSession(d time.Duration) {
	s.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, s.group
	for key, value := range map[string]time.Duration{"consumer.session.timeout.ms": d, "consumer.heartbeat.interval.ms": heartbeatsOf(d)} {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		text := strconv.FormatInt(value.Milliseconds(), 10)
		c.Name, c.Value = key, &text
		r.Configs = append(r.Configs, c)
	}
	req.Resources = append(req.Resources, r)
	if code := name(ask[*kmsg.IncrementalAlterConfigsResponse](s, req).Resources[0].ErrorCode); code != "ok" {
		s.t.Fatalf("session timeout of the group: %s", code)
	}
}
