//go:build synctests

package kfakefix

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	topic   = "orders"
	group   = "shop"
	session = 9 * time.Second
)

// rig is a corrected cluster in a bubble.
type rig struct {
	t  *testing.T
	c  *kfake.Cluster
	cl *kgo.Client
	id [16]byte // of the topic
}

func bubble(t *testing.T, f func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, topic), kfake.ListenFn(network.Listen),
			kfake.BrokerConfigs(map[string]string{"group.consumer.session.timeout.ms": "9000"}))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		stop, err := Install(c, Options{Dial: network.DialContext, Session: session})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(network.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		topics, err := kadm.NewClient(cl).ListTopics(t.Context(), topic)
		if err != nil {
			t.Fatal(err)
		}
		f(&rig{t: t, c: c, cl: cl, id: topics[topic].ID})
	})
}

func ask[R kmsg.Response](r *rig, req kmsg.Request) R {
	r.t.Helper()
	resp, err := r.cl.Request(context.Background(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	answer, ok := resp.(R)
	if !ok {
		r.t.Fatalf("answered by a %T", resp)
	}
	return answer
}

func (r *rig) beat(member string, epoch int32, instance *string, owns ...int32) *kmsg.ConsumerGroupHeartbeatResponse {
	r.t.Helper()
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID, req.RebalanceTimeoutMillis = group, member, epoch, instance, 60_000
	req.SubscribedTopicNames, req.Topics = []string{topic}, []kmsg.ConsumerGroupHeartbeatRequestTopic{}
	if len(owns) > 0 {
		t := kmsg.NewConsumerGroupHeartbeatRequestTopic()
		t.TopicID, t.Partitions = r.id, owns
		req.Topics = append(req.Topics, t)
	}
	return ask[*kmsg.ConsumerGroupHeartbeatResponse](r, req)
}

// commits commits partitions 0 and 1 at once, each with its metadata.
func (r *rig) commits(member string, generation int32, metadata ...string) []error {
	r.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation = group, member, generation
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = topic, r.id
	for i := range metadata {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.Metadata = int32(i), 7, &metadata[i]
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	var errs []error
	for _, p := range ask[*kmsg.OffsetCommitResponse](r, req).Topics[0].Partitions {
		errs = append(errs, kerr.ErrorForCode(p.ErrorCode))
	}
	return errs
}

func (r *rig) want(what string, got []error, want ...error) {
	r.t.Helper()
	if len(got) != len(want) {
		r.t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range want {
		if got[i] != want[i] { //nolint:errorlint // the very values of package kerr
			r.t.Errorf("%s: partition %d: %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestMetadataOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		most := strings.Repeat("m", metadataMost)
		r.want("both", r.commits("", -1, most, most+"x"), nil, kerr.OffsetMetadataTooLarge)
		r.want("the next", r.commits("", -1, most, most), nil, nil)
		if stored := r.c.GroupInfo(group).Commits[topic]; len(stored) != 2 {
			r.t.Errorf("stored %v, want both in the end", stored)
		}
	})
}

func TestAPartitionThatWasLetGoIsCommittedUnderThePresentEpochOnly(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		first := r.beat("a", 0, nil)
		old := first.MemberEpoch
		r.beat("a", old, nil, 0, 1)
		r.beat("b", 0, nil)
		kept := r.beat("a", old, nil, 0, 1).Assignment.Topics[0].Partitions
		r.want("before it is let go", r.commits("a", old, "", ""), nil, nil)
		next := r.beat("a", old, nil, kept...).MemberEpoch
		r.beat("a", next, nil, kept...)
		want := []error{kerr.StaleMemberEpoch, kerr.StaleMemberEpoch}
		want[kept[0]] = nil
		r.want("under the epoch before", r.commits("a", old, "", ""), want...)
		r.want("under the present one", r.commits("a", next, "", ""), nil, nil)
	})
}

func TestAMemberThatCommitsOnlyLosesItsSession(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		epoch := r.beat("a", 0, nil).MemberEpoch
		for range 4 {
			time.Sleep(2 * time.Second)
			r.want("within the session", r.commits("a", epoch, ""), nil)
		}
		time.Sleep(2 * time.Second)
		r.want("behind it", r.commits("a", epoch, ""), kerr.UnknownMemberID)
	})
}

func TestAStaticMemberThatStaysAwayLosesItsSession(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		one := "one"
		r.beat("a", 0, &one)
		r.beat("a", -2, &one)
		time.Sleep(session - time.Second)
		if n := len(r.c.GroupInfo(group).Members); n != 1 {
			r.t.Errorf("%d members within the session, want 1", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(r.c.GroupInfo(group).Members); n != 0 {
			r.t.Errorf("%d members behind it, want none", n)
		}
	})
}

// A successor is not taken out by what its predecessor left behind.
func TestAStaticMemberThatCameBackKeepsItsSession(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		one := "one"
		r.beat("a", 0, &one)
		r.beat("a", -2, &one)
		epoch := r.beat("b", 0, &one).MemberEpoch
		for range 5 {
			time.Sleep(session / 2)
			if resp := r.beat("b", epoch, &one, 0, 1); resp.ErrorCode != 0 {
				r.t.Fatalf("heartbeat: %v", kerr.ErrorForCode(resp.ErrorCode))
			}
		}
	})
}

// A static member that does not name its instance is still there.
func TestAFarewellForAWhileNamesTheInstance(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		one := "one"
		member := r.beat("m", 0, &one).MemberEpoch
		r.want("without", []error{kerr.ErrorForCode(r.beat("m", -2, nil).ErrorCode)}, kerr.InvalidRequest)
		r.want("still there", []error{kerr.ErrorForCode(r.beat("m", member, &one).ErrorCode)}, nil)
		r.want("with it", []error{kerr.ErrorForCode(r.beat("m", -2, &one).ErrorCode)}, nil)
	})
}

// join makes a static member of a classic group.
func (r *rig) join(instance string) string {
	r.t.Helper()
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.InstanceID, req.ProtocolType = group, &instance, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 10_000, 10_000
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "range"
	req.Protocols = append(req.Protocols, p)
	joined := ask[*kmsg.JoinGroupResponse](r, req)
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation, sync.InstanceID = group, joined.MemberID, joined.Generation, &instance
	if resp := ask[*kmsg.SyncGroupResponse](r, sync); resp.ErrorCode != 0 {
		r.t.Fatalf("sync: %v", kerr.ErrorForCode(resp.ErrorCode))
	}
	return joined.MemberID
}

func (r *rig) leave(member, instance string) error {
	r.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID, m.InstanceID = member, &instance
	req.Members = append(req.Members, m)
	return kerr.ErrorForCode(ask[*kmsg.LeaveGroupResponse](r, req).Members[0].ErrorCode)
}

func TestAReplacedStaticMemberThatLeavesIsFenced(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		first, second := r.join("one"), r.join("one")
		r.want("the first leaves", []error{r.leave(first, "one")}, kerr.FencedInstanceID)
		if n := len(r.c.GroupInfo(group).Members); n != 1 {
			r.t.Errorf("%d members, want the second", n)
		}
		r.want("the second leaves", []error{r.leave(second, "one")}, nil)
	})
}
