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
	"fmt"
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
	settleBy  = 21 * time.Second
	endBy     = 27 * time.Second
	removeFor = 2 * time.Second // to remove topics and group from a cluster of somebody else

	// MaxDuration leaves enough of the 30 s for all that comes after the records.
	MaxDuration = 15 * time.Second
)

// The second member joins and leaves when so much of the records has been sent.
const (
	joinAt  = 0.3
	leaveAt = 0.7
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
	ctx, cancel := context.WithTimeoutCause(ctx, endBy, errors.New("the run did not end in time"))
	defer cancel()
	if err := r.setUp(ctx); err != nil {
		return false, errors.Join(err, r.tearDown())
	}
	err := r.perform(ctx)
	var hits int
	if r.wire != nil {
		var wireErr error
		hits, wireErr = r.wire.close()
		err = errors.Join(err, wireErr)
	}
	if err != nil {
		return false, errors.Join(err, r.tearDown())
	}
	events := r.history.Events()
	report := r.report(events, hits)
	report.write(opts.Out)
	return report.verdict.OK(), r.tearDown()
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

func (r *run) tearDown() error {
	if r.cluster == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), removeFor)
	defer cancel()
	return r.cluster.close(ctx)
}

// perform is the run itself: a member, records, a second member that comes and goes, and
// a clean end. All it started has ended when it returns.
func (r *run) perform(ctx context.Context) error {
	side, stopSide := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer stopSide()
	var observed error
	others.Go(func() { observed = r.observer.run(side) })
	others.Go(func() { r.loop.run(side) })
	others.Go(func() { newTable(r.opts.Out).run(side, r.snapshot) })

	err := r.withMembers(ctx)
	stopSide()
	others.Wait()
	if err = errors.Join(err, observed); err != nil {
		return err
	}
	return r.observer.finish(ctx)
}

func (r *run) withMembers(ctx context.Context) error {
	r.enter("the group forms")
	a, err := r.join("a")
	if err != nil {
		return err
	}
	if err := a.ready(ctx); err != nil {
		return errors.Join(err, r.leave(a))
	}
	var work sync.WaitGroup
	var produced, visited error
	visit, cancel := context.WithCancel(ctx)
	defer cancel()
	r.enter("orders arrive")
	work.Go(func() { produced = r.producer.run(ctx, r.plan) })
	work.Go(func() { visited = r.visit(visit) })
	err = r.watch(ctx, a, &work)
	cancel()
	work.Wait()
	return errors.Join(err, produced, visited, r.leave(a))
}

// visit lets a second member join and leave.
func (r *run) visit(ctx context.Context) error {
	if wait(ctx, r.part(joinAt)) != nil {
		return nil
	}
	r.enter("b joins")
	b, err := r.join("b")
	if err != nil {
		return err
	}
	joined := time.Since(r.began)
	_ = wait(ctx, r.part(leaveAt-joinAt)) // it leaves early when the run ends early
	r.enter("b leaves")
	err = r.leave(b)
	r.enter("a goes on alone")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guest = [2]time.Duration{joined, time.Since(r.began)}
	return err
}

// part is a share of the time for which records are sent.
func (r *run) part(share float64) time.Duration {
	return time.Duration(share * float64(r.opts.Duration))
}

// watch waits until all that was sent is committed, as the observer sees it, or until
// there is no use in waiting.
func (r *run) watch(ctx context.Context, a *member, work *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { // ends with work, which the caller waits for
		work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-a.ended:
		return errors.Join(errors.New("member a ended before its time"), a.failure())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r.enter("the rest is finished")
	deadline := time.NewTimer(settleBy - time.Since(r.began))
	defer deadline.Stop()
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for last := r.observer.samples.Load(); ; {
		// A sample that began before the last record was acknowledged says nothing.
		if r.observer.samples.Load() > last+1 && r.observer.caughtUp.Load() {
			return nil
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			return nil // the verdict will say what is missing
		case <-a.ended:
			return errors.Join(errors.New("member a ended before its time"), a.failure())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *run) join(name string) (*member, error) {
	m, err := r.crew.join(context.Background(), name) // it is stopped by leave, cleanly
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = append(r.members, m)
	return m, nil
}

func (r *run) leave(m *member) error {
	err := m.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.members {
		if r.members[i] == m {
			r.members = append(r.members[:i:i], r.members[i+1:]...)
			break
		}
	}
	return err
}

func (r *run) enter(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phase
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
		broker = fmt.Sprintf("brokers %s", strings.Join(r.cluster.brokers, ","))
	}
	return &report{
		names: r.cluster.names, broker: broker, seed: r.opts.Seed, took: time.Since(r.began), guest: r.guest,
		figures: f, loop: r.loop.by(f.ended), restarts: r.counts.restarts.Load(), dead: r.observer.deadLetters.Load(),
		fault: r.opts.Fault, hits: hits, verdict: Judge(events),
	}
}
