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
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/runtime/observe"
)

// second joins the group with a plain client that polls and commits nothing. Its end
// makes it leave.
func (r *rig) second() *kgo.Client {
	r.t.Helper()
	cl := r.connect(
		kgo.ConsumerGroup(testGroup), kgo.ConsumeTopics(testTopic), kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.CooperativeStickyBalancer()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
	)
	go func() {
		for {
			fetches := cl.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
		}
	}()
	return cl
}

// revokedOne waits for a revocation and returns the partition.
func (n *node) revokedOne() observe.TopicPartition {
	n.t.Helper()
	eventually(n.t, "a revocation", func() bool { return len(n.all("revoked")) > 0 })
	return n.all("revoked")[0].tps[0]
}

func TestRevokedPartitionDrainsWhileTheOtherGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		let := make(chan struct{})
		n := r.start(func(_ *Options, rec *recorder) {
			rec.on = func(n note) {
				if n.what == "revoked" {
					<-let
				}
			}
		})
		n.joined(0, 1)
		r.second()
		gone := n.revokedOne()
		kept := 1 - gone.Partition
		r.produce(kept, "kept")
		r.produce(gone.Partition, "gone")
		n.fetches(kept, "0:0=kept")
		n.stores(gone.Partition, 0) // the drain's commit
		time.Sleep(5 * time.Second)
		n.fetches(gone.Partition)
		close(let)
		time.Sleep(30 * time.Second)
		n.fetches(gone.Partition)
		r.produce(kept, "on")
		n.fetches(kept, "0:0=kept", "0:1=on")
		n.stores(kept, 2)
		if got := n.all("lost"); len(got) > 0 {
			r.t.Errorf("lost %+v", got)
		}
	}, kfake.SeedTopics(2, testTopic))
}

func TestPauseEndsWithItsAssignment(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0, 1)
		n.Pause(tp(0))
		n.Pause(tp(1))
		other := r.second()
		gone := n.revokedOne()
		time.Sleep(10 * time.Second)
		other.Close()
		eventually(r.t, "assigned again", func() bool { return len(n.assignments(gone)) == 2 })
		as := n.assignments(gone)
		if as[1].Epoch <= as[0].Epoch {
			r.t.Errorf("epochs %d, then %d", as[0].Epoch, as[1].Epoch)
		}
		r.produce(gone.Partition, "a")
		n.fetches(gone.Partition, "0:0=a")
		time.Sleep(10 * time.Second)
		n.fetches(1 - gone.Partition)
	}, kfake.SeedTopics(2, testTopic))
}

func TestEmptyAssignmentIsTold(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		first := r.start()
		first.joined(0)
		n := r.start()
		eventually(r.t, "an empty assignment", func() bool { return len(n.all("assigned")) == 1 })
		if as := n.all("assigned")[0].as; len(as) > 0 {
			r.t.Errorf("assigned %+v", as)
		}
	})
}

func TestLostSessionJoinsAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start()
		n.fetches(0, "0:0=a")
		n.stores(0, 1)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, TopLevel: true})
		eventually(r.t, "a loss", func() bool { return len(n.all("lost")) == 1 })
		wantErr(r.t, n.all("lost")[0].err, errSessionLost)
		eventually(r.t, "assigned again", func() bool { return len(n.assignments(tp(0))) == 2 })
		r.produce(0, "b")
		n.fetches(0, "0:0=a", "0:1=b")
	})
}

// A member whose id changes while it keeps partitions was thrown out without being told
// (A1): kgo joins again as somebody else and says nothing.
func TestSilentExpulsionIsALoss(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start()
		n.fetches(0, "0:0=a")
		r.cluster.Fault(
			kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress, TopLevel: true},
			kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.UnknownMemberID, TopLevel: true},
		)
		eventually(r.t, "a loss", func() bool { return len(n.all("lost")) == 1 })
		wantErr(r.t, n.all("lost")[0].err, errExpelled)
		eventually(r.t, "assigned again", func() bool { return len(n.assignments(tp(0))) == 2 })
		r.produce(0, "b")
		n.fetches(0, "0:0=a", "0:0=a", "0:1=b")
		n.stores(0, 2)
	})
}

