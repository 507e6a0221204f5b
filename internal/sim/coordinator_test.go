//go:build synctests

package sim

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// rawMember is a member of a group, request by request.
type rawMember struct {
	t          *testing.T
	w          *world
	cl         *kgo.Client
	id         string
	generation int32
}

func newRawMember(t *testing.T, w *world) *rawMember {
	t.Helper()
	m := &rawMember{t: t, w: w, cl: w.client()}
	if err := m.join(); err != nil && m.id == "" {
		t.Fatal(err)
	}
	return m
}

func (m *rawMember) join() error {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.MemberID, req.ProtocolType = group, m.id, "raw"
	req.SessionTimeoutMillis = int32(time.Duration(m.w.plan.Group.Session).Milliseconds())     //nolint:gosec // seconds
	req.RebalanceTimeoutMillis = int32(time.Duration(m.w.plan.Group.Rebalance).Milliseconds()) //nolint:gosec // as above
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name = "raw"
	req.Protocols = append(req.Protocols, p)
	m.w.coordinator.joins(m.id, true)
	defer m.w.coordinator.joins(m.id, false)
	resp, err := req.RequestWith(context.Background(), m.cl)
	if err != nil {
		return err
	}
	m.id, m.generation = resp.MemberID, resp.Generation
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (m *rawMember) sync() {
	m.t.Helper()
	req := kmsg.NewPtrSyncGroupRequest()
	req.Group, req.MemberID, req.Generation = group, m.id, m.generation
	resp, err := req.RequestWith(context.Background(), m.cl)
	if err != nil || resp.ErrorCode != 0 {
		m.t.Fatalf("sync: %v, %v", err, kerr.ErrorForCode(resp.ErrorCode))
	}
}

func (m *rawMember) heartbeat() {
	m.t.Helper()
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation = group, m.id, m.generation
	if _, err := req.RequestWith(context.Background(), m.cl); err != nil {
		m.t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A member that waits in a join for another one is a member for as long as that takes.
func TestAMemberThatJoinsAgainKeepsItsSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(&Plan{Group: Group{Session: 6 * sec, Rebalance: 60 * sec}})
		if err := w.build(); err != nil {
			t.Fatal(err)
		}
		over := make(chan struct{})
		go w.coordinator.run(over)
		a, b := newRawMember(t, w), newRawMember(t, w)
		must(t, a.join())
		a.sync()
		joined := make(chan error, 1)
		go func() { joined <- b.join() }()
		time.Sleep(time.Second)
		must(t, a.join())
		must(t, <-joined)
		a.sync()
		b.sync()
		go func() { joined <- a.join() }() // which the leader may
		for range 2 * w.plan.Group.Session / sec {
			time.Sleep(time.Second)
			b.heartbeat()
		}
		must(t, b.join())
		if err := <-joined; err != nil {
			t.Errorf("the join of a member that waited for two sessions: %v", err)
		}
		close(over)
		a.cl.Close()
		b.cl.Close()
		w.corrected()
		w.kafka.Close()
		w.clients.Wait()
	})
}
