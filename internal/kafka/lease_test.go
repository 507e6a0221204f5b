//go:build synctests

package kafka

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/wallclock"
)

func (n *node) leased() []leaseCall {
	n.emu.Lock()
	defer n.emu.Unlock()
	return append([]leaseCall(nil), n.leases...)
}

func TestHeartbeatsRenewTheLease(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		before := len(n.leased())
		time.Sleep(31 * time.Second)
		calls := n.leased()[before:]
		if len(calls) < 30 || len(calls) > 32 {
			r.t.Errorf("%d renewals in 31 s, want one a second", len(calls))
		}
		for _, c := range calls {
			if c.ttl != 10*time.Second || c.sent.After(c.at) || c.at.Sub(c.sent) > time.Millisecond {
				r.t.Errorf("renewal %+v", c)
			}
		}
	})
}

// The lease counts from when the request left, not from when its answer came.
func TestLeaseCountsFromTheSending(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		slow := 0
		r.cluster.ControlKey(keyHeartbeat, func(kmsg.Request) (kmsg.Response, error, bool) {
			if slow++; slow == 2 { // kgo's and the member's
				r.cluster.DropControl()
			}
			r.cluster.SleepControl(func() { time.Sleep(time.Second) })
			return nil, nil, false
		})
		before := len(n.leased())
		eventually(r.t, "a renewal that is 1 s old", func() bool {
			return slices.ContainsFunc(n.leased()[before:], func(c leaseCall) bool { return c.at.Sub(c.sent) >= time.Second })
		})
	})
}

func TestNoLeaseWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		time.Sleep(time.Second)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
		r.cluster.ControlKey(keyHeartbeat, func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			return nil, errors.New("cut"), true
		})
		before := len(n.leased())
		time.Sleep(4500 * time.Millisecond) // kgo soon joins anew, which is answered
		if got := n.leased()[before:]; len(got) > 0 {
			r.t.Errorf("renewed without an answer: %+v", got)
		}
	})
}

// hold keeps the next request of a kind from the group for a time, and has the member join.
func (n *node) hold(r *rig, key int16, pending time.Duration) {
	r.cluster.ControlKey(key, func(kmsg.Request) (kmsg.Response, error, bool) {
		r.cluster.DropControl()
		r.cluster.SleepControl(func() { time.Sleep(pending) })
		return nil, nil, false
	})
	n.member().cl.ForceRebalance()
	eventually(r.t, "a join that is pending", n.member().lease.rebalancing)
}

// kgo sends no heartbeat until a join and its sync are answered. The member does, as often.
func TestAMemberThatJoinsHeartbeats(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]int16{"the join is pending": keyJoinGroup, "the sync is pending": keySyncGroup} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				n := r.start()
				n.joined(0)
				n.hold(r, key, 15*time.Second)
				for range 13 {
					time.Sleep(time.Second)
					last := n.leased()[len(n.leased())-1]
					if d := time.Since(last.sent); d > maxHeartbeat+10*time.Millisecond || last.ttl != 10*time.Second {
						r.t.Errorf("the last renewal is %v old and good for %v", d, last.ttl)
					}
				}
				time.Sleep(15 * time.Second) // the broker goes on
				n.stores(0, 1)
			})
		})
	}
}

// A join is held by the group, or lost, or was answered and the answer lost: what is
// unanswered keeps no lease open. Nor does an answer that says nothing of the member, and
// one that the group does not know it ends the lease.
func TestAPendingJoinAloneKeepsNoLease(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer *kerr.Error
		ends   bool
	}{
		"nothing is answered":          {answer: nil},
		kerr.IllegalGeneration.Message: {answer: kerr.IllegalGeneration},
		kerr.FencedInstanceID.Message:  {answer: kerr.FencedInstanceID},
		kerr.UnknownMemberID.Message:   {answer: kerr.UnknownMemberID, ends: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				n := r.start()
				n.joined(0)
				n.hold(r, keyJoinGroup, 30*time.Second)
				asked := 0
				r.cluster.ControlKey(keyHeartbeat, func(req kmsg.Request) (kmsg.Response, error, bool) {
					r.cluster.KeepControl()
					asked++
					if c.answer == nil {
						return nil, errors.New("cut"), true
					}
					resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
					resp.Version, resp.ErrorCode = req.GetVersion(), c.answer.Code
					return resp, nil, true
				})
				before := len(n.leased())
				time.Sleep(20 * time.Second)
				for _, l := range n.leased()[before:] {
					if !c.ends || l.ttl != 0 {
						r.t.Errorf("renewed %+v", l)
					}
				}
				if ended := len(n.leased()) > before; ended != c.ends || asked < 15 {
					r.t.Errorf("ended: %v, asked %d times", ended, asked)
				}
				r.cluster.DropControl()
				time.Sleep(15 * time.Second) // the broker goes on
			})
		})
	}
}

