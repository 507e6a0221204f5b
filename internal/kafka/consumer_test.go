//go:build synctests

package kafka

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/troupe-go/troupe/internal/kfakefix"
	"github.com/troupe-go/troupe/runtime/observe"
)

// consumer makes a member of the protocol Consumer. Its own session timeout is one that
// must not count.
func consumer(o *Options, _ *recorder) {
	o.Protocol, o.SessionTimeout, o.DrainTimeout = Consumer, 300*time.Second, 2*time.Second
}

// consumerBubble has a broker with sessions of 9 s and a heartbeat a second.
func consumerBubble(t *testing.T, f func(r *rig), opts ...kfake.Opt) {
	t.Helper()
	bubble(t, func(r *rig) {
		kfakefix.Farewells(r.cluster)
		f(r)
	}, append([]kfake.Opt{kfake.BrokerConfigs(map[string]string{
		"group.consumer.session.timeout.ms": "9000", "group.consumer.heartbeat.interval.ms": "1000",
	})}, opts...)...)
}

// consumers are the members of the group.
func (r *rig) consumers() []kmsg.ConsumerGroupDescribeResponseGroupMember {
	r.t.Helper()
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{testGroup}
	resp, err := req.RequestWith(context.Background(), r.client())
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.Groups[0].Members
}

// counts returns how often the broker is asked what when says.
func (r *rig) counts(key kmsg.Key, when func(kmsg.Request) bool) func() int {
	h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Observe: true, Count: -1, When: when})
	return h.Hits
}

func TestConsumerProtocolSharesAndLeaves(t *testing.T) {
	t.Parallel()
	consumerBubble(t, func(r *rig) {
		joins := r.counts(kmsg.JoinGroup, nil)
		first := r.start(consumer)
		first.joined(0, 1)
		r.produce(0, "a")
		r.produce(1, "b")
		first.fetches(0, "0:0=a")
		first.fetches(1, "0:0=b")
		second := r.start(consumer)
		gone := first.revokedOne()
		second.joined(gone.Partition)
		first.stores(1-gone.Partition, 1)
		second.stores(gone.Partition, 1)
		if err := second.Leave(context.Background()); err != nil {
			r.t.Fatal(err)
		}
		began := time.Now()
		eventually(r.t, "assigned again", func() bool { return len(first.assignments(gone)) == 2 })
		if took := time.Since(began); took > 2*time.Second {
			r.t.Errorf("the first member waited %v", took)
		}
		if as := first.assignments(gone); as[1].Committed != 1 {
			r.t.Errorf("assigned %+v", as[1])
		}
		if n := len(first.all("lost")); n > 0 || joins() > 0 {
			r.t.Errorf("%d losses, %d classic joins", n, joins())
		}
	}, kfake.SeedTopics(2, testTopic))
}

// The brokers decide the session, and its changes count within a minute.
func TestConsumerLeaseIsTheGroupsOwnSession(t *testing.T) {
	t.Parallel()
	consumerBubble(t, func(r *rig) {
		n := r.start(consumer)
		n.joined(0)
		time.Sleep(10 * time.Second)
		calls := n.leased()
		for _, c := range calls {
			if c.ttl != 9*time.Second {
				r.t.Errorf("renewal %+v, want the broker's 9 s", c)
			}
		}
		if len(calls) < 10 {
			r.t.Errorf("%d renewals in 10 s, want one a second", len(calls))
		}
		r.sets(groupSession, "7000")
		time.Sleep(time.Minute)
		calls = n.leased()
		if last := calls[len(calls)-1]; last.ttl != 7*time.Second {
			r.t.Errorf("renewal %+v, want the group's 7 s", last)
		}
		if w := n.warnings(); len(w) > 0 {
			r.t.Errorf("warned: %v", w)
		}
		r.sets(groupSession, "5000") // with 2 s to drain and 3 s to commit
		eventually(r.t, "a warning", func() bool { return len(n.warnings()) == 1 })
		wantErr(r.t, n.warnings()[0].Err, ErrSessionTimeout)
	})
}

