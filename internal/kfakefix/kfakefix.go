// Package kfakefix corrects what the in-memory broker kfake answers otherwise than Apache
// Kafka, where that matters to tests of the runtime. docs/kfake.md lists what differs.
package kfakefix

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options is what the corrections need to know.
type Options struct {
	// Dial reaches the cluster; nil: TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Session is the cluster's group.consumer.session.timeout.ms.
	Session time.Duration
}

// Install corrects all that this package can. The function that it returns takes back the
// timers and the client of the corrections; it is called before the cluster is closed.
func Install(c *kfake.Cluster, o Options) (func(), error) {
	Metadata(c)
	Released(c)
	FencedLeave(c)
	Farewells(c)
	return Sessions(c, o)
}

// metadataMost is offset.metadata.max.bytes, as brokers have it by default.
const metadataMost = 4096

// Metadata refuses commits whose metadata is over 4,096 bytes, partition by partition, as
// Kafka does with OFFSET_METADATA_TOO_LARGE. kfake stores any length.
func Metadata(c *kfake.Cluster) {
	control(c, kmsg.OffsetCommit, func(req *kmsg.OffsetCommitRequest) {
		each(req, func(t *kmsg.OffsetCommitRequestTopic, p *kmsg.OffsetCommitRequestTopicPartition) {
			if p.Metadata != nil && len(*p.Metadata) > metadataMost {
				refuse(c, req, t, p.Partition, kerr.OffsetMetadataTooLarge)
			}
		})
	})
}

// control runs f on each request of a kind before the broker acts on it.
func control[R kmsg.Request](c *kfake.Cluster, key kmsg.Key, f func(R)) {
	c.ControlKey(int16(key), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		if req, ok := kreq.(R); ok {
			f(req)
		}
		return nil, nil, false
	})
}

func each(req *kmsg.OffsetCommitRequest, f func(*kmsg.OffsetCommitRequestTopic, *kmsg.OffsetCommitRequestTopicPartition)) {
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			f(&req.Topics[i], &req.Topics[i].Partitions[j])
		}
	}
}

// refuse answers one partition of this very request with an error.
func refuse(c *kfake.Cluster, req *kmsg.OffsetCommitRequest, t *kmsg.OffsetCommitRequestTopic, partition int32, err *kerr.Error) {
	c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: t.Topic, TopicID: t.TopicID, Partitions: []int32{partition},
		Err: err, When: func(r kmsg.Request) bool { return r == kmsg.Request(req) },
	})
}

type memberKey struct{ group, member string }

// report is what a member of KIP-848 said last that it has.
type report struct {
	epoch int32
	owns  map[[16]byte]map[int32]bool // nil: it has not said
}

// Released refuses a commit under an epoch that is over, of a partition that the member
// has let go, with STALE_MEMBER_EPOCH. kfake looks at the epoch of partitions that the
// member has alone.
func Released(c *kfake.Cluster) {
	reports := map[memberKey]*report{} // controls run one at a time
	control(c, kmsg.ConsumerGroupHeartbeat, func(req *kmsg.ConsumerGroupHeartbeatRequest) {
		key := memberKey{req.Group, req.MemberID}
		r := reports[key]
		if r == nil || req.MemberEpoch <= 0 {
			r = &report{}
			reports[key] = r
		}
		r.epoch = max(r.epoch, req.MemberEpoch)
		if req.Topics == nil || req.MemberEpoch <= 0 {
			return
		}
		r.owns = map[[16]byte]map[int32]bool{}
		for _, t := range req.Topics {
			r.owns[t.TopicID] = map[int32]bool{}
			for _, p := range t.Partitions {
				r.owns[t.TopicID][p] = true
			}
		}
	})
	control(c, kmsg.OffsetCommit, func(req *kmsg.OffsetCommitRequest) {
		r := reports[memberKey{req.Group, req.MemberID}]
		if r == nil || r.owns == nil || req.Generation >= r.epoch {
			return
		}
		each(req, func(t *kmsg.OffsetCommitRequestTopic, p *kmsg.OffsetCommitRequestTopicPartition) {
			if t.TopicID != [16]byte{} && !r.owns[t.TopicID][p.Partition] {
				refuse(c, req, t, p.Partition, kerr.StaleMemberEpoch)
			}
		})
	})
}

// FencedLeave answers a static member of a classic group that another one has replaced, and
// that leaves, with FENCED_INSTANCE_ID. kfake takes the other one out.
func FencedLeave(c *kfake.Cluster) {
	type instance struct{ group, id string }
	present := map[instance]string{} // member ids; controls run one at a time
	replaced := map[string]bool{}
	control(c, kmsg.SyncGroup, func(req *kmsg.SyncGroupRequest) {
		if req.InstanceID == nil || replaced[req.MemberID] {
			return
		}
		at := instance{req.Group, *req.InstanceID}
		if before := present[at]; before != "" && before != req.MemberID {
			replaced[before] = true
		}
		present[at] = req.MemberID
	})
	c.ControlKey(int16(kmsg.LeaveGroup), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req, ok := kreq.(*kmsg.LeaveGroupRequest)
		if !ok || len(req.Members) != 1 || req.Members[0].InstanceID == nil || !replaced[req.Members[0].MemberID] {
			return nil, nil, false
		}
		c.KeepControl()
		resp, ok := req.ResponseKind().(*kmsg.LeaveGroupResponse)
		if !ok {
			return nil, nil, false
		}
		m := kmsg.NewLeaveGroupResponseMember()
		m.MemberID, m.InstanceID, m.ErrorCode = req.Members[0].MemberID, req.Members[0].InstanceID, kerr.FencedInstanceID.Code
		resp.Members = append(resp.Members, m)
		return resp, nil, true
	})
}

// Farewells refuses the last heartbeat of a static member of KIP-848 that stays away and
// does not name its instance, with INVALID_REQUEST. kfake knows the instance by the member.
func Farewells(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.ConsumerGroupHeartbeat), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		req, ok := kreq.(*kmsg.ConsumerGroupHeartbeatRequest)
		if !ok || req.MemberEpoch != -2 || req.InstanceID != nil {
			return nil, nil, false
		}
		c.KeepControl()
		resp, ok := req.ResponseKind().(*kmsg.ConsumerGroupHeartbeatResponse)
		if !ok {
			return nil, nil, false
		}
		resp.ErrorCode = kerr.InvalidRequest.Code
		return resp, nil, true
	})
}

// sessions ends sessions of KIP-848. Its mutex is held for moments only.
type sessions struct {
	cl *kgo.Client

	mu      sync.Mutex
	session time.Duration
	own     map[string]time.Duration // by group
	timers  map[memberKey]*time.Timer
	over    bool
	ending  sync.WaitGroup
}

// Sessions ends the session of a member of KIP-848 that does not heartbeat for as long as
// the group's session timeout. kfake keeps a member that commits, and for ever a static
// one that stays away. The function that it returns takes the timers back.
func Sessions(c *kfake.Cluster, o Options) (func(), error) {
	opts := []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	if o.Dial != nil {
		opts = append(opts, kgo.Dialer(o.Dial))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	s := &sessions{cl: cl, session: o.Session, own: map[string]time.Duration{}, timers: map[memberKey]*time.Timer{}}
	control(c, kmsg.ConsumerGroupHeartbeat, s.heartbeat)
	control(c, kmsg.IncrementalAlterConfigs, s.settings)
	return s.stop, nil
}
