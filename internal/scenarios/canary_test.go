//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/runtimetest"
	"github.com/troupe-go/troupe/supervision"
)

const canary = "hunter2-canary"

var errCanary = fmt.Errorf("wrapped: %w", errors.New(canary))

// paper is where a log is written to.
type paper struct {
	mu   sync.Mutex
	text strings.Builder // guarded by mu
}

// Write is io.Writer's.
func (p *paper) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *paper) logger() *zap.Logger {
	return zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(p), zap.DebugLevel))
}

// want is what the log has to have told of, without the canary.
func (p *paper) want(t *testing.T, lines ...string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	text := p.text.String()
	for line := range strings.Lines(text) {
		if strings.Contains(line, canary) {
			t.Errorf("the log tells what a user's code or a record holds: %s", line)
		}
	}
	for _, want := range lines {
		if !strings.Contains(text, want) {
			t.Errorf("the log has no line with %q", want)
		}
	}
}

// leaky puts the canary into everything that it fails with.
type leaky struct{ starts *tape }

func (l *leaky) Start(context.Context, actors.VirtualPartition) error {
	l.starts.add("start")
	switch len(l.starts.lines()) {
	case 1:
		return errCanary
	case 2:
		panic(canary)
	}
	return nil
}

func (l *leaky) Stop(_ context.Context, cause error) error {
	if errors.Is(cause, actors.ErrShutdown) {
		return errCanary
	}
	panic(errCanary)
}

func (l *leaky) Receive(_ context.Context, rec *actors.Record) error {
	switch {
	case rec.Attempt > 1:
		return actors.Discard(errCanary)
	case rec.Offset == 0:
		panic(canary)
	case rec.Offset == 1:
		panic(errCanary)
	case rec.Offset == 2:
		return errCanary
	case rec.Offset == 3:
		return actors.RetryAfter(time.Second, errCanary)
	}
	return nil
}

// leakyHook panics for events and for records.
type leakyHook struct{}

func (leakyHook) OnEvent(time.Time, observe.Event)  { panic(canary) }
func (leakyHook) OnRecord(time.Time, observe.Event) { panic(errCanary) }

func leak(c *runtimetest.Cluster, topic string, n int) {
	for range n {
		c.ProduceRecords(&actors.Record{
			Topic: topic, Key: []byte(canary), Value: []byte(canary), Headers: []actors.Header{{Key: canary, Value: []byte(canary)}},
		})
	}
}

func TestNothingOfTheUsersIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders", "dlq.g.orders", "jobs", "keyed", "dlq.g.keyed", "halting")
		var log paper
		var starts tape
		quick := supervision.Policy{Backoff: patient(time.Second)}
		retry := runtime.Retry{MaxAttempts: 3, Backoff: patient(time.Second)}
		decides, halts := quick, quick
		decides.Decide = func(supervision.Failure) supervision.Directive { panic(canary) }
		halts.Decide = func(supervision.Failure) supervision.Directive { return supervision.Stop }
		rt := c.Start(runtime.Config{
			Group: group, Logger: log.logger(), Hooks: []observe.Hook{leakyHook{}},
			Topics: []runtime.Topic{
				{
					Name: "orders", Supervision: quick, Retry: retry, DeadLetter: runtime.DeadLetter{Topic: "auto"},
					Behavior: func(actors.VirtualPartition) actors.Behavior { return &leaky{&starts} },
				},
				{
					Name: "jobs", Supervision: decides, Retry: runtime.Retry{Backoff: patient(time.Second)},
					Behavior: handle(func(_ context.Context, rec *actors.Record) error {
						if rec.Attempt < 3 {
							return errCanary
						}
						return nil
					}),
				},
				{
					Name: "keyed", Retry: retry, DeadLetter: runtime.DeadLetter{Topic: "auto"}, Behavior: handle(fine),
					VirtualPartitions: runtime.VirtualPartitions{Max: 2, KeyBy: func(*actors.Record) []byte { panic(canary) }},
				},
				{
					Name: "halting", Supervision: halts,
					Behavior: handle(func(context.Context, *actors.Record) error { return errCanary }),
				},
			},
		})
		leak(c, "orders", 5)
		leak(c, "jobs", 1)
		leak(c, "keyed", 1)
		leak(c, "halting", 1)
		time.Sleep(time.Minute)
		if got := c.Committed("orders", 0); got != 5 {
			t.Errorf("the line is %d, want 5", got)
		}
		if err := c.Stop(rt); err != nil {
			t.Error(err)
		}
		log.want(t, "virtual partition restarted", "failure escalated", "virtual partition stopped", "Decide panicked",
			"Stop failed", "a hook panicked", "dead letter", "shut down", `"class":"*errors.errorString"`)
	})
}

func TestWhatEndsRunIsLoggedWithoutTheUsersText(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders")
		var log paper
		rt := c.Start(runtime.Config{
			Group: group, Logger: log.logger(),
			Topics: []runtime.Topic{{
				Name: "orders", Retry: runtime.Retry{MaxAttempts: 1},
				Supervision: supervision.Policy{MaxRestarts: 1, Backoff: patient(time.Second)},
				Behavior:    handle(func(context.Context, *actors.Record) error { return errCanary }),
			}},
		})
		leak(c, "orders", 1)
		if err := c.Wait(rt); err == nil || !strings.Contains(err.Error(), canary) {
			t.Errorf("Run returned %v, want the behavior's error", err)
		}
		log.want(t, "over its budget of 1 rebuilds", "shut down", `"class":"*errors.errorString"`)
	})
}