// sets changes a setting of the group.
func (r *rig) sets(name, value string) {
	r.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeGroupConfig, testGroup
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Value = name, &value
	res.Configs = append(res.Configs, c)
	req.Resources = append(req.Resources, res)
	resp, err := req.RequestWith(context.Background(), r.client())
	if err == nil {
		err = kerr.ErrorForCode(resp.Resources[0].ErrorCode)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestConsumerSessionThatIsTooShortFails(t *testing.T) {
	t.Parallel()
	consumerBubble(t, func(r *rig) {
		heartbeats := r.counts(kmsg.ConsumerGroupHeartbeat, nil)
		n := r.start(consumer, func(o *Options, _ *recorder) { o.DrainTimeout = 6 * time.Second })
		wantErr(r.t, n.ended(), ErrSessionTimeout)
		wantErr(r.t, n.all("failed")[0].err, ErrSessionTimeout)
		if heartbeats() > 0 {
			r.t.Error("it joined before")
		}
	})
}

// Where the brokers do not tell the session, the option counts, with a warning.
func TestConsumerSessionThatIsNotTold(t *testing.T) {
	t.Parallel()
	consumerBubble(t, func(r *rig) {
		r.cluster.ControlKey(int16(kmsg.DescribeConfigs), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			req := kreq.(*kmsg.DescribeConfigsRequest)
			resp := req.ResponseKind().(*kmsg.DescribeConfigsResponse)
			res := kmsg.NewDescribeConfigsResponseResource()
			res.ErrorCode = kerr.GroupAuthorizationFailed.Code
			resp.Resources = append(resp.Resources, res)
			return resp, nil, true
		})
		n := r.start(consumer, func(o *Options, _ *recorder) { o.SessionTimeout = 8 * time.Second })
		n.joined(0)
		for _, c := range n.leased() {
			if c.ttl != 8*time.Second {
				r.t.Errorf("renewal %+v, want 8 s", c)
			}
		}
		if w := n.warnings(); len(w) != 1 {
			r.t.Errorf("warnings %v, want one", w)
		}
	})
}

// Without the protocol on the brokers kgo would join as a classic member.
func TestConsumerProtocolThatTheBrokersLack(t *testing.T) {
	t.Parallel()
	v := kversion.V3_9_0()
	for name, prepare := range map[string]struct {
		opts  []kfake.Opt
		turn  func(r *rig)
		joins int // classic ones
	}{
		"too old": {opts: []kfake.Opt{kfake.MaxVersions(v)}, turn: func(*rig) {}},
		"turned off": {turn: func(r *rig) {
			r.cluster.ControlKey(int16(kmsg.ConsumerGroupDescribe), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
				r.cluster.KeepControl()
				resp := kreq.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
				g := kmsg.NewConsumerGroupDescribeResponseGroup()
				g.ErrorCode = kerr.UnsupportedVersion.Code
				resp.Groups = append(resp.Groups, g)
				return resp, nil, true
			})
		}},
		"turned off since": {joins: 1, turn: func(r *rig) {
			r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupHeartbeat}, Err: kerr.UnsupportedVersion, TopLevel: true, Count: -1})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			consumerBubble(t, func(r *rig) {
				prepare.turn(r)
				joins := r.counts(kmsg.JoinGroup, nil)
				n := r.start(consumer)
				wantErr(r.t, n.ended(), ErrGroupProtocol)
				wantErr(r.t, n.all("failed")[0].err, ErrGroupProtocol)
				if as := n.all("assigned"); len(as) > 0 {
					r.t.Errorf("assigned %+v", as)
				}
				if joins() > prepare.joins {
					r.t.Errorf("%d classic joins", joins())
				}
			}, prepare.opts...)
		})
	}
}

