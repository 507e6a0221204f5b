//go:build kafka

package conformance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/runtime"
)

// sessionOf is the session timeout of members whose spec names none.
const sessionOf = 6 * time.Second

// inBoth runs a test once with each group protocol. The test's own T is the bed's.
func inBoth(t *testing.T, f func(b *bed)) {
	t.Helper()
	for _, protocol := range []runtime.GroupProtocol{runtime.GroupClassic, runtime.GroupConsumer} {
		t.Run(string(protocol), func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			b.protocol = protocol
			f(b)
		})
	}
}

// describes gives the group the session timeout of its members' specs, which brokers
// decide under the protocol of KIP-848, and heartbeats that are not far apart.
func (b *bed) describes(s *spec) {
	b.t.Helper()
	if s.Protocol != runtime.GroupConsumer {
		return
	}
	set := func(name string, d time.Duration) kadm.AlterConfig {
		value := strconv.FormatInt(d.Milliseconds(), 10)
		return kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
	}
	if err := b.alterGroup(b.t.Context(), s.Group,
		set("consumer.session.timeout.ms", or(s.Session, sessionOf)), set("consumer.heartbeat.interval.ms", 500*time.Millisecond)); err != nil {
		b.t.Fatalf("settings of group %s: %v", s.Group, err)
	}
	session := strconv.FormatInt(or(s.Session, sessionOf).Milliseconds(), 10)
	eventually(b.t, "the broker has the session timeout of group "+s.Group, func() bool {
		value, err := b.groupSession(b.t.Context(), s.Group)
		if err != nil {
			b.t.Logf("settings of group %s: %v", s.Group, err)
		}
		return value == session
	})
}

// groupSession is the session timeout that the broker says the group has, milliseconds. It
// answers a change before it has taken it over itself.
func (b *bed) groupSession(ctx context.Context, group string) (string, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	r.ConfigNames = []string{"consumer.session.timeout.ms"}
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, b.cl)
	if err != nil {
		return "", err
	}
	for _, c := range resp.Resources[0].Configs {
		if c.Value != nil {
			return *c.Value, nil
		}
	}
	return "", kerr.ErrorForCode(resp.Resources[0].ErrorCode)
}

func (b *bed) alterGroup(ctx context.Context, group string, settings ...kadm.AlterConfig) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeGroupConfig, group
	for _, s := range settings {
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value = s.Name, s.Value
		r.Configs = append(r.Configs, c)
	}
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, b.cl)
	if err != nil {
		return err
	}
	return errors.Join(kerr.ErrorForCode(resp.Resources[0].ErrorCode), message(resp.Resources[0].ErrorMessage))
}

func message(text *string) error {
	if text == nil || *text == "" {
		return nil
	}
	return errors.New(*text)
}

// consumerGroup is the group's state and members where it is one of KIP-848; nothing
// where it is not.
func (b *bed) consumerGroup(ctx context.Context) (kadm.DescribedConsumerGroup, error) {
	groups, err := b.adm.DescribeConsumerGroups(ctx, b.group)
	if err != nil {
		return kadm.DescribedConsumerGroup{}, err
	}
	g := groups[b.group]
	if errors.Is(g.Err, kerr.GroupIDNotFound) {
		return kadm.DescribedConsumerGroup{}, nil
	}
	return g, g.Err
}

// expelConsumers takes members of KIP-848 out that were killed.
func (b *bed) expelConsumers(ctx context.Context) error {
	g, err := b.consumerGroup(ctx)
	if err != nil || len(g.Members) == 0 {
		return err
	}
	for _, m := range g.Members {
		req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
		req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = b.group, m.MemberID, -1, m.InstanceID
		resp, err := req.RequestWith(ctx, b.cl)
		if err == nil {
			err = kerr.ErrorForCode(resp.ErrorCode)
		}
		if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
			return fmt.Errorf("member %s: %w", m.MemberID, err)
		}
	}
	return nil
}

// Timeouts that do not fit into the session that the brokers have for the group end Run.
func TestTheGroupsSessionIsTooShort(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.protocol = runtime.GroupConsumer
	topic := b.topic("orders", 1)
	m := b.start(spec{Name: "a", Session: 4 * time.Second, Own: 30 * time.Second, Topics: []topicSpec{{Name: topic}}})
	if code := m.exit(); code != exitSession {
		t.Errorf("the process exits with %d, want %d", code, exitSession)
	}
}