// Others had got its partitions by then: kgo revokes them, and it is a loss all the same.
func TestARevokeBehindASilentExpulsionIsALoss(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start()
		n.fetches(0, "0:0=a")
		r.second()
		eventually(r.t, "another member", func() bool { return r.members() == 2 })
		id, _ := n.member().cl.GroupMetadata()
		own := func(req kmsg.Request) bool {
			beat, ok := req.(*kmsg.HeartbeatRequest)
			return ok && beat.MemberID == id
		}
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.RebalanceInProgress, TopLevel: true, When: own, Count: 1})
		r.cluster.ControlKey(keyJoinGroup, func(req kmsg.Request) (kmsg.Response, error, bool) {
			if join, ok := req.(*kmsg.JoinGroupRequest); !ok || join.MemberID != id {
				return nil, nil, false
			}
			r.cluster.DropControl()
			go r.expel(id)
			r.cluster.SleepControl(func() { time.Sleep(8 * time.Second) })
			return nil, nil, false
		})
		eventually(r.t, "a loss", func() bool { return len(n.all("lost")) == 1 })
		wantErr(r.t, n.all("lost")[0].err, errExpelled)
		if len(n.all("revoked")) > 0 {
			r.t.Error("it took its expulsion for a revoke")
		}
	})
}

// expel takes a member out of the group, as an admin can.
func (r *rig) expel(id string) {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = testGroup
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = id
	req.Members = append(req.Members, m)
	if resp, err := req.RequestWith(context.Background(), r.client()); err != nil || resp.Members[0].ErrorCode != 0 {
		r.t.Errorf("expel %s: %+v, %v", id, resp, err)
	}
}

func TestRebuild(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start()
		n.fetches(0, "0:0=a")
		n.stores(0, 1)
		cause := errors.New("because")
		began := time.Now()
		n.Rebuild(cause)
		n.Rebuild(cause) // the second says nothing new
		eventually(r.t, "assigned again", func() bool { return len(n.assignments(tp(0))) == 2 })
		if took := time.Since(began); took > 2*time.Second {
			r.t.Errorf("took %v: the old member was waited for", took)
		}
		r.produce(0, "b")
		n.fetches(0, "0:0=a", "0:1=b")
		as := n.assignments(tp(0))
		if as[1].Epoch <= as[0].Epoch || as[1].Committed != 1 {
			r.t.Errorf("assignments %+v", as)
		}
		if len(n.all("lost"))+len(n.all("revoked")) > 0 {
			r.t.Error("the handler heard of a loss that it had asked for")
		}
		n.emu.Lock()
		defer n.emu.Unlock()
		if !slices.Contains(n.events, observe.Event(observe.Rejoined{Cause: cause})) {
			r.t.Errorf("no Rejoined in %v", n.events)
		}
	})
}

// Rebuild while a revocation drains: kgo's callback returns, though the drain goes on.
func TestRebuildDuringADrain(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		let := make(chan struct{})
		n := r.start(func(_ *Options, rec *recorder) {
			rec.on = func(n note) {
				if n.what == "revoked" {
					<-let
				}
			}
		})
		n.joined(0, 1)
		r.second()
		n.revokedOne()
		joins := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1, When: func(req kmsg.Request) bool {
			return req.(*kmsg.JoinGroupRequest).MemberID == ""
		}})
		n.Rebuild(errors.New("because"))
		time.Sleep(5 * time.Second)
		if joins.Hits() == 0 {
			r.t.Error("no new member joined while the drain went on")
		}
		close(let)
		eventually(r.t, "a partition", func() bool { return len(n.assignments(tp(0)))+len(n.assignments(tp(1))) == 3 })
	}, kfake.SeedTopics(2, testTopic))
}

func TestLeaveFreesThePartitionsAtOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start()
		n.fetches(0, "0:0=a")
		if err := n.Leave(context.Background()); err != nil {
			r.t.Fatal(err)
		}
		if err := n.ended(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
		began := time.Now()
		r.start().joined(0)
		if took := time.Since(began); took > 2*time.Second {
			r.t.Errorf("the next member waited %v", took)
		}
		if len(n.all("lost"))+len(n.all("revoked")) > 0 {
			r.t.Error("the handler heard of a revocation within Leave")
		}
	})
}

// The group answers the leave late, and the member's heartbeats are refused meanwhile.
func TestNothingIsToldDuringALeave(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		r.cluster.ControlKey(int16(kmsg.LeaveGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.DropControl()
			r.cluster.SleepControl(func() { time.Sleep(2 * time.Second) })
			return nil, nil, false
		})
		left := make(chan error, 1)
		go func() { left <- n.Leave(context.Background()) }()
		time.Sleep(time.Second)
		n.member().lose(errSessionLost) // as kgo's callback does
		if err := <-left; err != nil {
			r.t.Errorf("leave: %v", err)
		}
		if len(n.all("lost"))+len(n.all("revoked")) > 0 {
			r.t.Error("the handler heard of a loss within Leave")
		}
	})
}

