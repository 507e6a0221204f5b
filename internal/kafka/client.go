package kafka

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

const (
	// pollFor bounds one poll, so that the loop of an idle topic turns too.
	pollFor = 5 * time.Second
	// warnEvery spaces warnings about one thing that goes on.
	warnEvery = 30 * time.Second
	// steady is how long a membership lasts that ends a row of rebuilds.
	steady = time.Minute
)

// A Client is one member of a consumer group, over any number of rebuilds: there is one
// kgo client at a time. It runs once. Its methods may be called by any goroutine, also
// from within the Handler.
type Client struct {
	opts   Options
	steps  failpoint.Steps
	h      Handler
	topics map[string]Topic

	ctx  context.Context //nolint:containedctx // ends with Stop
	stop context.CancelFunc

	turned, answered atomic.Pointer[time.Time]
	groupSession     atomic.Int64 // the session timeout that the brokers tell, ns; 0: they do not

	// calling holds a token while a method of h runs, but for Fetched. It is taken before
	// any lock. (A channel, not a mutex: it is held for long, and in a synctest bubble
	// the clock stands still while anybody waits for a mutex.)
	calling chan struct{}
	calls   sync.WaitGroup // calls that a callback of kgo's waits for; Run waits for them last

	mu     sync.Mutex
	cur    *member              // guarded by mu; nil between two
	epoch  observe.Epoch        // guarded by mu; the last one given out
	warned map[string]time.Time // guarded by mu; when each thing was warned about

	// shrinking has a token for each dead letter topic, which who sends a forward again that
	// was too large puts in. It is made with the first one, and guarded by mu.
	shrinking map[string]chan struct{}
}

// New makes a client that connects to nothing until Run. It refuses what CheckOpts,
// CheckDialer and CheckTogether refuse.
func New(opts Options, h Handler) (*Client, error) {
	if err := CheckOpts(opts.Extra); err != nil {
		return nil, err
	}
	if err := CheckDialer(opts.Extra, opts.TLS); err != nil {
		return nil, err
	}
	if err := CheckTogether(opts); err != nil {
		return nil, err
	}
	if opts.Logger == nil {
		opts.Logger = zap.NewNop()
	}
	opts.Logger = throttled(opts.Logger)
	if opts.Emit == nil {
		opts.Emit = func(observe.Event) {}
	}
	if opts.Lease == nil {
		opts.Lease = func(time.Time, time.Duration) {}
	}
	c := &Client{
		opts: opts, steps: failpoint.Steps{Of: opts.Owner}, h: h, topics: map[string]Topic{}, warned: map[string]time.Time{},
		calling: make(chan struct{}, 1), shrinking: map[string]chan struct{}{},
	}
	for _, t := range opts.Topics {
		c.topics[t.Name] = t
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c, nil
}

// Run describes the topics, asks what the protocol needs, joins the group and polls, until Stop, Leave or the end of
// ctx, when it returns nil, or until the client cannot go on: then the error is told to
// Handler.Failed and returned. It returns after everything it started has ended, which
// a Handler method that still runs can hold up.
func (c *Client) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer c.calls.Wait()
	defer context.AfterFunc(c.ctx, cancel)() //nolint:contextcheck // Stop's, not a caller's
	if err := c.Describe(ctx); err != nil {
		return c.failed(ctx, err)
	}
	if err := c.agree(ctx); err != nil {
		return c.failed(ctx, err)
	}
	var previous string // the id of the member before
	for rebuilds := 0; ; rebuilds++ {
		m, err := c.join(previous)
		if err != nil {
			return c.failed(ctx, err)
		}
		began := time.Now()
		cause, final := m.run(ctx)
		previous = m.left
		switch {
		case ctx.Err() != nil:
			return nil
		case final:
			return c.failed(ctx, cause)
		case time.Since(began) > steady:
			rebuilds = 0
		}
		if !c.sleep(ctx, backoff(rebuilds)) {
			return nil
		}
		c.opts.Emit(observe.Rejoined{Cause: cause})
	}
}

// failed tells the handler, unless the client is being stopped.
func (c *Client) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	c.calling <- struct{}{}
	defer func() { <-c.calling }()
	c.h.Failed(err)
	return err
}

// Stop ends Run without waiting for the group: the member stays in it until its session
// times out, unless Leave came first. Of the Handler only what runs already is waited
// for. Stop does not block and may be called more than once, also before Run.
func (c *Client) Stop() { c.stop() }

// Rebuild drops the kgo client and joins with a new one, after a backoff. The caller has
// fenced all partitions as lost: the handler hears nothing more of them. The old member
// is taken out of the group by the new one, so that the partitions need not wait for
// its session to end. It does not block; while nothing has been assigned since the last
// rebuild or loss it does nothing.
func (c *Client) Rebuild(cause error) {
	c.steps.Pass(failpoint.Rebuild)
	if m := c.member(); m != nil && m.holds() {
		m.end(cause, false)
	}
}

// Turned is when the poll loop last turned; zero before Run. It turns every 5 s at
// least, with or without records, and while the brokers are away.
func (c *Client) Turned() time.Time { return at(&c.turned) }

// Answered is when a broker last answered any request; zero before the first answer.
func (c *Client) Answered() time.Time { return at(&c.answered) }

func at(p *atomic.Pointer[time.Time]) time.Time {
	if t := p.Load(); t != nil {
		return *t
	}
	return time.Time{}
}

func (c *Client) turn() {
	now := time.Now()
	c.turned.Store(&now)
}

func (c *Client) member() *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cur
}

func (c *Client) nextEpoch() observe.Epoch {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	return c.epoch
}

// warn reports what is wrong and goes on, at most every 30 s for one thing.
func (c *Client) warn(what string, err error) {
	c.mu.Lock()
	now := time.Now()
	last, ok := c.warned[what]
	silent := ok && now.Sub(last) < warnEvery
	if !silent {
		c.warned[what] = now
	}
	c.mu.Unlock()
	if !silent {
		c.opts.Emit(observe.Warned{What: what, Err: err})
	}
}

// sleep waits, in steps that keep Turned young, and reports whether ctx is still alive.
func (c *Client) sleep(ctx context.Context, d time.Duration) bool {
	c.turn()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		c.turn()
		return true
	}
}

// backoff doubles from 100 ms to 5 s.
func backoff(tries int) time.Duration {
	return min(100*time.Millisecond<<min(tries, 10), pollFor)
}
