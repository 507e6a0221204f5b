package runtime

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

func nothing(context.Context, *actors.Record) error { return nil }

func newNothing(actors.VirtualPartition) actors.Behavior { return nil }

func validConfig() Config {
	return Config{
		Brokers: []string{"localhost:9092"},
		Group:   "billing",
		Topics:  []Topic{{Name: "orders", Behavior: actors.Func(nothing)}, {Name: "jobs", Behavior: actors.Func(nothing)}},
	}
}

func problemsOf(t *testing.T, c Config) []string {
	t.Helper()
	err := c.Validate()
	if err == nil {
		return nil
	}
	var config *ConfigError
	if !errors.As(err, &config) || len(config.Problems) == 0 {
		t.Fatalf("%#v is no *ConfigError with problems", err)
	}
	return config.Problems
}

type configCase struct {
	name string
	set  func(*Config)
	want []string // none: valid
}

func runConfigCases(t *testing.T, cases []configCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := validConfig()
			c.set(&config)
			if got := problemsOf(t, config); !slices.Equal(got, c.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

func TestValidateGroup(t *testing.T) {
	t.Parallel()
	const names = "must consist of letters, digits, '.', '_' and '-'"
	runConfigCases(t, []configCase{
		{"a valid one", func(*Config) {}, nil},
		{"no brokers", func(c *Config) { c.Brokers = nil }, []string{"brokers: required: at least one host:port"}},
		{"brokers of every shape", func(c *Config) {
			c.Brokers = []string{"kafka", "kafka:0", "kafka:65536", ":9092", "kafka:port", "", "kafka://a:9092", "a b:1", "a\n:1", "kafka:-1", "kafka:+1"}
		}, []string{
			`brokers[0]: "kafka": must be host:port`,
			`brokers[1]: "kafka:0": must be host:port`,
			`brokers[2]: "kafka:65536": must be host:port`,
			`brokers[3]: ":9092": must be host:port`,
			`brokers[4]: "kafka:port": must be host:port`,
			`brokers[5]: "": must be host:port`,
			`brokers[6]: "kafka://a:9092": must be host:port`,
			`brokers[7]: "a b:1": the host has a character that no host name has`,
			`brokers[8]: "a\n:1": the host has a character that no host name has`,
			`brokers[9]: "kafka:-1": must be host:port`,
			`brokers[10]: "kafka:+1": must be host:port`,
		}},
		{"brokers by address", func(c *Config) { c.Brokers = []string{"127.0.0.1:1", "[::1]:65535", "k-0.kafka.svc:9092"} }, nil},
		{"no group", func(c *Config) { c.Group = "" }, []string{"group: required"}},
		{"group with control characters", func(c *Config) { c.Group = "a\x1b[2J\nb" }, []string{`group: "a\x1b[2J\nb": ` + names}},
		{"group with a line separator", func(c *Config) { c.Group = "a\u2028b" }, []string{`group: "a\u2028b": ` + names}},
		{"group protocol", func(c *Config) { c.GroupProtocol = "share" }, []string{`group_protocol: "share": must be "classic" or "consumer"`}},
		{"consumer protocol", func(c *Config) { c.GroupProtocol = GroupConsumer }, nil},
		{"instance id", func(c *Config) { c.InstanceID = "pod 1" }, []string{`instance_id: "pod 1": ` + names}},
		{"a good instance id", func(c *Config) { c.InstanceID = "pod-1" }, nil},
		{"nil hook", func(c *Config) { c.Hooks = []observe.Hook{observe.HookFunc(nil), nil} }, []string{"hooks[1]: must not be nil"}},
		{"nil option", func(c *Config) { c.KafkaOptions = []kgo.Opt{nil} }, []string{"kafka_options[0]: must not be nil"}},
		{"a good option", func(c *Config) { c.KafkaOptions = []kgo.Opt{kgo.ClientID("x")} }, nil},
		{"refused options", func(c *Config) {
			c.KafkaOptions = []kgo.Opt{kgo.ClientID("x"), kgo.SeedBrokers("b:1"), kgo.DisableAutoCommit()}
		}, []string{
			"kafka_options[1]: kgo.SeedBrokers: set Config.Brokers",
			"kafka_options[2]: kgo.DisableAutoCommit: the runtime keeps the commit line itself",
		}},
		{"a dialer beside TLS, and something else", func(c *Config) {
			c.Group, c.TLS = "", &tls.Config{MinVersion: tls.VersionTLS12}
			c.KafkaOptions = []kgo.Opt{kgo.Dialer((&net.Dialer{}).DialContext)}
		}, []string{"group: required", "kafka_options: kgo.Dialer: it would go around Config.TLS: drop one of the two"}},
		{"options that do not go together", func(c *Config) {
			c.KafkaOptions = []kgo.Opt{kgo.BrokerMaxReadBytes(60 << 20), kgo.FetchMaxBytes(80 << 20)}
		}, []string{"kafka_options: kgo options: max broker read bytes 62914560 is erroneously less than max fetch bytes 83886080"}},
		{"a dialer without TLS", func(c *Config) { c.KafkaOptions = []kgo.Opt{kgo.Dialer((&net.Dialer{}).DialContext)} }, nil},
		{"batch limit", func(c *Config) { c.MaxDecompressedBatch = -1 }, []string{"max_decompressed_batch: -1: must be at least 1"}},
	})
}

func TestValidateTimes(t *testing.T) {
	t.Parallel()
	runConfigCases(t, []configCase{
		{"negative", func(c *Config) {
			c.CommitInterval, c.CommitTimeout, c.DrainTimeout, c.Liveness.PollTTL = -1, -2, -3, -4
			c.SessionTimeout, c.RebalanceTimeout, c.ShutdownTimeout = -5, -6, math.MinInt64
		}, []string{
			"commit_interval: -1ns: must be positive",
			"commit_timeout: -2ns: must be positive",
			"drain_timeout: -3ns: must be positive",
			"liveness.poll_ttl: -4ns: must be positive",
			"session_timeout: -5ns: must be at least 3s, so that three heartbeats fit in, and at most 24 days",
			"rebalance_timeout: -6ns: must be positive and at most 24 days",
			"shutdown_timeout: -2562047h47m16.854775808s: must be above commit_timeout (0s) plus 1s for the leave, so that time is left to drain",
		}},
		{"a session of two heartbeats", func(c *Config) { c.SessionTimeout, c.DrainTimeout = 3*time.Second-1, time.Second }, []string{
			"session_timeout: 2.999999999s: must be at least 3s, so that three heartbeats fit in, and at most 24 days",
		}},
		{"the shortest session", func(c *Config) { c.SessionTimeout, c.DrainTimeout = 3*time.Second, 2*time.Second-1 }, nil},
		{"too long for the wire", func(c *Config) { c.SessionTimeout, c.RebalanceTimeout = math.MaxInt64, math.MaxInt64 }, []string{
			"session_timeout: 2562047h47m16.854775807s: must be at least 3s, so that three heartbeats fit in, and at most 24 days",
			"rebalance_timeout: 2562047h47m16.854775807s: must be positive and at most 24 days",
		}},
		{"drain and commit reach the session", func(c *Config) { c.DrainTimeout = 40 * time.Second }, []string{
			"drain_timeout: 40s: with commit_timeout (5s) it must be below session_timeout (45s)",
		}},
		{"drain and commit just below", func(c *Config) { c.DrainTimeout = 40*time.Second - 1 }, nil},
		{"drain and commit reach the rebalance", func(c *Config) { c.RebalanceTimeout = 15 * time.Second }, []string{
			"drain_timeout: 10s: with commit_timeout (5s) it must be below rebalance_timeout (15s)",
		}},
		{"no overflow", func(c *Config) { c.DrainTimeout, c.CommitTimeout = math.MaxInt64, math.MaxInt64 }, []string{
			"drain_timeout: 2562047h47m16.854775807s: with commit_timeout (2562047h47m16.854775807s) it must be below session_timeout (45s)",
			"drain_timeout: 2562047h47m16.854775807s: with commit_timeout (2562047h47m16.854775807s) it must be below rebalance_timeout (1m0s)",
			"shutdown_timeout: 25s: must be above commit_timeout (2562047h47m16.854775807s) plus 1s for the leave, so that time is left to drain",
		}},
		{"a shutdown without a drain", func(c *Config) { c.ShutdownTimeout = 6 * time.Second }, []string{
			"shutdown_timeout: 6s: must be above commit_timeout (5s) plus 1s for the leave, so that time is left to drain",
		}},
		{"a shutdown with a short one", func(c *Config) { c.ShutdownTimeout = 6*time.Second + 1 }, nil},
	})
}

func TestValidateSecurity(t *testing.T) {
	t.Parallel()
	password := SecretEnv("TROUPE_TEST_PASSWORD")                                                    // not read
	verify, dont := &tls.Config{MinVersion: tls.VersionTLS12}, &tls.Config{InsecureSkipVerify: true} //nolint:gosec // refused
	const (
		plain  = "sasl.mechanism: PLAIN sends the password in clear without TLS: set tls, use SCRAM-SHA-512, or set allow_insecure"
		skip   = "tls.insecure_skip_verify: turns verification off: set tls.root_cas instead, or set allow_insecure"
		absent = "sasl.mechanism: required with a username or a password: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
	)
	runConfigCases(t, []configCase{
		{"PLAIN without TLS", func(c *Config) { c.SASL = SASL{"PLAIN", "u", password} }, []string{plain}},
		{"PLAIN with TLS", func(c *Config) { c.SASL, c.TLS = SASL{"PLAIN", "u", password}, verify }, nil},
		{"PLAIN without TLS, allowed", func(c *Config) { c.SASL, c.AllowInsecure = SASL{"PLAIN", "u", password}, true }, nil},
		{"SCRAM-SHA-256", func(c *Config) { c.SASL = SASL{"SCRAM-SHA-256", "u", password} }, nil},
		{"SCRAM-SHA-512", func(c *Config) { c.SASL = SASL{"SCRAM-SHA-512", "u", password} }, nil},
		{"no verification", func(c *Config) { c.TLS = dont }, []string{skip}},
		{"no verification, allowed", func(c *Config) { c.TLS, c.AllowInsecure = dont, true }, nil},
		{"PLAIN over TLS without verification", func(c *Config) { c.SASL, c.TLS = SASL{"PLAIN", "u", password}, dont }, []string{skip}},
		{"no credentials", func(c *Config) { c.SASL.Mechanism = "SCRAM-SHA-512" }, []string{
			"sasl.username: required with a mechanism",
			"sasl.password: required with a mechanism: use SecretFile or SecretEnv",
		}},
		{"username alone", func(c *Config) { c.SASL.Username = "u" }, []string{absent}},
		{"password alone", func(c *Config) { c.SASL.Password = password }, []string{absent}},
		{"mechanism of another case", func(c *Config) { c.SASL = SASL{"plain\r", "u", password} }, []string{
			`sasl.mechanism: "plain\r": must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512`,
		}},
		{"mechanism of a later release", func(c *Config) { c.SASL = SASL{"OAUTHBEARER", "u", password} }, []string{
			`sasl.mechanism: "OAUTHBEARER": must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512`,
		}},
	})
}

func TestValidateTopics(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 250)
	runConfigCases(t, []configCase{
		{"none", func(c *Config) { c.Topics = nil }, []string{"topics: required: at least one"}},
		{"empty", func(c *Config) { c.Topics[1] = Topic{} }, []string{"topics[1].name: required", "topics[1].behavior: required"}},
		{"two empty names are no duplicates", func(c *Config) { c.Topics[0].Name, c.Topics[1].Name = "", "" }, []string{"topics[0].name: required", "topics[1].name: required"}},
		{"duplicates", func(c *Config) { c.Topics = append(c.Topics, c.Topics[0]) }, []string{`topics[2].name: "orders": is topics[0] already`}},
		{"names", func(c *Config) {
			c.Topics[0].Name, c.Topics[1].Name = ".", ".."
			c.Topics = append(c.Topics, Topic{Name: long, Behavior: newNothing}, Topic{Name: long[:249], Behavior: newNothing}, Topic{Name: "ä", Behavior: newNothing})
		}, []string{
			`topics[0].name: ".": must not be "." or ".."`,
			`topics[1].name: "..": must not be "." or ".."`,
			`topics[2].name: "` + long[:60] + `"...: 250 characters, at most 249`,
			`topics[4].name: "\u00e4": must consist of letters, digits, '.', '_' and '-'`,
		}},
		{"negative", func(c *Config) {
			t := &c.Topics[1]
			t.VirtualPartitions.Max, t.Delay, t.MaxSkew, t.Timeout = -1, -time.Second, -2, -3
			t.Retry = Retry{-4, supervision.Backoff{Min: -6, Max: -5}}
			t.Supervision = supervision.Policy{MaxRestarts: -2, Within: -7, Backoff: supervision.Backoff{Min: -8, Max: -9}}
			t.Buffer, t.MaxAhead, t.MaxForwards, t.OnGap, t.OnAhead = Buffer{-10, -11}, -12, -13, -14, -15
		}, []string{
			"topics[1].virtual_partitions.max: -1: must be 1 to 10000",
			"topics[1].on_gap: -14: must be GapStop or GapContinue",
			"topics[1].on_ahead: -15: must be AheadPause or AheadRepeat",
			"topics[1].delay: -1s: must not be negative",
			"topics[1].max_skew: -2ns: must be positive",
			"topics[1].timeout: -3ns: must not be negative",
			"topics[1].retry.max_attempts: -4: must be at least 1, or supervision.Unlimited",
			"topics[1].retry.backoff.min: -6ns: must be positive",
			"topics[1].supervision.max_restarts: -2: must be at least 1, or supervision.Unlimited",
			"topics[1].supervision.within: -7ns: must be positive",
			"topics[1].supervision.backoff.min: -8ns: must be positive",
			"topics[1].supervision.backoff.max: -9ns: must be at least min (-8ns)",
			"topics[1].buffer.records: -10: must be at least 1",
			"topics[1].max_forwards: -13: must be at least 1",
			"topics[1].max_ahead: -12: must be at least buffer.records (-10)",
			"topics[1].buffer.bytes: -11: must be at least max_decompressed_batch (67108864), since a batch enters as a whole",
		}},
		{"too many lanes", func(c *Config) { c.Topics[0].VirtualPartitions.Max = 10_001 }, []string{"topics[0].virtual_partitions.max: 10001: must be 1 to 10000"}},
		{"many lanes", func(c *Config) { c.Topics[0].VirtualPartitions.Max = 10_000 }, nil},
		{"no limits", func(c *Config) { c.Topics[0].Retry.MaxAttempts, c.Topics[0].Supervision.MaxRestarts = -1, -1 }, nil},
		{"latest", func(c *Config) { c.Topics[0].StartAt, c.Topics[0].OnGap = Latest, GapContinue }, nil},
		{"another start", func(c *Config) { c.Topics[0].StartAt = "Latest\n" }, []string{`topics[0].start_at: "Latest\n": must be "earliest" or "latest"`}},
		{"backoff above its default maximum", func(c *Config) { c.Topics[0].Retry.Backoff.Min = time.Hour }, []string{
			"topics[0].retry.backoff.max: 1m0s: must be at least min (1h0m0s)",
		}},
		{"buffer below a batch", func(c *Config) { c.Topics[0].Buffer.Bytes, c.MaxDecompressedBatch = 1<<20, 1<<20+1 }, []string{
			"topics[0].buffer.bytes: 1048576: must be at least max_decompressed_batch (1048577), since a batch enters as a whole",
		}},
		{"buffer of a batch", func(c *Config) {
			c.Topics[0].Buffer.Bytes, c.Topics[1].Buffer.Bytes, c.MaxDecompressedBatch = 1<<20, 1<<20, 1<<20
		}, nil},
		{"ahead less than the buffer", func(c *Config) { c.Topics[0].Buffer.Records, c.Topics[0].MaxAhead = 100, 99 }, []string{
			"topics[0].max_ahead: 99: must be at least buffer.records (100)",
		}},
	})
}

func TestValidateDeadLetters(t *testing.T) {
	t.Parallel()
	loop := func(i int, name string) string {
		return fmt.Sprintf("topics[%d].dead_letter.topic: %q: is an input with the same behavior and no delay, which makes a loop: give that topic a delay or another behavior", i, name)
	}
	to := func(c *Config, i int, name string) { c.Topics[i].DeadLetter.Topic = name }
	runConfigCases(t, []configCase{
		{"a topic of its own", func(c *Config) { to(c, 0, "dead") }, nil},
		{"auto", func(c *Config) { to(c, 0, "auto"); to(c, 1, "auto") }, nil},
		{"shared", func(c *Config) { to(c, 0, "dead"); to(c, 1, "dead") }, nil},
		{"a form", func(c *Config) { c.Topics[0].DeadLetter.Form = ProtobufForm }, nil},
		{"nothing to create", func(c *Config) { c.Topics[0].DeadLetter.Create = true }, []string{"topics[0].dead_letter.create: needs dead_letter.topic"}},
		{"of groups", func(c *Config) { c.Topics[0].DeadLettersOf = []string{"*", "g", "a/b"} }, []string{
			`topics[0].dead_letters_of[2]: "a/b": must consist of letters, digits, '.', '_' and '-'`,
		}},
		{"no form", func(c *Config) { c.Topics[0].DeadLetter.Form = "avro" }, []string{
			`topics[0].dead_letter.form: "avro": must be "headers", "spring", "connect" or "protobuf"`,
		}},
		{"not a name", func(c *Config) { to(c, 0, "a/b") }, []string{`topics[0].dead_letter.topic: "a/b": must consist of letters, digits, '.', '_' and '-'`}},
		{"auto, too long", func(c *Config) { c.Group = strings.Repeat("g", 240); to(c, 0, "auto") }, []string{
			`topics[0].dead_letter.topic: "dlq.` + strings.Repeat("g", 56) + `"...: 251 characters, at most 249`,
		}},
		{"itself", func(c *Config) { to(c, 1, "jobs") }, []string{
			`topics[1].dead_letter.topic: "jobs": is the topic itself, which would hand its dead letters back at once: name another topic, or give this one a delay`,
		}},
		{"itself with a delay", func(c *Config) { to(c, 1, "jobs"); c.Topics[1].Delay = 1 }, nil},
		{"an input with another behavior", func(c *Config) { to(c, 0, "jobs") }, nil},
		{"an input with the same factory", func(c *Config) { to(c, 0, "jobs"); c.Topics[1].Behavior = c.Topics[0].Behavior }, []string{loop(0, "jobs")}},
		{"an input with the same function", func(c *Config) {
			to(c, 0, "jobs")
			c.Topics[0].Behavior, c.Topics[1].Behavior = newNothing, newNothing
		}, []string{loop(0, "jobs")}},
		{"an input with the same factory and a delay", func(c *Config) {
			to(c, 0, "jobs")
			c.Topics[1].Behavior, c.Topics[1].Delay = c.Topics[0].Behavior, time.Minute
		}, nil},
		{"a delay at the source does not help", func(c *Config) {
			to(c, 0, "jobs")
			c.Topics[1].Behavior, c.Topics[0].Delay = c.Topics[0].Behavior, time.Minute
		}, []string{loop(0, "jobs")}},
		{"an input named like auto", func(c *Config) {
			to(c, 0, "auto")
			c.Topics[1].Name, c.Topics[1].Behavior = "dlq.billing.orders", c.Topics[0].Behavior
		}, []string{loop(0, "dlq.billing.orders")}},
	})
}

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	got := problemsOf(t, Config{Topics: []Topic{{Delay: -1}}, CommitInterval: -1, Hooks: []observe.Hook{nil}})
	want := []string{"brokers", "group", "commit_interval", "topics[0].name", "topics[0].behavior", "topics[0].delay", "hooks[0]"}
	paths := make([]string, len(got))
	for i, problem := range got {
		paths[i], _, _ = strings.Cut(problem, ": ")
	}
	if !slices.Equal(paths, want) {
		t.Errorf("got  %q\nwant %q", paths, want)
	}
}

