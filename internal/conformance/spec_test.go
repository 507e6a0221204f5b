//go:build kafka

package conformance

import (
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/supervision"
)

// spec is the configuration of a member, as it is handed to its process. Zero values are
// the defaults of [spec.config], which are short.
type spec struct {
	Name    string
	Broker  string
	Via     string // every connection is dialed there; empty: to the broker
	User    *user  // who it is on a secured listener
	Group   string
	Journal string // the file it writes

	Protocol        runtime.GroupProtocol
	InstanceID      string
	LeaveOnShutdown bool
	Session         time.Duration // 6 s; in a group of KIP-848 the group's
	Own             time.Duration // SessionTimeout, where it is to differ from that
	Drain           time.Duration // 3 s
	CommitInterval  time.Duration // 200 ms
	Shutdown        time.Duration // 10 s

	Topics []topicSpec
}

// topicSpec configures one topic of a member.
type topicSpec struct {
	Name        string
	Lanes       int  // 3
	Unordered   bool // spread by offset
	Delay       time.Duration
	MaxSkew     time.Duration
	DeadLetter  string
	Create      bool // the dead letter topic
	LettersOf   []string
	MaxAttempts int
	Latest      bool
	Repeat      bool // OnAhead
	Script      script
}

// How the process of a member ends.
const (
	exitClean      = 0
	exitFailed     = 1
	exitNotDrained = 3
	exitFenced     = 4
	exitSession    = 5
)

func (s *spec) save(file string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

func loadSpec(file string) (spec, error) {
	var s spec
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// config is the member's, with a hook and a journal that write to h.
func (s *spec) config(h *history.History, incarnation string) runtime.Config {
	cfg := runtime.Config{
		Brokers:         []string{s.Broker},
		Group:           s.Group,
		GroupProtocol:   s.Protocol,
		InstanceID:      s.InstanceID,
		LeaveOnShutdown: s.LeaveOnShutdown,
		SessionTimeout:  or(s.Own, or(s.Session, sessionOf)),
		DrainTimeout:    or(s.Drain, 3*time.Second),
		CommitInterval:  or(s.CommitInterval, 200*time.Millisecond),
		ShutdownTimeout: or(s.Shutdown, 10*time.Second),
		KafkaOptions:    []kgo.Opt{kgo.ClientID(s.Name)},
	}
	if s.Via != "" {
		cfg.KafkaOptions = append(cfg.KafkaOptions, kgo.Dialer(dialVia(s.Via)))
	}
	if s.User != nil {
		cfg.SASL = s.User.sasl()
	}
	if h != nil {
		cfg.Hooks = append(cfg.Hooks, history.NewHook(h, incarnation))
	}
	for i := range s.Topics {
		cfg.Topics = append(cfg.Topics, s.Topics[i].config(h, incarnation))
	}
	return cfg
}

func (t *topicSpec) config(h *history.History, incarnation string) runtime.Topic {
	topic := runtime.Topic{
		Name:              t.Name,
		Behavior:          t.Script.factory(),
		VirtualPartitions: runtime.VirtualPartitions{Max: or(t.Lanes, 3)},
		Delay:             t.Delay,
		MaxSkew:           t.MaxSkew,
		DeadLetter:        runtime.DeadLetter{Topic: t.DeadLetter, Create: t.Create},
		DeadLettersOf:     t.LettersOf,
		Retry: runtime.Retry{
			MaxAttempts: t.MaxAttempts,
			Backoff:     supervision.Backoff{Min: 20 * time.Millisecond, Max: 200 * time.Millisecond},
		},
		Supervision: supervision.Policy{
			MaxRestarts: supervision.Unlimited,
			Backoff:     supervision.Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond},
		},
	}
	if t.Latest {
		topic.StartAt = runtime.Latest
	}
	if t.Repeat {
		topic.OnAhead = runtime.AheadRepeat
	}
	if t.Unordered {
		topic.VirtualPartitions.KeyBy = actors.Unordered
	}
	if h == nil {
		return topic
	}
	journal := history.NewJournal(h, incarnation)
	if t.Unordered {
		journal.KeyBy = actors.Unordered
	}
	if t.Delay > 0 && t.MaxSkew == 0 { // otherwise the test judges itself what is due when
		journal.Due = func(rec *actors.Record) time.Time { return rec.Timestamp.Add(t.Delay) }
	}
	topic.Behavior = journal.Wrap(topic.Behavior)
	return topic
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

// exitOf is how a member's process tells what Run returned.
func exitOf(err error) int {
	switch {
	case err == nil:
		return exitClean
	case errors.Is(err, runtime.ErrNotDrained):
		return exitNotDrained
	case errors.Is(err, runtime.ErrFencedInstance):
		return exitFenced
	case errors.Is(err, runtime.ErrSessionTimeout):
		return exitSession
	}
	return exitFailed
}
