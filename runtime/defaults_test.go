package runtime

import (
	"crypto/tls"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap/zapcore"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// The rows are those of the design's table, as far as they are built.
func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{Group: "billing", Topics: []Topic{{Name: "orders"}, {Name: "jobs", DeadLetter: DeadLetter{Topic: "auto"}}}}.withDefaults()
	plain, dead := c.Topics[0], c.Topics[1]
	for _, row := range []struct {
		name      string
		got, want any
	}{
		{"Retry.MaxAttempts with a dead letter topic", dead.Retry.MaxAttempts, 10},
		{"Retry.MaxAttempts without", plain.Retry.MaxAttempts, supervision.Unlimited},
		{"Retry.Backoff", plain.Retry.Backoff, supervision.Backoff{Min: time.Second, Max: time.Minute}},
		{"Supervision.MaxRestarts", plain.Supervision.MaxRestarts, 10},
		{"Supervision.Within", plain.Supervision.Within, 10 * time.Minute},
		{"Supervision.Backoff", plain.Supervision.Backoff, supervision.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}},
		{"DeadLetter.Topic", plain.DeadLetter.Topic, ""},
		{"DeadLetter.Topic of auto", dead.DeadLetter.Topic, "dlq.billing.jobs"},
		{"VirtualPartitions.Max", plain.VirtualPartitions.Max, 1},
		{"Topic.StartAt", plain.StartAt, Earliest},
		{"Topic.OnGap", plain.OnGap, GapStop},
		{"Topic.OnAhead", plain.OnAhead, AheadPause},
		{"Topic.Delay", plain.Delay, time.Duration(0)},
		{"Topic.Timeout", plain.Timeout, time.Duration(0)},
		{"MaxSkew", plain.MaxSkew, time.Hour},
		{"MaxAhead", plain.MaxAhead, 100_000},
		{"MaxForwards", plain.MaxForwards, 1_000},
		{"buffer, records", plain.Buffer.Records, 10_000},
		{"buffer, bytes", plain.Buffer.Bytes, int64(64 << 20)},
		{"max decompressed batch", c.MaxDecompressedBatch, int32(64 << 20)},
		{"commit interval", c.CommitInterval, time.Second},
		{"commit timeout", c.CommitTimeout, 5 * time.Second},
		{"commit timeout with a session of 6 s", Config{SessionTimeout: 6 * time.Second}.withDefaults().CommitTimeout, 2 * time.Second},
		{"session timeout", c.SessionTimeout, 45 * time.Second},
		{"rebalance timeout", c.RebalanceTimeout, time.Minute},
		{"DrainTimeout", c.DrainTimeout, 10 * time.Second},
		{"ShutdownTimeout", c.ShutdownTimeout, 25 * time.Second},
		{"LeaveOnShutdown", c.LeaveOnShutdown, false},
		{"isolation level", c.ReadUncommitted, false},
		{"PollTTL", c.Liveness.PollTTL, time.Minute},
		{"Logger, warnings", c.Logger.Core().Enabled(zapcore.WarnLevel), true},
		{"Logger, info", c.Logger.Core().Enabled(zapcore.InfoLevel), false},
		{"InstanceID", c.InstanceID, ""},
		{"AllowInsecure", c.AllowInsecure, false},
	} {
		if !reflect.DeepEqual(row.got, row.want) {
			t.Errorf("%s: %v (%T), want %v (%T)", row.name, row.got, row.got, row.want, row.want)
		}
	}
}

func TestDefaultFunctions(t *testing.T) {
	t.Parallel()
	topic := Topic{}.withDefaults("g")
	if got := string(topic.VirtualPartitions.KeyBy(&actors.Record{Key: []byte("k")})); got != "k" {
		t.Errorf("KeyBy: %q, want the record's key", got)
	}
	if got := topic.Supervision.Decide(supervision.Failure{Panicked: true}); got != supervision.Restart {
		t.Errorf("Decide after a panic: %v, want restart", got)
	}
}

func TestDefaultsAreIdempotent(t *testing.T) {
	t.Parallel()
	once := validConfig().withDefaults()
	twice := once.withDefaults()
	for i := range once.Topics { // functions do not compare
		once.Topics[i].VirtualPartitions.KeyBy, twice.Topics[i].VirtualPartitions.KeyBy = nil, nil
		once.Topics[i].Supervision.Decide, twice.Topics[i].Supervision.Decide = nil, nil
		once.Topics[i].Behavior, twice.Topics[i].Behavior = nil, nil
	}
	if !reflect.DeepEqual(once, twice) {
		t.Errorf("once  %+v\ntwice %+v", once, twice)
	}
}

func TestDefaultsKeepWhatIsSet(t *testing.T) {
	t.Parallel()
	topic := Topic{
		VirtualPartitions: VirtualPartitions{Max: 7, KeyBy: actors.Unordered},
		StartAt:           Latest,
		OnGap:             GapContinue,
		OnAhead:           AheadRepeat,
		Delay:             1, MaxSkew: 2, Timeout: 3,
		Retry:       Retry{MaxAttempts: 4, Backoff: supervision.Backoff{Min: 5, Max: 6}},
		DeadLetter:  DeadLetter{Topic: "dead", Form: SpringForm},
		Supervision: supervision.Policy{MaxRestarts: supervision.Unlimited, Within: 8, Backoff: supervision.Backoff{Min: 9, Max: 10}},
		Buffer:      Buffer{Records: 11, Bytes: 12},
		MaxAhead:    13, MaxForwards: 14,
	}
	got := topic.withDefaults("g")
	got.VirtualPartitions.KeyBy, got.Supervision.Decide, topic.VirtualPartitions.KeyBy = nil, nil, nil
	if !reflect.DeepEqual(got, topic) {
		t.Errorf("got  %+v\nwant %+v", got, topic)
	}
}

func TestDefaultsLeaveTheUsersConfigAlone(t *testing.T) {
	t.Parallel()
	mine := Config{
		Brokers: []string{"a:1"}, Group: "g",
		Topics:       []Topic{{Name: "orders", DeadLetter: DeadLetter{Topic: "auto"}}},
		TLS:          &tls.Config{ServerName: "a"}, //nolint:gosec // only copied
		Hooks:        []observe.Hook{nil},
		KafkaOptions: []kgo.Opt{kgo.ClientID("x")},
	}
	filled := mine.withDefaults()
	if mine.Topics[0].DeadLetter.Topic != "auto" || mine.Topics[0].MaxAhead != 0 || mine.CommitInterval != 0 || mine.Logger != nil {
		t.Errorf("changed: %+v", mine)
	}
	mine.Brokers[0], mine.Topics[0].Name, mine.TLS.ServerName, mine.KafkaOptions[0] = "b:1", "other", "b", nil
	mine.Hooks[0] = observe.HookFunc(nil)
	if filled.Brokers[0] != "a:1" || filled.Topics[0].Name != "orders" || filled.TLS.ServerName != "a" || filled.Hooks[0] != nil || filled.KafkaOptions[0] == nil {
		t.Errorf("shares memory with the user's: %+v", filled)
	}
}