func TestConsumerCommitOutcomes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer *kerr.Error
		fenced bool
	}{
		{kerr.StaleMemberEpoch, false},
		{kerr.FencedMemberEpoch, true},
		{kerr.UnknownMemberID, true},
	} {
		t.Run(test.answer.Message, func(t *testing.T) {
			t.Parallel()
			consumerBubble(t, func(r *rig) {
				r.produce(0, "a", "b")
				n := r.start(consumer)
				n.fetches(0, "0:0=a", "0:1=b")
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: test.answer})
				got := n.commit(0, 1)
				if got.Outcome != observe.Refused || got.Fenced != test.fenced || !errors.Is(got.Err, test.answer) {
					r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
				}
				n.stores(0, 2)
			})
		})
	}
}

// A stale epoch is mended by the next heartbeat, which does not wait for its turn.
func TestStaleEpochHeartbeatsAtOnce(t *testing.T) {
	t.Parallel()
	consumerBubble(t, func(r *rig) {
		n := r.start(consumer)
		n.joined(0)
		time.Sleep(2500 * time.Millisecond)
		heartbeats := r.counts(kmsg.ConsumerGroupHeartbeat, nil)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.StaleMemberEpoch})
		n.commit(0, 0)
		time.Sleep(10 * time.Millisecond)
		if heartbeats() != 1 {
			r.t.Errorf("%d heartbeats within 10 ms of the refusal, want 1", heartbeats())
		}
	})
}

// A member that the group forgot loses what it has and joins anew.
func TestConsumerLossJoinsAgain(t *testing.T) {
	t.Parallel()
	for _, answer := range []*kerr.Error{kerr.UnknownMemberID, kerr.FencedMemberEpoch} {
		t.Run(answer.Message, func(t *testing.T) {
			t.Parallel()
			consumerBubble(t, func(r *rig) {
				r.produce(0, "a")
				n := r.start(consumer)
				n.fetches(0, "0:0=a")
				n.stores(0, 1)
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupHeartbeat}, Err: answer, TopLevel: true})
				eventually(r.t, "a loss", func() bool { return len(n.all("lost")) == 1 })
				eventually(r.t, "assigned again", func() bool { return len(n.assignments(tp(0))) == 2 })
				r.produce(0, "b")
				n.fetches(0, "0:0=a", "0:1=b")
			})
		})
	}
}

// The member before is taken out by a client that is no member: the lease of the new one
// is renewed by its own heartbeats alone.
func TestConsumerRebuild(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{"dynamic": "", "static": "one"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			consumerBubble(t, func(r *rig) {
				n := r.start(consumer, func(o *Options, _ *recorder) { o.InstanceID = id })
				n.joined(0)
				n.stores(0, 0)
				leaves := r.counts(kmsg.ConsumerGroupHeartbeat, func(req kmsg.Request) bool {
					return req.(*kmsg.ConsumerGroupHeartbeatRequest).MemberEpoch < 0
				})
				heartbeats := r.counts(kmsg.ConsumerGroupHeartbeat, func(req kmsg.Request) bool {
					return req.(*kmsg.ConsumerGroupHeartbeatRequest).MemberEpoch >= 0
				})
				before := len(n.leased())
				began := time.Now()
				n.Rebuild(errors.New("because"))
				eventually(r.t, "assigned again", func() bool { return len(n.assignments(tp(0))) == 2 })
				if took := time.Since(began); took > 4*time.Second {
					r.t.Errorf("took %v: the old member was waited for", took)
				}
				if leaves() != 1 || len(r.consumers()) != 1 {
					r.t.Errorf("%d leaves, %d members", leaves(), len(r.consumers()))
				}
				if renewed := len(n.leased()) - before; renewed > heartbeats() {
					r.t.Errorf("%d renewals by %d heartbeats of the new member", renewed, heartbeats())
				}
			})
		})
	}
}