func TestValidateLeavesTheConfigAlone(t *testing.T) {
	t.Parallel()
	c := validConfig()
	c.Topics[0].DeadLetter.Topic = "auto"
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Topics[0].DeadLetter.Topic != "auto" || !reflect.ValueOf(c.Topics[0].Buffer).IsZero() || c.SessionTimeout != 0 {
		t.Errorf("changed: %+v", c)
	}
}

func TestConfigErrorText(t *testing.T) {
	t.Parallel()
	one, two := &ConfigError{Problems: []string{"group: required"}}, &ConfigError{Problems: []string{"group: required", "topics: required"}}
	if got, want := one.Error(), "invalid config: group: required"; got != want {
		t.Errorf("one: %q, want %q", got, want)
	}
	if got, want := two.Error(), "invalid config:\n\tgroup: required\n\ttopics: required"; got != want {
		t.Errorf("two: %q, want %q", got, want)
	}
}

func TestConfigErrorHoldsRefusedOptions(t *testing.T) {
	t.Parallel()
	c := validConfig()
	c.KafkaOptions = []kgo.Opt{kgo.ClientID("x"), kgo.SeedBrokers("b:1")}
	var refused *OptionError
	if err := c.Validate(); !errors.As(err, &refused) || refused.Option != "SeedBrokers" {
		t.Errorf("%v", err)
	}
}

func TestProblemsArePrintable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String()
		c := Config{
			Brokers: rapid.SliceOfN(text, 0, 3).Draw(t, "brokers"), Group: text.Draw(t, "group"), InstanceID: text.Draw(t, "instance"),
			SASL: SASL{Mechanism: text.Draw(t, "mechanism"), Username: text.Draw(t, "user")},
			Topics: []Topic{{
				Name: text.Draw(t, "topic"), StartAt: StartAt(text.Draw(t, "start")), Behavior: newNothing,
				DeadLetter: DeadLetter{Topic: text.Draw(t, "dead")},
			}},
		}
		var err *ConfigError
		if !errors.As(c.Validate(), &err) {
			return
		}
		for _, problem := range err.Problems {
			if i := strings.IndexFunc(problem, func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }); i >= 0 {
				t.Fatalf("%q is not printable at %d", problem, i)
			}
		}
	})
}
