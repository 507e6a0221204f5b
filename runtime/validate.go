package runtime

import (
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/troupe-go/troupe/internal/kafka"
	"github.com/troupe-go/troupe/supervision"
)

const (
	sessionLeast = 3 * time.Second     // three heartbeats, a second apart at the least
	wireMost     = 24 * 24 * time.Hour // the protocol has 31 bits of milliseconds for it
	leaveTime    = time.Second         // what a shutdown keeps back for leaving the group
	lanesMost    = 10_000
)

// Validate reports every problem at once, as a [*ConfigError]: each begins with the path
// of its field, in snake case, and says what would be right. It reads no secret and
// connects to nothing.
func (c Config) Validate() error {
	c = c.withDefaults()
	var p problems
	c.validateGroup(&p)
	c.validateTimes(&p)
	c.validateSecurity(&p)
	p.atLeast("max_decompressed_batch", int64(c.MaxDecompressedBatch), 1)
	c.validateTopics(&p)
	c.validateDeadLetters(&p)
	for i, h := range c.Hooks {
		if h == nil {
			p.addf(fmt.Sprintf("hooks[%d]", i), "must not be nil")
		}
	}
	refused := c.validateOptions(&p)
	if len(p) == 0 {
		c.validateTogether(&p)
	}
	if len(p) == 0 {
		return nil
	}
	return &ConfigError{Problems: p, refused: refused}
}

// validateOptions refuses options by name, and returns the errors that say so.
func (c *Config) validateOptions(p *problems) []error {
	var refused []error
	before := len(*p)
	for i := range c.KafkaOptions {
		path := fmt.Sprintf("kafka_options[%d]", i)
		if c.KafkaOptions[i] == nil {
			p.addf(path, "must not be nil")
		} else if err := kafka.CheckOpts(c.KafkaOptions[i : i+1]); err != nil {
			p.addf(path, "%v", err)
			refused = append(refused, err)
		}
	}
	if len(*p) > before {
		return refused
	}
	if err := kafka.CheckDialer(c.KafkaOptions, c.TLS); err != nil {
		p.addf("kafka_options", "%v", err)
		refused = append(refused, err)
	}
	return refused
}

// validateTogether asks the client about a config in which each field is right.
func (c *Config) validateTogether(p *problems) {
	if err := kafka.CheckTogether(c.kafkaOptions()); err != nil {
		p.addf("kafka_options", "%v", err)
	}
}

func (c *Config) validateGroup(p *problems) {
	if len(c.Brokers) == 0 {
		p.addf("brokers", "required: at least one host:port")
	}
	for i, b := range c.Brokers {
		if why := notHostPort(b); why != "" {
			p.addf(fmt.Sprintf("brokers[%d]", i), "%s: %s", quote(b), why)
		}
	}
	p.name("group", c.Group)
	if c.GroupProtocol != GroupClassic && c.GroupProtocol != GroupConsumer {
		p.addf("group_protocol", "%s: must be %q or %q", quote(string(c.GroupProtocol)), GroupClassic, GroupConsumer)
	}
	if c.InstanceID != "" {
		p.name("instance_id", c.InstanceID)
	}
}

func notHostPort(s string) string {
	host, port, err := net.SplitHostPort(s)
	if n, numErr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || numErr != nil || n == 0 {
		return "must be host:port"
	}
	for i := range len(host) {
		if host[i] <= ' ' || host[i] == '/' || host[i] == '@' || host[i] >= 0x7f {
			return "the host has a character that no host name has"
		}
	}
	return ""
}

func (c *Config) validateTimes(p *problems) {
	p.positive("commit_interval", c.CommitInterval)
	p.positive("commit_timeout", c.CommitTimeout)
	p.positive("drain_timeout", c.DrainTimeout)
	p.positive("liveness.poll_ttl", c.Liveness.PollTTL)
	if c.SessionTimeout < sessionLeast || c.SessionTimeout > wireMost {
		p.addf("session_timeout", "%v: must be at least %v, so that three heartbeats fit in, and at most 24 days", c.SessionTimeout, sessionLeast)
	}
	if c.RebalanceTimeout <= 0 || c.RebalanceTimeout > wireMost {
		p.addf("rebalance_timeout", "%v: must be positive and at most 24 days", c.RebalanceTimeout)
	}
	drain, commit := max(c.DrainTimeout, 0), max(c.CommitTimeout, 0)
	within := func(name string, limit time.Duration) {
		if limit > 0 && drain >= limit-commit {
			p.addf("drain_timeout", "%v: with commit_timeout (%v) it must be below %s (%v)", drain, commit, name, limit)
		}
	}
	within("session_timeout", c.SessionTimeout)
	within("rebalance_timeout", c.RebalanceTimeout)
	if c.ShutdownTimeout <= 0 || c.ShutdownTimeout-leaveTime <= commit {
		p.addf("shutdown_timeout", "%v: must be above commit_timeout (%v) plus %v for the leave, so that time is left to drain", c.ShutdownTimeout, commit, leaveTime)
	}
}