// Rebuild while nothing is assigned would only put the join off.
func TestRebuildWithoutAnAssignment(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.CoordinatorLoadInProgress, TopLevel: true, Count: -1})
		n := r.start()
		time.Sleep(5 * time.Second)
		before := n.member()
		n.Rebuild(errors.New("because"))
		time.Sleep(time.Second)
		if n.member() != before {
			r.t.Error("rebuilt")
		}
		h.Remove()
		n.joined(0)
	})
}

func TestStaticMemberLeavesOnlyWhenToldTo(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]bool{"stays": false, "leaves": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				n := r.start(func(o *Options, _ *recorder) { o.InstanceID, o.LeaveOnShutdown = "one", leave })
				n.joined(0)
				if err := n.Leave(context.Background()); err != nil {
					r.t.Fatal(err)
				}
				_ = n.ended()
				got := r.members()
				if want := map[bool]int{false: 1, true: 0}[leave]; got != want {
					r.t.Errorf("%d members, want %d", got, want)
				}
			})
		})
	}
}

func (r *rig) members() int {
	r.t.Helper()
	got, err := r.adm().DescribeGroups(context.Background(), testGroup)
	if err != nil {
		r.t.Fatal(err)
	}
	return len(got[testGroup].Members)
}

func TestStopWhileTheBrokerIsAway(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		r.cluster.Close()
		time.Sleep(3 * time.Second)
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := n.Leave(ctx); err == nil {
			r.t.Error("left without a broker")
		}
		if err := n.ended(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > 1100*time.Millisecond {
			r.t.Errorf("took %v", took)
		}
	})
}

// While another member's join is pending the group waits for the one that drains. Leave
// and Stop do not.
func TestLeaveWhileAJoinIsPending(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		slow := r.start(func(_ *Options, rec *recorder) {
			rec.on = func(n note) {
				if n.what == "revoked" {
					time.Sleep(9 * time.Second)
				}
			}
		})
		slow.joined(0, 1)
		n := r.start()
		slow.revokedOne()
		r.second() // everybody joins again once slow does, in 9 s
		time.Sleep(time.Second)
		began := time.Now()
		if err := n.Leave(context.Background()); err != nil {
			r.t.Errorf("leave: %v", err)
		}
		if err := n.ended(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			r.t.Errorf("took %v", took)
		}
		if got := r.members(); got != 2 {
			r.t.Errorf("%d members, want 2", got)
		}
	}, kfake.SeedTopics(3, testTopic))
}

func TestStopDuringADrain(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		let := make(chan struct{})
		n := r.start(func(_ *Options, rec *recorder) {
			rec.on = func(n note) {
				if n.what == "revoked" {
					<-let
				}
			}
		})
		n.joined(0, 1)
		r.second()
		n.revokedOne()
		n.Stop()
		time.AfterFunc(time.Second, func() { close(let) })
		began := time.Now()
		if err := n.ended(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > time.Second {
			r.t.Errorf("took %v", took)
		}
	}, kfake.SeedTopics(2, testTopic))
}

func TestStopBeforeRun(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.node()
		n.Stop()
		n.Stop()
		n.run()
		if err := n.ended(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
	})
}

func TestFencedInstanceFails(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		one := func(o *Options, _ *recorder) { o.InstanceID = "one" }
		n := r.start(one)
		n.joined(0)
		second := r.start(one)
		wantErr(r.t, n.ended(), ErrFencedInstance)
		wantErr(r.t, n.all("failed")[0].err, ErrFencedInstance)
		second.joined(0)
		time.Sleep(30 * time.Second)
		if got := second.all("failed"); len(got) > 0 {
			r.t.Errorf("the second failed too: %v", got[0].err)
		}
	})
}

func TestGroupRefusalFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ answer, want error }{
		"unauthorized":    {kerr.GroupAuthorizationFailed, ErrGroupUnauthorized},
		"session timeout": {kerr.InvalidSessionTimeout, ErrGroup},
		"protocol":        {kerr.InconsistentGroupProtocol, ErrGroup},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				var answer *kerr.Error
				if !errors.As(test.answer, &answer) {
					r.t.Fatal("no kerr.Error")
				}
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: answer, TopLevel: true, Count: -1})
				n := r.start()
				wantErr(r.t, n.ended(), test.want)
				wantErr(r.t, n.all("failed")[0].err, test.want)
			})
		})
	}
}
