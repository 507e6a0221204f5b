package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// member is one kgo client and its membership in the group. Run's goroutine is its poll
// goroutine; kgo's goroutines call its callbacks, one at a time, and its hooks.
type member struct {
	c      *Client
	cl     *kgo.Client
	gate   *gate
	lease  *lease
	ctx    context.Context //nolint:containedctx // the kgo client's own; ends with end
	cancel context.CancelFunc
	wg     sync.WaitGroup // repairs, leavePrevious, and watchSession or beats
	wake   chan struct{}  // to repairs; capacity 1: one wake-up is as good as many

	relieved chan struct{} // to breathe; capacity 1, as wake

	committing chan struct{} // holds a token while a commit is under way
	before     string        // the member id to take out of the group; empty: none
	left       string        // set by run: the member id to take out of the group next

	mu    sync.Mutex
	over  bool // no callback does anything any more
	cause error
	final bool
	id    string // the member id of the assignments held; empty: nothing was assigned
	told  bool   // the handler has heard of an assignment
	ids   map[string][16]byte
	parts map[observe.TopicPartition]*partition
	asks  []ask

	refusedID time.Time // the poll goroutine's: since when the group holds the instance id

	refusals int // authentications refused in a row
	refusal  time.Time
}

// A client is ended by this many refused authentications, each within refusedWithin of
// the one before: a password that is being rotated is refused for a moment.
const (
	refusedTimes  = 5
	refusedWithin = 30 * time.Second
)

// refused counts them.
func (m *member) refused(err error) {
	m.mu.Lock()
	now := time.Now()
	if now.Sub(m.refusal) > refusedWithin {
		m.refusals = 0
	}
	m.refusals++
	m.refusal = now
	over := m.refusals >= refusedTimes
	m.mu.Unlock()
	if over {
		m.end(typed(err), true)
	}
}

// partition is one that is assigned. member.mu guards it.
//
// Invariant: once begun, next is the first offset that was not handed over under gen.
type partition struct {
	tp      observe.TopicPartition
	epoch   observe.Epoch
	gen     uint32
	next    int64
	begun   bool   // the handler was told of it
	inDoubt bool   // the broker may yet store a commit of its start
	text    string // what came with its commit line; until it begins
	paused  bool   // Pause asked for it
	stopped bool   // by a gap, until Seek
	seeks   int    // asked for and not done
	applied bool   // kgo does not fetch it
	full    bool   // PauseSoon asked for a pause that has not begun
	slow    bool   // it was not relieved within a breath
	fullAt  time.Time
	tries   int // repairs since records were last fetched
	trouble *trouble
}

// held reports whether the partition must not be fetched.
func (p *partition) held() bool { return p.paused || p.stopped || p.trouble != nil || p.seeks > 0 }

// join makes the next member. before is the one that it replaces.
func (c *Client) join(before string) (*member, error) {
	m := &member{
		c: c, gate: newGate(), wake: make(chan struct{}, 1), relieved: make(chan struct{}, 1), committing: make(chan struct{}, 1), before: before,
		ids: map[string][16]byte{}, parts: map[observe.TopicPartition]*partition{},
	}
	m.lease = &lease{
		session: c.session, rebalance: c.opts.RebalanceTimeout,
		owner: c.opts.Owner, renew: c.opts.Lease, answered: func(t time.Time) { c.answered.Store(&t) },
	}
	if c.opts.Protocol == Consumer {
		m.lease.classic = func() { m.end(ErrGroupProtocol, true) }
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	opts, err := c.opts.connection(m.refused)
	if err != nil {
		m.cancel()
		return nil, err
	}
	opts = append(opts, c.opts.membership()...)
	opts = append(opts,
		kgo.WithContext(m.ctx),
		kgo.WithHooks(m, m.lease),
		kgo.OnPartitionsAssigned(m.onAssigned),
		kgo.OnPartitionsRevoked(m.onRevoked),
		kgo.OnPartitionsLost(m.onLost),
		kgo.OnOffsetsFetched(m.onFetched),
		kgo.AdjustFetchOffsetsFn(m.adjust),
	)
	if _, err := kgo.NewClient(opts...); err != nil {
		m.cancel()
		return nil, err
	}
	return m, nil
}

// OnNewClient is kgo's hook: it comes before any goroutine that could use m.cl, and so
// before the first callback. What the handler does there, a Pause or a Rebuild say, finds
// the member: set after NewClient had returned, it was missed now and then.
func (m *member) OnNewClient(cl *kgo.Client) {
	m.cl = cl
	m.c.mu.Lock()
	defer m.c.mu.Unlock()
	m.c.cur = m
}

// run polls until the member is over, closes it, and returns why, and whether the
// client cannot go on.
func (m *member) run(ctx context.Context) (error, bool) { //nolint:revive // the error is a result, not a failure of run
	defer context.AfterFunc(ctx, func() { m.end(errStopped, false) })()
	m.wg.Go(m.repairs)
	if m.before != "" {
		m.wg.Go(m.leavePrevious)
	}
	if m.c.opts.Protocol == Consumer {
		m.wg.Go(m.watchSession)
	} else {
		m.wg.Go(m.beats)
	}
	for m.turn() { //nolint:contextcheck // the member's own ends its polls
	}
	m.c.mu.Lock()
	m.c.cur = nil
	m.c.mu.Unlock()
	if m.c.opts.InstanceID == "" || m.c.opts.Protocol == Consumer {
		m.left, _ = m.cl.GroupMetadata()
	}
	m.cancel()
	m.cl.Close() // waits for callbacks, which wait for nothing now
	m.wg.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cause, m.final
}

// turn seeks, polls and hands over. It reports false when the member is over.
func (m *member) turn() bool {
	ctx, ok := m.gate.enter(m.ctx, pollFor)
	if !ok {
		return false
	}
	defer m.gate.leave()
	m.c.turn()
	m.seekAll()
	m.breathe(ctx.Done())
	if m.c.steps.Hit(failpoint.Poll) != nil {
		<-ctx.Done()
		return true
	}
	m.hand(m.cl.PollFetches(ctx))
	return true
}

// end makes the member over: its callbacks do nothing from now on, and run closes it.
// The first cause counts. It does not block.
func (m *member) end(cause error, final bool) {
	m.quiet(cause, final)
	m.gate.close()
	m.cancel()
}

// quiet keeps the handler from hearing anything more, and leaves the client alive.
func (m *member) quiet(cause error, final bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return
	}
	m.over, m.cause, m.final = true, cause, final
	clear(m.parts)
	m.asks = nil
}

// holds reports whether partitions were assigned and not lost.
func (m *member) holds() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id != "" && !m.over
}

// tell calls f, one of the handler's methods, unless the member is over.
func (m *member) tell(f func()) {
	m.c.calling <- struct{}{}
	defer func() { <-m.c.calling }()
	m.mu.Lock()
	over := m.over
	m.mu.Unlock()
	if !over {
		f()
	}
}

// sync makes kgo fetch p or not. The caller holds m.mu.
func (m *member) sync(p *partition) {
	if p.held() == p.applied {
		return
	}
	p.applied = p.held()
	tp := map[string][]int32{p.tp.Topic: {p.tp.Partition}}
	if p.applied {
		m.cl.PauseFetchPartitions(tp)
	} else {
		m.cl.ResumeFetchPartitions(tp)
	}
}
