package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// maxHeartbeat is how far heartbeats are apart at most; a third of the session timeout
// when that is less. A member learns of a rebalance by its next heartbeat, and until it
// has let go, what moves is idle. Under KIP-848 the brokers decide it.
const maxHeartbeat = time.Second

// instance is the instance id as requests have it; nil: none.
func (o *Options) instance() *string {
	if o.InstanceID == "" {
		return nil
	}
	return &o.InstanceID
}

func (o *Options) heartbeat() time.Duration { return min(maxHeartbeat, o.SessionTimeout/3) }

// fetchWait bounds how long a broker waits for records. A partition that is resumed is
// fetched once the request under way has ended, so it also bounds that wait.
const fetchWait = 500 * time.Millisecond

// fetchBytes bounds what one fetch brings of a partition. It is also how far a buffer
// that is nearly full can overshoot. Records of a smaller fetch are still in the
// processor's caches when their lanes get to them, which outweighs the more requests.
const fetchBytes = 512 << 10

// deliverFor is after how long kgo gives a dead letter up that brokers answer with errors
// that pass, such as too few replicas. It would try for ever, and tell nobody: the machine
// tries again instead, and says so. One that a broker may have stored is not given up.
const deliverFor = 30 * time.Second

// connection is how every kgo client of ours reaches the brokers: our defaults, the
// user's options, and then what is not theirs to change. refused is told of each refused
// authentication; it may be nil.
func (o *Options) connection(refused func(error)) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.ClientID("troupe"),
		kgo.AlwaysRetryEOF(),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.DisableClientMetrics(),
		kgo.RecordDeliveryTimeout(deliverFor),
	}
	opts = append(opts, o.Extra...)
	opts = append(opts,
		kgo.SeedBrokers(o.Brokers...),
		kgo.WithLogger(logger{zap: o.Logger, inner: ownLogger(o.Extra), refused: refused}))
	if o.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(o.TLS.Clone()))
	}
	if o.SASL != nil {
		mechanism, err := o.SASL.mechanism()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts, nil
}

// membership is what makes a kgo client a member of the group.
func (o *Options) membership() []kgo.Opt {
	isolation := kgo.ReadCommitted()
	if o.ReadUncommitted {
		isolation = kgo.ReadUncommitted()
	}
	topics := make([]string, len(o.Topics))
	for i := range o.Topics {
		topics[i] = o.Topics[i].Name
	}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(o.Group),
		kgo.ConsumeTopics(topics...),
		kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NoResetOffset()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // nothing resets by itself (A6)
		kgo.WithPools(new(recordPool)),
		kgo.KeepControlRecords(),       // the commit line passes them (A8)
		kgo.KeepRetryableFetchErrors(), // else a deleted topic is asked for in a hot loop, and silently
		kgo.FetchIsolationLevel(isolation),
		kgo.MaxDecompressBatchBytes(int(o.MaxDecompressedBatch)),
		kgo.SessionTimeout(o.SessionTimeout),
		kgo.RebalanceTimeout(o.RebalanceTimeout),
		kgo.HeartbeatInterval(o.heartbeat()),
		kgo.RecordPartitioner(bySource{kgo.StickyKeyPartitioner(nil)}),
		kgo.RequiredAcks(kgo.AllISRAcks()),
	}
	if o.Protocol == Consumer {
		// The brokers assign; of ours kgo takes the name alone, which becomes "uniform".
		opts = append(opts, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	} else {
		opts = append(opts, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	}
	if o.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(o.InstanceID))
	}
	return opts
}

// mechanism asks for the password once per session, so that it can be rotated.
func (s *SASL) mechanism() (sasl.Mechanism, error) {
	username, password := s.Username, s.Password
	credentials := func(context.Context) (scram.Auth, error) {
		pass, err := password()
		if err != nil {
			return scram.Auth{}, fmt.Errorf("sasl password: %w", err)
		}
		return scram.Auth{User: username, Pass: pass}, nil
	}
	switch s.Mechanism {
	case "PLAIN":
		return plain.Plain(func(ctx context.Context) (plain.Auth, error) {
			auth, err := credentials(ctx)
			return plain.Auth{User: auth.User, Pass: auth.Pass}, err
		}), nil
	case "SCRAM-SHA-256":
		return scram.Sha256(credentials), nil
	case "SCRAM-SHA-512":
		return scram.Sha512(credentials), nil
	}
	return nil, fmt.Errorf("sasl: mechanism %q: want PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", s.Mechanism)
}
