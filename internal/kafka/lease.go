package kafka

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/wallclock"
)

// The requests that keep a member in its group, and the one that is counted.
const (
	keyOffsetCommit   = 8
	keyJoinGroup      = 11
	keyHeartbeat      = 12
	keySyncGroup      = 14
	keyGroupHeartbeat = 68 // KIP-848: it joins, keeps and leaves; kgo does not send it in a classic group
)

// lease watches the requests of a membership and says until when the group session is
// known to live. Its methods are kgo's hooks, called by any goroutine.
//
// While a join is pending kgo sends no heartbeat and the brokers expect none, up to the
// rebalance timeout; the session runs from their answer on. A process that is awake and has
// no answer takes it that there is none yet, so each look (awake) is good for a session. One
// that was frozen does not know when the answer came, and has the rest of its last look.
// Only the first join after an answer counts, since a member that is cut off goes on
// writing joins that nobody reads.
type lease struct {
	rebalance time.Duration
	session   func() time.Duration // of this moment: under KIP-848 it can change
	classic   func()               // told of a classic join where there must be none; nil: they are fine
	owner     any                  // whose wall clock it is
	renew     func(sent time.Time, ttl time.Duration)
	answered  func(time.Time)

	commits atomic.Int64 // OffsetCommit requests written so far

	mu      sync.Mutex
	joining bool      // a JoinGroup was written since the last answered heartbeat or sync
	waits   bool      // no answer came since it was written
	joined  time.Time // when it was sent
}

// OnBrokerWrite sees a request leave.
func (l *lease) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, took time.Duration, err error) {
	if key == keyOffsetCommit {
		l.commits.Add(1) // also when it failed: part of it may have left
	}
	if key != keyJoinGroup || err != nil {
		return
	}
	if l.classic != nil {
		l.classic()
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits {
		return
	}
	l.joining, l.waits, l.joined = true, true, wallclock.Now(l.owner).Add(-took)
	l.pending(l.joined)
}

// pending renews for a join that is not answered at a time. The caller holds l.mu.
func (l *lease) pending(at time.Time) {
	if left := l.joined.Add(l.rebalance).Sub(at); left > 0 {
		l.renew(at, min(left, l.session()))
	}
}

// awake is a look of the poll loop, which turns every pollFor at least.
func (l *lease) awake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waits {
		l.pending(wallclock.Now(l.owner))
	}
}

// OnBrokerE2E sees an answer come. It does not know what the answer says.
func (l *lease) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if e2e.Err() != nil {
		return
	}
	now := wallclock.Now(l.owner)
	l.answered(now)
	sent := now.Add(-e2e.DurationE2E())
	l.mu.Lock()
	defer l.mu.Unlock()
	switch key {
	case keyJoinGroup:
		l.waits = false // the last look at it counts until the sync is answered
	case keyHeartbeat, keySyncGroup, keyGroupHeartbeat:
		l.joining, l.waits = false, false
		l.renew(sent, l.session())
	}
}

// rebalancing reports whether a join or sync is under way.
func (l *lease) rebalancing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.joining
}

var (
	_ kgo.HookBrokerE2E   = (*lease)(nil)
	_ kgo.HookBrokerWrite = (*lease)(nil)
)