func (c *Config) validateSecurity(p *problems) {
	s := c.SASL
	switch s.Mechanism {
	case saslPlain, saslScram256, saslScram512:
		if s.Username == "" {
			p.addf("sasl.username", "required with a mechanism")
		}
		if !s.Password.isSet() {
			p.addf("sasl.password", "required with a mechanism: use SecretFile or SecretEnv")
		}
	case "":
		if !s.isZero() {
			p.addf("sasl.mechanism", "required with a username or a password: %s, %s or %s", saslPlain, saslScram256, saslScram512)
		}
	default:
		p.addf("sasl.mechanism", "%s: must be %s, %s or %s", quote(s.Mechanism), saslPlain, saslScram256, saslScram512)
	}
	if s.Mechanism == saslPlain && c.TLS == nil && !c.AllowInsecure {
		p.addf("sasl.mechanism", "PLAIN sends the password in clear without TLS: set tls, use %s, or set allow_insecure", saslScram512)
	}
	if c.TLS != nil && c.TLS.InsecureSkipVerify && !c.AllowInsecure {
		p.addf("tls.insecure_skip_verify", "turns verification off: set tls.root_cas instead, or set allow_insecure")
	}
}

func (c *Config) validateTopics(p *problems) {
	if len(c.Topics) == 0 {
		p.addf("topics", "required: at least one")
	}
	first := map[string]int{}
	for i := range c.Topics {
		t, path := &c.Topics[i], fmt.Sprintf("topics[%d].", i)
		t.validate(path, p)
		if t.Buffer.Bytes < int64(c.MaxDecompressedBatch) {
			p.addf(path+"buffer.bytes", "%d: must be at least max_decompressed_batch (%d), since a batch enters as a whole", t.Buffer.Bytes, c.MaxDecompressedBatch)
		}
		if j, ok := first[t.Name]; ok && t.Name != "" {
			p.addf(path+"name", "%s: is topics[%d] already", quote(t.Name), j)
		} else {
			first[t.Name] = i
		}
	}
}

func (t *Topic) validate(path string, p *problems) {
	p.name(path+"name", t.Name)
	if t.Behavior == nil {
		p.addf(path+"behavior", "required")
	}
	if n := t.VirtualPartitions.Max; n < 1 || n > lanesMost {
		p.addf(path+"virtual_partitions.max", "%d: must be 1 to %d", n, lanesMost)
	}
	if t.StartAt != Earliest && t.StartAt != Latest {
		p.addf(path+"start_at", "%s: must be %q or %q", quote(string(t.StartAt)), Earliest, Latest)
	}
	if t.OnGap != GapStop && t.OnGap != GapContinue {
		p.addf(path+"on_gap", "%d: must be GapStop or GapContinue", int(t.OnGap))
	}
	if t.OnAhead != AheadPause && t.OnAhead != AheadRepeat {
		p.addf(path+"on_ahead", "%d: must be AheadPause or AheadRepeat", int(t.OnAhead))
	}
	p.notNegative(path+"delay", t.Delay)
	p.positive(path+"max_skew", t.MaxSkew)
	p.notNegative(path+"timeout", t.Timeout)
	p.limit(path+"retry.max_attempts", t.Retry.MaxAttempts)
	p.backoff(path+"retry.backoff", t.Retry.Backoff)
	p.limit(path+"supervision.max_restarts", t.Supervision.MaxRestarts)
	p.positive(path+"supervision.within", t.Supervision.Within)
	p.backoff(path+"supervision.backoff", t.Supervision.Backoff)
	p.atLeast(path+"buffer.records", int64(t.Buffer.Records), 1)
	p.atLeast(path+"max_forwards", int64(t.MaxForwards), 1)
	if t.MaxAhead < t.Buffer.Records || t.MaxAhead < 1 {
		p.addf(path+"max_ahead", "%d: must be at least buffer.records (%d)", t.MaxAhead, t.Buffer.Records)
	}
	if t.DeadLetter.Topic != "" {
		p.name(path+"dead_letter.topic", t.DeadLetter.Topic)
	}
	for j, group := range t.DeadLettersOf {
		if group != everyGroup {
			p.name(fmt.Sprintf("%sdead_letters_of[%d]", path, j), group)
		}
	}
	if t.DeadLetter.Create && t.DeadLetter.Topic == "" {
		p.addf(path+"dead_letter.create", "needs dead_letter.topic")
	}
	if _, ok := t.DeadLetter.Form.onTheWire(); !ok {
		p.addf(path+"dead_letter.form", "%s: must be %q, %q, %q or %q", quote(string(t.DeadLetter.Form)), HeaderForm, SpringForm, ConnectForm, ProtobufForm)
	}
}

// problems collects what is wrong.
type problems []string

func (p *problems) addf(path, format string, args ...any) {
	*p = append(*p, path+": "+fmt.Sprintf(format, args...))
}

func (p *problems) notNegative(path string, d time.Duration) {
	if d < 0 {
		p.addf(path, "%v: must not be negative", d)
	}
}

func (p *problems) positive(path string, d time.Duration) {
	if d <= 0 {
		p.addf(path, "%v: must be positive", d)
	}
}

func (p *problems) atLeast(path string, n, least int64) {
	if n < least {
		p.addf(path, "%d: must be at least %d", n, least)
	}
}

// limit checks a count that may be supervision.Unlimited.
func (p *problems) limit(path string, n int) {
	if n < 1 && n != supervision.Unlimited {
		p.addf(path, "%d: must be at least 1, or supervision.Unlimited", n)
	}
}

func (p *problems) backoff(path string, b supervision.Backoff) {
	p.positive(path+".min", b.Min)
	if b.Max < b.Min {
		p.addf(path+".max", "%v: must be at least min (%v)", b.Max, b.Min)
	}
}

func (p *problems) name(path, name string) {
	if name == "" {
		p.addf(path, "required")
	} else if why := notAName(name); why != "" {
		p.addf(path, "%s: %s", quote(name), why)
	}
}
