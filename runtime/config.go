package runtime

import (
	"crypto/tls"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/runtime/observe"
)

// Config configures a runtime. Brokers, Group and Topics are required; of every other
// field the zero value stands for its default. See [Config.Validate].
type Config struct {
	// Brokers are the host:port pairs that the client asks first. The rest of the
	// cluster is found through them. Required.
	Brokers []string

	// Group is the consumer group: letters, digits, '.', '_' and '-'. Required.
	Group string

	// Topics are the topics to consume, each with its behavior. Required.
	Topics []Topic

	// GroupProtocol is how the group shares out its partitions. With [GroupConsumer]
	// (KIP-848, Kafka 4.0 or newer) the brokers assign them, and a rebalance asks only those
	// members for anything whose partitions move. The brokers decide the session timeout and
	// the heartbeats too: Run reads the group's consumer.session.timeout.ms and ends with
	// [ErrSessionTimeout] where DrainTimeout and CommitTimeout do not fit in, and with
	// [ErrGroupProtocol] where the brokers do not have the protocol.
	//
	// All members of a group should have the same one; a group can be moved from one to the
	// other by a rolling restart, if the brokers allow it (group.consumer.migration.policy).
	// Defaults to [GroupClassic].
	GroupProtocol GroupProtocol

	// InstanceID makes this process a static member of the group: a restart within
	// SessionTimeout moves no partition. It must be unique in the group; of two members
	// with one id only one goes on: in a classic group the one that came last, with
	// GroupConsumer the one that was there first. There a process that was killed holds its
	// id until its session ends, and its successor waits for that.
	//
	// Defaults to empty: a dynamic member.
	InstanceID string

	// CommitInterval is the time between commits of the commit lines that moved. A revoke
	// and a shutdown commit at once.
	//
	// Defaults to 1 second.
	CommitInterval time.Duration

	// CommitTimeout bounds the wait for the answer to one commit. One that is not answered
	// counts as neither done nor refused: the line is sent again.
	//
	// Defaults to the lesser of 5 seconds and a third of SessionTimeout.
	CommitTimeout time.Duration

	// SessionTimeout is how long the group waits for a member that is silent before it
	// gives its partitions away; the member itself starts nothing after that time. The
	// broker has limits of its own (group.min.session.timeout.ms, 6 seconds by default).
	// At least 3 seconds, so that three heartbeats fit.
	//
	// With GroupConsumer it is the group's own setting on the brokers instead. This one
	// counts where they do not tell (DescribeConfigs on the group), with a warning, and must
	// not be above the real one then.
	//
	// Defaults to 45 seconds.
	SessionTimeout time.Duration

	// RebalanceTimeout is how long the group waits, once a rebalance has begun, for a
	// member to let go of its partitions and join again.
	//
	// Defaults to 60 seconds.
	RebalanceTimeout time.Duration

	// DrainTimeout bounds how long a revoked partition waits for deliveries in flight
	// before it commits and lets go. Deliveries that take longer have their context ended
	// with [actors.ErrRevoked] and are delivered again by the next owner.
	//
	// With CommitTimeout it must stay below SessionTimeout and RebalanceTimeout.
	// Defaults to 10 seconds.
	DrainTimeout time.Duration

	// ShutdownTimeout bounds all of Run after its context ended: the drain, the last
	// commit and the leave. Calls that outlive the drain have their context ended with
	// [actors.ErrShutdown], and Run returns [ErrNotDrained].
	//
	// The drain gets what CommitTimeout and 1 second for the leave leave over.
	// Defaults to 25 seconds, which is below the 30 seconds that Kubernetes gives.
	ShutdownTimeout time.Duration

	// LeaveOnShutdown makes a static member leave the group when it stops, for scale-in.
	// A dynamic member always leaves.
	//
	// Defaults to false: its partitions wait for it for SessionTimeout.
	LeaveOnShutdown bool

	// ReadUncommitted hands over records of transactions that are open or were aborted.
	//
	// Defaults to false: read_committed.
	ReadUncommitted bool

	// MaxDecompressedBatch bounds the bytes that one batch of records may grow to. A
	// larger one stops its partition, and says so.
	//
	// Defaults to 64 MiB.
	MaxDecompressedBatch int32

	// TLS is used for every connection if set. It also carries the client's certificate,
	// for mutual TLS.
	//
	// Defaults to nil: plain TCP.
	TLS *tls.Config

	// SASL authenticates every connection.
	//
	// Defaults to none.
	SASL SASL

	// AllowInsecure permits PLAIN without TLS, and TLS without verification. It is logged
	// at start.
	//
	// Defaults to false: both are refused.
	AllowInsecure bool

	// Liveness says when /livez fails.
	//
	// Defaults to the defaults of its fields.
	Liveness Liveness

	// Logger receives what happens: info is lifecycle and assignments, warn is restarts,
	// dead letters and gaps, error is escalations. It gets coordinates, errors of Kafka's
	// and the runtime's own, and the types of a behavior's errors: never their text, never
	// a payload, and nothing per record but dead letters.
	//
	// Defaults to a logger that writes warnings and errors to stderr. Use [zap.NewNop]
	// for silence.
	Logger *zap.Logger

	// Hooks are told of every event, in this order.
	//
	// Defaults to none.
	Hooks []observe.Hook

	// KafkaOptions are options of franz-go, for what Config does not offer. They are
	// applied first and the runtime's own last. Options that would go around fencing,
	// offsets or security are refused by name.
	//
	// Defaults to none.
	KafkaOptions []kgo.Opt
}

// GroupProtocol is how a group shares out its partitions: [GroupClassic] or
// [GroupConsumer]. The empty value is GroupClassic.
type GroupProtocol string

const (
	// GroupClassic is the protocol of old: the members join, and one of them assigns. A
	// rebalance is cooperative: what stays with a member runs on.
	GroupClassic GroupProtocol = "classic"
	// GroupConsumer is the protocol of KIP-848: the brokers assign.
	GroupConsumer GroupProtocol = "consumer"
)

// Liveness says when /livez fails. It never does because a broker is away.
type Liveness struct {
	// PollTTL is how long the poll loop may take for one turn.
	//
	// Defaults to 60 seconds.
	PollTTL time.Duration
}