func TestConsumerStaticMember(t *testing.T) {
	t.Parallel()
	one := func(o *Options, _ *recorder) { o.InstanceID = "one" }
	t.Run("restarts", func(t *testing.T) {
		t.Parallel()
		consumerBubble(t, func(r *rig) {
			first, other := r.start(consumer, one), r.start(consumer)
			eventually(r.t, "shared", func() bool {
				members := r.consumers()
				return len(members) == 2 && !slices.ContainsFunc(members, func(m kmsg.ConsumerGroupDescribeResponseGroupMember) bool {
					return len(m.Assignment.TopicPartitions) != 1 || len(m.Assignment.TopicPartitions[0].Partitions) != 1
				})
			})
			time.Sleep(6 * time.Second)
			told := len(other.all("assigned")) + len(other.all("revoked"))
			if err := first.Leave(context.Background()); err != nil {
				r.t.Fatal(err)
			}
			_ = first.ended()
			if got := len(r.consumers()); got != 2 {
				r.t.Errorf("%d members after a static one stopped, want 2", got)
			}
			began := time.Now()
			again := r.start(consumer, one)
			eventually(r.t, "the partition is back", func() bool {
				return slices.ContainsFunc(again.all("assigned"), func(n note) bool { return len(n.as) > 0 })
			})
			if took := time.Since(began); took > time.Second {
				r.t.Errorf("it waited %v for its partition", took)
			}
			if n := len(other.all("assigned")) + len(other.all("revoked")) + len(other.all("lost")) - told; n != 0 {
				r.t.Errorf("the other member was told of %d changes", n)
			}
		}, kfake.SeedTopics(2, testTopic))
	})
	t.Run("heartbeats no more behind its farewell", func(t *testing.T) {
		t.Parallel()
		consumerBubble(t, func(r *rig) {
			first := r.start(consumer, one)
			first.joined(0)
			said, behind := false, 0
			r.cluster.ControlKey(keyGroupHeartbeat, func(req kmsg.Request) (kmsg.Response, error, bool) {
				r.cluster.KeepControl()
				switch epoch := req.(*kmsg.ConsumerGroupHeartbeatRequest).MemberEpoch; {
				case epoch == epochStays && !said:
					said = true
					r.cluster.SleepControl(func() { time.Sleep(2 * time.Second) })
				case epoch >= 0 && said:
					behind++
				}
				return nil, nil, false
			})
			if err := first.Leave(context.Background()); err != nil || !said {
				r.t.Errorf("Leave returned %v, said: %v", err, said)
			}
			_ = first.ended()
			time.Sleep(time.Second)
			if behind > 0 {
				r.t.Errorf("%d heartbeats behind the farewell", behind)
			}
			began := time.Now()
			r.start(consumer, one).joined(0)
			if took := time.Since(began); took > time.Second {
				r.t.Errorf("its successor waited %v", took)
			}
		})
	})
	t.Run("leaves", func(t *testing.T) {
		t.Parallel()
		consumerBubble(t, func(r *rig) {
			n := r.start(consumer, one, func(o *Options, _ *recorder) { o.LeaveOnShutdown = true })
			n.joined(0)
			if err := n.Leave(context.Background()); err != nil {
				r.t.Fatal(err)
			}
			if got := len(r.consumers()); got != 0 {
				r.t.Errorf("%d members, want none", got)
			}
		})
	})
	t.Run("was killed", func(t *testing.T) {
		t.Parallel()
		consumerBubble(t, func(r *rig) {
			n := r.start(consumer, one)
			n.joined(0)
			n.Stop() // tells the group nothing
			_ = n.ended()
			again := r.start(consumer, one)
			again.joined(0)
			if len(again.all("failed")) > 0 {
				r.t.Error("failed")
			}
		})
	})
	t.Run("twice", func(t *testing.T) {
		t.Parallel()
		consumerBubble(t, func(r *rig) {
			n := r.start(consumer, one)
			n.joined(0)
			began := time.Now()
			second := r.start(consumer, one)
			wantErr(r.t, second.ended(), ErrFencedInstance)
			if took := time.Since(began); took < 9*time.Second || took > 25*time.Second {
				r.t.Errorf("gave up after %v, want a little more than the session", took)
			}
			if len(n.all("lost"))+len(n.all("failed")) > 0 {
				r.t.Error("the first one was told of a loss")
			}
		})
	})
}
