package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/supervision"
)

const (
	maxAttempts     = 3
	readyTimeout    = 10 * time.Second
	shutdownTimeout = 5 * time.Second
)

// retries space the attempts at a record.
func retries() supervision.Backoff {
	return supervision.Backoff{Min: 50 * time.Millisecond, Max: 200 * time.Millisecond}
}

// member is one runtime in the group. Another one would as well be another process.
type member struct {
	name    string
	runtime *runtime.Runtime
	joined  time.Time
	ended   chan struct{}
	err     error // of Run; to be read when ended is closed
}

// crew makes the members of a run.
type crew struct {
	cluster *cluster
	history *history.History
	counts  *counters
	logger  *zap.Logger
	options []kgo.Opt // of the runtime's client: a fault, in a run that has one
}

// join starts a member. It stops with ctx, or by stop.
func (c *crew) join(ctx context.Context, name string) (*member, error) {
	r, err := runtime.New(c.config(name))
	if err != nil {
		return nil, fmt.Errorf("member %s: %w", name, err)
	}
	m := &member{name: name, runtime: r, joined: time.Now(), ended: make(chan struct{})}
	go func() { // ends with Run, which stop waits for
		defer close(m.ended)
		m.err = r.Run(ctx)
	}()
	return m, nil
}

func (c *crew) config(name string) runtime.Config {
	n := c.cluster.names
	j := &journal{c.history, name, c.counts}
	return runtime.Config{
		Brokers: c.cluster.brokers,
		Group:   n.group,
		Topics: []runtime.Topic{
			{
				Name:              n.orders,
				Behavior:          j.behavior,
				VirtualPartitions: runtime.VirtualPartitions{Max: 16},
				Retry:             runtime.Retry{MaxAttempts: maxAttempts, Backoff: retries()},
				Supervision:       supervision.Policy{Backoff: retries()},
				DeadLetter:        runtime.DeadLetter{Topic: "auto"},
			},
			{
				Name:              n.payments,
				Behavior:          j.behavior,
				VirtualPartitions: runtime.VirtualPartitions{Max: 4},
			},
			{
				Name:              n.reminders,
				Behavior:          j.behavior,
				VirtualPartitions: runtime.VirtualPartitions{Max: 4},
				Delay:             delay,
			},
		},
		CommitInterval:  250 * time.Millisecond,
		SessionTimeout:  6 * time.Second,
		DrainTimeout:    2 * time.Second,
		ShutdownTimeout: shutdownTimeout,
		Logger:          c.logger,
		KafkaOptions:    c.options,
	}
}

// stop drains the member and waits until it has left, also when ctx has ended.
func (m *member) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout+time.Second/2)
	defer cancel()
	if err := m.runtime.Shutdown(ctx); err != nil {
		return fmt.Errorf("member %s did not stop in time: %w", m.name, err)
	}
	<-m.ended
	if errors.Is(m.err, runtime.ErrNotDrained) {
		return nil // a broker that was slow to answer the last commit: the verdict judges what came of it
	}
	return m.failure()
}

// failure is why a member that ended did so; nil after a clean stop.
func (m *member) failure() error {
	if m.err != nil {
		return fmt.Errorf("member %s: %w", m.name, m.err)
	}
	return nil
}

// ready waits until the member works on its first assignment.
func (m *member) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	select {
	case <-m.runtime.Ready():
		return nil
	case <-m.ended:
		return errors.Join(m.failure(), fmt.Errorf("member %s ended at once", m.name))
	case <-ctx.Done():
		return fmt.Errorf("member %s was assigned nothing: %w", m.name, context.Cause(ctx))
	}
}
