package runtime

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/troupe-go/troupe/internal/engine"
	"github.com/troupe-go/troupe/internal/kafka"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Runtime processes the topics of a [Config] as one member of a consumer group. It
// runs once: a Runtime that ended is not started again. Its methods may be called from
// any goroutine.
type Runtime struct {
	cfg      Config
	client   *kafka.Client
	engine   *engine.Engine
	observer *observer

	ready     chan struct{} // closed once the first assignment is being processed
	readyOnce sync.Once
	stop      chan struct{} // closed when a stop is asked for
	stopOnce  sync.Once
	ended     chan struct{} // closed when Run has returned
	failed    chan error    // capacity 1: why the runtime cannot go on

	mu      sync.Mutex
	running bool            // guarded by mu: Run was called
	over    bool            // guarded by mu: Shutdown came before Run
	limit   context.Context //nolint:containedctx // guarded by mu: Shutdown's, which bounds the drain; nil: none
}

// leaveTimeout is what a leave may take of the ShutdownTimeout.
const leaveTimeout = time.Second

// New checks cfg and builds a Runtime. It connects to nothing. Of a cfg that is wrong
// it returns a [*ConfigError] with every problem.
func New(cfg Config) (*Runtime, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Runtime{
		cfg:    cfg.withDefaults(),
		ready:  make(chan struct{}),
		stop:   make(chan struct{}),
		ended:  make(chan struct{}),
		failed: make(chan error, 1),
	}
	r.observer = newObserver(r.cfg.Logger, r.cfg.Hooks)
	client, err := kafka.New(r.kafkaOptions(), &handler{r})
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	r.client = client
	return r, nil
}

// Run joins the group and processes records until ctx ends or Shutdown is called. Then
// it drains, commits and leaves the group, all within Config.ShutdownTimeout.
//
// It returns nil after a clean drain, and [ErrNotDrained] when calls outlived it or the
// last commit was not acknowledged. Other errors end it before: a topic that is missing or not authorized ([*TopicError]),
// refused authentication ([ErrAuthentication]), another member with the same InstanceID
// ([ErrFencedInstance]), all topics deleted, or a failure that supervision escalated
// beyond a partition's budget.
func (r *Runtime) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.running {
		r.mu.Unlock()
		return ErrRunTwice
	}
	r.running = true
	over := r.over
	r.mu.Unlock()
	defer close(r.ended)
	if over {
		return nil
	}
	r.observer.start()
	defer r.observer.stop()
	r.mu.Lock()
	r.engine = engine.New(r.engineOptions())
	r.mu.Unlock()
	clientCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.warnInsecure()
	done := make(chan struct{})
	var clientErr error // read after done is closed
	go func() {
		defer close(done)
		clientErr = r.client.Run(clientCtx)
	}()
	var watch sync.WaitGroup
	watch.Go(func() { r.watchLag(clientCtx) })
	defer watch.Wait()
	defer cancel()

	var err error
	select {
	case <-ctx.Done():
	case <-r.stop:
	case err = <-r.failed:
	case <-done:
		err = clientErr
	}
	stopErr := r.shutDown(done) //nolint:contextcheck // ctx is over: the stop has a budget of its own
	if err == nil {
		err = stopErr
	}
	r.observer.Emit(observe.ShutdownEnded{Err: err})
	return err
}

// warnInsecure says what Config.AllowInsecure lets pass.
func (r *Runtime) warnInsecure() {
	if r.cfg.TLS == nil && r.cfg.SASL.Mechanism == saslPlain {
		r.observer.Emit(observe.Warned{What: "AllowInsecure: the password travels in plain text"})
	}
	if r.cfg.TLS != nil && r.cfg.TLS.InsecureSkipVerify {
		r.observer.Emit(observe.Warned{What: "AllowInsecure: the brokers' certificates are not verified"})
	}
}

// shutDown drains, commits, leaves and stops, within the ShutdownTimeout.
func (r *Runtime) shutDown(done <-chan struct{}) error {
	r.stopOnce.Do(func() { close(r.stop) })
	until := time.Now().Add(r.cfg.ShutdownTimeout)
	r.observer.Emit(observe.ShutdownBegan{})
	running, committed := r.drain(until.Add(-r.cfg.CommitTimeout - leaveTimeout))

	leave, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	if err := r.client.Leave(leave); err != nil {
		r.observer.Emit(observe.Warned{What: "the group could not be left; it takes the partitions back after the session timeout", Err: err})
	}
	r.client.Stop()
	timer := time.NewTimer(max(time.Until(until), leaveTimeout))
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		running = append(running, "the Kafka client")
	}
	r.engine.Stop()
	switch {
	case len(running) > 0:
		return fmt.Errorf("%w: still running: %s", ErrNotDrained, strings.Join(running, ", "))
	case !committed:
		return fmt.Errorf("%w: a call was cut off, or the last commit was not acknowledged", ErrNotDrained)
	}
	return nil
}

// drain gives what is in flight until the deadline, or until Shutdown's context ends.
func (r *Runtime) drain(until time.Time) ([]string, bool) {
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	r.mu.Lock()
	limit := r.limit
	r.mu.Unlock()
	if limit != nil {
		defer context.AfterFunc(limit, cancel)()
	}
	return r.engine.Drain(ctx)
}

// Ready is closed once the first assignment is being processed.
func (r *Runtime) Ready() <-chan struct{} { return r.ready }

// Shutdown makes Run drain and return, and waits for that. What still runs when ctx
// ends is canceled, with [actors.ErrShutdown]; Config.ShutdownTimeout bounds it all the
// same. It may be called at any time and more than once; before Run it makes Run return
// at once. From a hook call it on a goroutine of its own: it waits for the runtime, and
// the runtime for the hook.
//
// It returns ctx's error when ctx ended before Run returned, and nil otherwise: what Run
// returns is Run's to tell.
func (r *Runtime) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	if !r.running {
		r.over = true
		r.mu.Unlock()
		return nil
	}
	if r.limit == nil {
		r.limit = ctx
	}
	r.mu.Unlock()
	r.stopOnce.Do(func() { close(r.stop) })
	select {
	case <-r.ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// fail ends Run with err.
func (r *Runtime) fail(err error) {
	select {
	case r.failed <- err:
	default: // it ends already
	}
}

// stopping reports whether a stop has begun.
func (r *Runtime) stopping() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// lagInterval is how old the end of a partition's log may be in Stats. Ends come with
// fetches, so those of partitions that are not fetched are asked for.
const lagInterval = 10 * time.Second

func (r *Runtime) watchLag(ctx context.Context) {
	ticker := time.NewTicker(lagInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if tps := r.engine.Assignments(); len(tps) > 0 {
			ends, err := r.client.EndOffsets(ctx, tps)
			if err != nil && !errors.Is(err, context.Canceled) {
				r.observer.Emit(observe.Warned{What: "the ends of the logs could not be read; lag is that of the last sample", Err: err})
			}
			for _, end := range ends {
				r.engine.SawEnd(end.TP, end.LogEnd, end.At)
			}
		}
	}
}

func jitter() float64 { return rand.Float64() } //nolint:gosec // spaces retries, guards nothing
