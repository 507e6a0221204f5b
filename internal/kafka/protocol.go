package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Protocol is how a group shares its partitions out.
type Protocol int

// The protocols.
const (
	Classic  Protocol = iota // the members join, and one of them assigns
	Consumer                 // KIP-848: the brokers assign, with each heartbeat
)

const (
	// leastHeartbeat is the version of ConsumerGroupHeartbeat that kgo speaks. With
	// brokers that lack it kgo would silently join as a classic member, and an eager one.
	leastHeartbeat = 1

	// sessionEvery is how old the group's session timeout may be: it can be changed while
	// the group runs, and then counts from each member's next heartbeat on.
	sessionEvery = time.Minute

	groupSession  = "consumer.session.timeout.ms"       // of a group
	brokerSession = "group.consumer.session.timeout.ms" // of a broker, for groups without
)

// agree finds out what a group of the consumer protocol needs to know before its member
// joins: whether the brokers have the protocol, and the session timeout, which is theirs
// to decide. While none can be reached it goes on trying, with a warning every 30 s.
func (c *Client) agree(ctx context.Context) error {
	if c.opts.Protocol == Classic {
		return nil
	}
	cl, err := c.apart()
	if err != nil {
		return err
	}
	defer cl.Close()
	for tries := 0; ; tries++ {
		c.turn()
		err := c.ask(ctx, cl)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			return c.fits()
		case errors.Is(err, ErrGroupProtocol):
			return err
		case fatal(err) != nil:
			return fatal(err)
		}
		c.warn("the group's settings cannot be read; trying again", err)
		if !c.sleep(ctx, backoff(tries)) {
			return context.Cause(ctx)
		}
	}
}

// apart is a kgo client that is no member of the group, so that no answer to it renews
// the lease of one that is.
func (c *Client) apart() (*kgo.Client, error) {
	opts, err := c.opts.connection(nil)
	if err != nil {
		return nil, err
	}
	return kgo.NewClient(opts...)
}

// ask asks once.
func (c *Client) ask(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, describeFor)
	defer cancel()
	if err := c.supported(ctx, cl); err != nil {
		return err
	}
	return c.readSession(ctx, cl)
}

// fits holds the timeouts against the session's, as validation does in a classic group.
func (c *Client) fits() error {
	session, drain, commit := c.session(), c.opts.DrainTimeout, c.opts.CommitTimeout
	if drain+commit < session {
		return nil
	}
	return fmt.Errorf("%w: drain_timeout %v with commit_timeout %v must be below the session timeout of group %q, which is %v: lower them, or raise the group's %s",
		ErrSessionTimeout, drain, commit, c.opts.Group, session, groupSession)
}

// supported asks whether the brokers have the protocol: a broker that knows the requests
// may still have it turned off.
func (c *Client) supported(ctx context.Context, cl *kgo.Client) error {
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, cl)
	if err == nil {
		err = kerr.ErrorForCode(versions.ErrorCode)
	}
	if err != nil {
		return err
	}
	known := false
	for _, k := range versions.ApiKeys {
		known = known || (k.ApiKey == keyGroupHeartbeat && k.MaxVersion >= leastHeartbeat)
	}
	if !known {
		return fmt.Errorf("%w: they are older than Kafka 4.0, or have it turned off", ErrGroupProtocol)
	}
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = []string{c.opts.Group}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for i := range resp.Groups {
		switch err := kerr.ErrorForCode(resp.Groups[i].ErrorCode); {
		case errors.Is(err, kerr.UnsupportedVersion):
			return fmt.Errorf("%w: it is turned off (group.coordinator.rebalance.protocols, or the feature group.version)", ErrGroupProtocol)
		case err == nil, errors.Is(err, kerr.GroupIDNotFound): // nobody has joined yet
		default:
			return err
		}
	}
	return nil
}

// session is how long the group waits for a silent member.
func (c *Client) session() time.Duration {
	if d := c.groupSession.Load(); d > 0 {
		return time.Duration(d)
	}
	return c.opts.SessionTimeout
}

// readSession reads the group's own session timeout, or else that of the brokers. Where
// this client may read neither, Options.SessionTimeout counts.
func (c *Client) readSession(ctx context.Context, cl *kgo.Client) error {
	text, err := setting(ctx, cl, kmsg.ConfigResourceTypeGroupConfig, c.opts.Group, groupSession)
	if err == nil && text == "" {
		text, err = brokerSetting(ctx, cl, brokerSession)
	}
	if isRefusal(err) || (err == nil && text == "") {
		c.groupSession.Store(0)
		c.warn("the brokers do not tell the group's session timeout (DescribeConfigs on the group): Config.SessionTimeout counts, and must not be above it", err)
		return nil
	}
	if err != nil {
		return err
	}
	ms, err := strconv.ParseInt(text, 10, 32)
	if err != nil || ms <= 0 {
		return fmt.Errorf("session timeout of group %q: %q is no number of milliseconds", c.opts.Group, text)
	}
	c.groupSession.Store(int64(time.Duration(ms) * time.Millisecond))
	return nil
}

// isRefusal knows what a broker says to one who may not read a setting, and one that is
// too old to have it.
func isRefusal(err error) bool {
	return errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) ||
		errors.Is(err, kerr.InvalidRequest) || errors.Is(err, kerr.UnsupportedVersion)
}

// brokerSetting asks any broker for one of its own settings.
func brokerSetting(ctx context.Context, cl *kgo.Client, name string) (string, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return "", err
	}
	if len(resp.Brokers) == 0 {
		return "", nil
	}
	return setting(ctx, cl, kmsg.ConfigResourceTypeBroker, strconv.Itoa(int(resp.Brokers[0].NodeID)), name)
}

// setting reads one; empty: it is not set.
func setting(ctx context.Context, cl *kgo.Client, kind kmsg.ConfigResourceType, resource, name string) (string, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kind, resource, []string{name}
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return "", err
	}
	for i := range resp.Resources {
		if err := kerr.ErrorForCode(resp.Resources[i].ErrorCode); err != nil {
			return "", err
		}
		for _, c := range resp.Resources[i].Configs {
			if c.Name == name && c.Value != nil {
				return *c.Value, nil
			}
		}
	}
	return "", nil
}

// watchSession reads the group's session timeout again and again, until the member ends.
func (m *member) watchSession() {
	ticker := time.NewTicker(sessionEvery)
	defer ticker.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
		}
		ctx, cancel := context.WithTimeout(m.ctx, describeFor)
		err := m.c.readSession(ctx, m.cl)
		cancel()
		if err == nil {
			err = m.c.fits()
		}
		if err != nil && m.ctx.Err() == nil {
			m.c.warn("the group's session timeout has changed, or cannot be read", err)
		}
	}
}

// unreleased handles the refusal of an instance id that the group believes in use. A
// process that was killed holds its id until its session ends, so this is no conflict
// before that much time has passed, and then it is: the other one heartbeats. It runs on
// the poll goroutine.
func (m *member) unreleased(err error) {
	now := time.Now()
	if m.refusedID.IsZero() {
		m.refusedID = now
	}
	if now.Sub(m.refusedID) > m.c.session()+idGrace {
		m.end(fmt.Errorf("%w: %w", ErrFencedInstance, err), true)
		return
	}
	m.c.warn("the group holds this instance id for another member, until that one's session ends", err)
}

// idGrace is how late the brokers may be in ending a session.
const idGrace = 5 * time.Second
