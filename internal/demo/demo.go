// Package demo is Troupe's main job on one page: orders with hot keys, slow calls,
// failures, panics and poison, a delayed topic beside undelayed ones, dead letters, and a
// second member that joins and leaves. It ends with a report and a verdict.
//
// The verdict is computed from the producer's acknowledgments, from a journal that the
// demo's own behaviors write, and from what a separate client reads from the broker.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/internal/history"
)

// The times of a run, from its start.
const (
	settleBy  = 18 * time.Second
	endBy     = 26 * time.Second
	hangsBy   = 28 * time.Second
	removeFor = 1500 * time.Millisecond // to remove topics and group from a cluster of somebody else

	// MaxDuration leaves enough of the 30 s for all that comes before and after the records.
	MaxDuration = 12 * time.Second
)

// Options are those of a run.
type Options struct {
	// Brokers are those of a cluster that is there. Defaults to an embedded broker.
	Brokers []string

	// Seed draws the workload.
	Seed uint64

	// Records is the number of orders.
	Records int

	// Duration is how long records are sent for, at most MaxDuration.
	Duration time.Duration

	// Fault is one of Faults. Defaults to none.
	Fault string

	// Out gets the progress and the report.
	Out io.Writer

	// Logger is the runtime's. Defaults to none.
	Logger *zap.Logger
}

// run is one run of the demo.
type run struct {
	opts     Options
	began    time.Time
	cluster  *cluster
	history  *history.History
	counts   *counters
	wire     *wire // nil: no fault
	crew     *crew
	plan     []entry
	producer *producer
	observer *observer
	loop     *baseline

	mu      sync.Mutex
	phase   string           // guarded by mu
	members []*member        // guarded by mu: those that have not left
	guest   [2]time.Duration // guarded by mu: when b joined and had left
}

// Run runs the demo and reports whether every promise held. It ends within 30 s. When it
// could not be carried through, or ctx ended before, there is an error and no verdict.
func Run(ctx context.Context, opts Options) (bool, error) {
	r := &run{opts: opts, began: time.Now(), history: history.New(), counts: &counters{}}
	type result struct {
		ok  bool
		err error
	}
	done := make(chan result, 1) // a run that hangs is left behind
	go func() {
		ok, err := r.run(ctx)
		done <- result{ok, err}
	}()
	select {
	case res := <-done:
		return res.ok, res.err
	case <-time.After(hangsBy):
		return false, errors.Join(errHangs, r.tearDown(ctx))
	}
}

var (
	errHangs = errors.New("the run hangs")
	errEnd   = errors.New("the run did not end in time")
)

func (r *run) run(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, endBy, errEnd)
	defer cancel()
	if err := r.setUp(ctx); err != nil {
		return false, errors.Join(err, r.tearDown(ctx))
	}
	err := r.perform(ctx)
	hits, wireErr := r.wire.close()
	if err = errors.Join(err, wireErr); err != nil {
		return false, errors.Join(err, r.tearDown(ctx))
	}
	report := r.report(r.history.Events(), hits)
	report.write(r.opts.Out)
	return report.verdict.OK(), r.tearDown(ctx)
}

func (r *run) setUp(ctx context.Context) error {
	var err error
	if r.cluster, err = openCluster(ctx, r.opts.Brokers, strings.ToLower(rand.Text()[:8])); err != nil {
		return err
	}
	var options []kgo.Opt
	if r.opts.Fault != "" {
		if r.wire, err = newWire(ctx, r.opts.Fault, r.cluster); err != nil {
			return err
		}
		options = append(options, r.wire.option())
	}
	logger := r.opts.Logger
	if logger == nil {
		logger = zap.NewNop()
	}
	r.crew = &crew{r.cluster, r.history, r.counts, logger, options}
	r.plan = plan(r.cluster.names, r.opts.Seed, r.opts.Records, r.opts.Duration)
	if r.observer, err = newObserver(r.cluster, r.history, r.plan); err != nil {
		return err
	}
	if r.loop, err = newBaseline(r.cluster); err != nil {
		return err
	}
	r.producer, err = newProducer(r.cluster, r.history)
	return err
}

func (r *run) tearDown(ctx context.Context) error {
	if r.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeFor) // also after an interrupt
	defer cancel()
	return r.cluster.close(ctx)
}

func (r *run) snapshot() snapshot {
	r.mu.Lock()
	s := snapshot{at: time.Since(r.began), phase: r.phase, total: len(r.plan)}
	members := r.members
	r.mu.Unlock()
	s.sent, s.finished = r.producer.acked.Load(), r.counts.finished.Load()
	s.failed, s.panicked = r.counts.failed.Load(), r.counts.panicked.Load()
	s.dead, s.loop = r.observer.deadLetters.Load(), r.loop.handled.Load()
	for _, m := range members {
		s.members = append(s.members, memberStats{m.name, m.runtime.Stats()})
	}
	return s
}

func (r *run) report(events []history.Event, hits int) *report {
	f := figuresOf(events, r.cluster.names.orders)
	broker := "embedded broker on " + r.cluster.brokers[0]
	if r.cluster.embedded == nil {
		broker = "brokers " + strings.Join(r.cluster.brokers, ",")
	}
	return &report{
		names: r.cluster.names, broker: broker, seed: r.opts.Seed, took: time.Since(r.began), guest: r.guest,
		figures: f, loop: r.loop.by(f.ended), restarts: r.counts.restarts.Load(), dead: r.observer.deadLetters.Load(),
		fault: r.opts.Fault, hits: hits, verdict: Judge(events),
	}
}