// A broker that is not the coordinator says nothing of the session, which runs on.
func TestOnlyTheGroupRenewsTheLease(t *testing.T) {
	t.Parallel()
	for _, answer := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorNotAvailable} {
		t.Run(answer.Message, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				n := r.start()
				n.joined(0)
				asked := 0
				r.cluster.ControlKey(keyHeartbeat, func(req kmsg.Request) (kmsg.Response, error, bool) {
					r.cluster.KeepControl()
					asked++
					resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
					resp.Version, resp.ErrorCode = req.GetVersion(), answer.Code
					return resp, nil, true
				})
				before := len(n.leased())
				time.Sleep(5 * time.Second) // kgo does not join anew yet
				if got := n.leased()[before:]; len(got) > 0 || asked < 5 {
					r.t.Errorf("asked %d times, and renewed: %+v", asked, got)
				}
				r.cluster.DropControl()
			})
		})
	}
}

// leaseScript drives the hooks alone.
func leaseScript(t *testing.T, f func(l *lease, wrote func(key int16), answered func(key int16, after time.Duration), last func() (time.Duration, time.Duration))) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		began := time.Now()
		var sent time.Time
		var ttl time.Duration
		l := &lease{
			session: func() time.Duration { return 10 * time.Second }, rebalance: 60 * time.Second,
			renew:    func(s time.Time, d time.Duration) { sent, ttl = s, d },
			answered: func(time.Time) {},
		}
		f(l,
			func(key int16) { l.OnBrokerWrite(kgo.BrokerMetadata{}, key, 1, 0, 0, nil) },
			func(key int16, after time.Duration) {
				l.OnBrokerE2E(kgo.BrokerMetadata{}, key, kgo.BrokerE2E{TimeToRead: after})
			},
			func() (time.Duration, time.Duration) { return sent.Sub(began), ttl },
		)
	})
}

func TestLeaseOverAJoin(t *testing.T) {
	t.Parallel()
	leaseScript(t, func(l *lease, wrote func(int16), answered func(int16, time.Duration), last func() (time.Duration, time.Duration)) {
		want := func(when string, sent, ttl time.Duration, joins bool) {
			t.Helper()
			if s, d := last(); s != sent || d != ttl || l.rebalancing() != joins {
				t.Errorf("%s: lease %v + %v, joins %v, want %v + %v, %v", when, s, d, l.rebalancing(), sent, ttl, joins)
			}
		}
		l.extend(wallclock.Now(nil))
		want("heartbeat", 0, 10*time.Second, false)
		time.Sleep(3 * time.Second)
		answered(keyHeartbeat, 0)
		want("a heartbeat of kgo's", 0, 10*time.Second, false)
		wrote(keyJoinGroup)
		want("join written", 0, 10*time.Second, true)
		time.Sleep(time.Second)
		answered(keyHeartbeat, 0) // beats reads what it says
		want("a heartbeat of beats", 0, 10*time.Second, true)
		answered(keyJoinGroup, time.Second)
		want("join answered", 0, 10*time.Second, true)
		time.Sleep(2 * time.Second)
		answered(keySyncGroup, time.Second)
		want("sync answered", 5*time.Second, 10*time.Second, false)
		time.Sleep(time.Second)
		answered(keySyncGroup, 0) // kgo had been told that it asked another broker
		want("sync answered again", 5*time.Second, 10*time.Second, false)
		l.OnBrokerE2E(kgo.BrokerMetadata{}, keyHeartbeat, kgo.BrokerE2E{ReadErr: errors.New("cut")})
		want("an answer that was cut", 5*time.Second, 10*time.Second, false)
	})
}

// A group whose rebalance timeout is the shorter one throws out who does not join within
// that: from the writing of its join on a member has no longer, unless the group says so.
func TestAJoinHasTheRebalanceTimeout(t *testing.T) {
	t.Parallel()
	leaseScript(t, func(l *lease, wrote func(int16), answered func(int16, time.Duration), last func() (time.Duration, time.Duration)) {
		want := func(when string, sent, ttl time.Duration) {
			t.Helper()
			if s, d := last(); s != sent || d != ttl {
				t.Errorf("%s: lease %v + %v, want %v + %v", when, s, d, sent, ttl)
			}
		}
		l.rebalance = 6 * time.Second
		wrote(keyJoinGroup) // the first one: there is no lease
		if _, ttl := last(); ttl != 0 {
			t.Errorf("a first join has a lease of %v", ttl)
		}
		answered(keySyncGroup, 0)
		time.Sleep(3 * time.Second)
		wrote(keyJoinGroup)
		want("join written", 3*time.Second, 6*time.Second)
		time.Sleep(2 * time.Second)
		wrote(keyJoinGroup) // the connection was cut
		want("written again", 3*time.Second, 6*time.Second)
		l.extend(wallclock.Now(nil))
		want("the group has the member", 5*time.Second, 10*time.Second)
	})
}
