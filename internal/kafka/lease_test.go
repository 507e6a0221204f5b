//go:build synctests

package kafka

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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
		r.cluster.ControlKey(keyHeartbeat, func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.DropControl()
			r.cluster.SleepControl(func() { time.Sleep(2 * time.Second) })
			return nil, nil, false
		})
		before := len(n.leased())
		eventually(r.t, "a slow heartbeat", func() bool { return len(n.leased()) > before+1 })
		for _, c := range n.leased()[before:] {
			if d := c.at.Sub(c.sent); d >= 2*time.Second {
				return
			}
		}
		r.t.Errorf("no renewal is 2 s old: %+v", n.leased()[before:])
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

// A member whose join is pending has a session from each turn of its poll loop on. It would
// not see the answer while it is frozen, and the session begins with that.
func TestAPendingJoinIsGoodForASessionAtATime(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		r.cluster.ControlKey(keyJoinGroup, func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.DropControl()
			r.cluster.SleepControl(func() { time.Sleep(20 * time.Second) })
			return nil, nil, false
		})
		n.member().cl.ForceRebalance()
		time.Sleep(time.Second)
		before := len(n.leased())
		for range 13 {
			time.Sleep(time.Second)
			last := n.leased()[len(n.leased())-1]
			if d := time.Since(last.sent); d > pollFor+10*time.Millisecond || last.ttl != 10*time.Second {
				r.t.Errorf("the last renewal is %v old and good for %v", d, last.ttl)
			}
		}
		if got := len(n.leased()) - before; got < 2 {
			r.t.Errorf("%d renewals, want one for each turn", got)
		}
		time.Sleep(10 * time.Second) // the broker goes on
	})
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

func TestLeaseOverAJoinThatOutlastsTheSession(t *testing.T) {
	t.Parallel()
	leaseScript(t, func(l *lease, wrote func(int16), answered func(int16, time.Duration), last func() (time.Duration, time.Duration)) {
		want := func(when string, sent, ttl time.Duration) {
			t.Helper()
			if s, d := last(); s != sent || d != ttl {
				t.Errorf("%s: lease %v + %v, want %v + %v", when, s, d, sent, ttl)
			}
		}
		answered(keyHeartbeat, 0)
		want("heartbeat", 0, 10*time.Second)
		time.Sleep(3 * time.Second)
		wrote(keyJoinGroup)
		want("join written", 3*time.Second, 10*time.Second)
		if !l.rebalancing() {
			t.Error("not rebalancing while a join is pending")
		}
		time.Sleep(8 * time.Second)
		l.awake()
		want("join pending", 11*time.Second, 10*time.Second)
		time.Sleep(9 * time.Second)
		l.awake()
		answered(keyJoinGroup, 17*time.Second)
		want("long join answered", 20*time.Second, 10*time.Second)
		time.Sleep(500 * time.Millisecond)
		l.awake()
		want("no join pending", 20*time.Second, 10*time.Second)
		time.Sleep(500 * time.Millisecond)
		answered(keySyncGroup, time.Second)
		want("sync answered", 20*time.Second, 10*time.Second)
		if l.rebalancing() {
			t.Error("rebalancing after the sync")
		}
		time.Sleep(time.Second)
		wrote(keyJoinGroup)
		time.Sleep(time.Second)
		answered(keyJoinGroup, time.Second)
		want("short join answered", 22*time.Second, 10*time.Second)
	})
}

// A member that is cut off goes on writing joins: they keep nothing alive.
func TestLeaseIsNotRenewedByJoinsThatNobodyReads(t *testing.T) {
	t.Parallel()
	leaseScript(t, func(l *lease, wrote func(int16), _ func(int16, time.Duration), last func() (time.Duration, time.Duration)) {
		const session = 10 * time.Second
		wrote(keyJoinGroup)
		time.Sleep(5 * time.Second)
		wrote(keyJoinGroup)
		if sent, ttl := last(); sent != 0 || ttl != session {
			t.Errorf("lease %v + %v, want that of the first join", sent, ttl)
		}
		l.OnBrokerE2E(kgo.BrokerMetadata{}, keyHeartbeat, kgo.BrokerE2E{ReadErr: errors.New("cut")})
		if sent, ttl := last(); sent != 0 || ttl != session {
			t.Errorf("lease %v + %v after an answer that was cut", sent, ttl)
		}
		time.Sleep(50 * time.Second)
		l.awake()
		if sent, ttl := last(); sent != 55*time.Second || ttl != 5*time.Second {
			t.Errorf("lease %v + %v, want the rest of the rebalance timeout", sent, ttl)
		}
		time.Sleep(5 * time.Second)
		l.awake()
		if sent, ttl := last(); sent != 55*time.Second || ttl != 5*time.Second {
			t.Errorf("lease %v + %v, want nothing beyond the rebalance timeout", sent, ttl)
		}
	})
}
