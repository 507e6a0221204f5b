package runtime

import (
	"cmp"
	"os"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/supervision"
)

// autoDeadLetter as a dead letter topic is dlq.{group}.{topic}.
const autoDeadLetter = "auto"

// everyGroup in DeadLettersOf stands for all groups.
const everyGroup = "*"

// isDeadLetter tells whether a topic is where another one's dead letters go.
func (c *Config) isDeadLetter(name string) bool {
	return name != "" && slices.ContainsFunc(c.Topics, func(t Topic) bool { return t.DeadLetter.Topic == name })
}

// withDefaults is a copy of c in which each field is set. It shares no slice with c.
func (c Config) withDefaults() Config {
	setDefault(&c.GroupProtocol, GroupClassic)
	setDefault(&c.CommitInterval, time.Second)
	setDefault(&c.SessionTimeout, 45*time.Second)
	setDefault(&c.CommitTimeout, min(5*time.Second, max(c.SessionTimeout/3, 1)))
	setDefault(&c.RebalanceTimeout, time.Minute)
	setDefault(&c.DrainTimeout, 10*time.Second)
	setDefault(&c.ShutdownTimeout, 25*time.Second)
	setDefault(&c.MaxDecompressedBatch, 64<<20)
	setDefault(&c.Liveness.PollTTL, time.Minute)
	if c.Logger == nil {
		c.Logger = defaultLogger(os.Stderr)
	}
	c.TLS = c.TLS.Clone()
	c.Brokers = slices.Clone(c.Brokers)
	c.Hooks = slices.Clone(c.Hooks)
	c.KafkaOptions = slices.Clone(c.KafkaOptions)
	c.Topics = slices.Clone(c.Topics)
	for i := range c.Topics {
		c.Topics[i] = c.Topics[i].withDefaults(c.Group)
	}
	for i := range c.Topics {
		t := &c.Topics[i]
		switch {
		case len(t.DeadLettersOf) > 0:
			t.DeadLettersOf = slices.Clone(t.DeadLettersOf)
		case c.isDeadLetter(t.Name):
			t.DeadLettersOf = []string{c.Group}
		default:
			t.DeadLettersOf = []string{everyGroup}
		}
	}
	return c
}

func (t Topic) withDefaults(group string) Topic {
	setDefault(&t.VirtualPartitions.Max, 1)
	if t.VirtualPartitions.KeyBy == nil {
		t.VirtualPartitions.KeyBy = actors.ByKey
	}
	setDefault(&t.StartAt, Earliest)
	setDefault(&t.MaxSkew, time.Hour)
	if t.DeadLetter.Topic == autoDeadLetter {
		t.DeadLetter.Topic = "dlq." + group + "." + t.Name
	}
	setDefault(&t.DeadLetter.Form, HeaderForm)
	t.Retry = t.Retry.withDefaults(t.DeadLetter.Topic != "")
	t.Supervision = policyWithDefaults(t.Supervision)
	setDefault(&t.Buffer.Records, 10_000)
	setDefault(&t.Buffer.Bytes, 64<<20)
	setDefault(&t.MaxAhead, 100_000)
	setDefault(&t.MaxForwards, 1_000)
	return t
}

func (r Retry) withDefaults(deadLetters bool) Retry {
	attempts := supervision.Unlimited
	if deadLetters {
		attempts = 10
	}
	setDefault(&r.MaxAttempts, attempts)
	r.Backoff = backoffWithDefaults(r.Backoff, supervision.Backoff{Min: time.Second, Max: time.Minute})
	return r
}

func policyWithDefaults(p supervision.Policy) supervision.Policy {
	if p.Decide == nil {
		p.Decide = supervision.Default
	}
	setDefault(&p.MaxRestarts, 10)
	setDefault(&p.Within, 10*time.Minute)
	p.Backoff = backoffWithDefaults(p.Backoff, supervision.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second})
	return p
}

func backoffWithDefaults(b, otherwise supervision.Backoff) supervision.Backoff {
	return supervision.Backoff{Min: cmp.Or(b.Min, otherwise.Min), Max: cmp.Or(b.Max, otherwise.Max)}
}

func setDefault[T comparable](field *T, value T) { *field = cmp.Or(*field, value) }
