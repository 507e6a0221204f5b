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
// The hooks do not see what an answer says. A broker that is not the coordinator answers
// kgo's heartbeats, too, while the session runs at the group. And from when a join is
// written until its sync is answered kgo sends none: the group keeps a member whose join it
// holds, but the member cannot tell that from a join that was lost, or answered in vain. So
// in a classic group the member sends heartbeats of its own (beats), and only what the group
// answers to those, and the first answer to a sync, renew the lease. Under KIP-848 kgo's
// count: a second sender could take an assignment from kgo.
type lease struct {
	rebalance time.Duration
	session   func() time.Duration // of this moment: under KIP-848 it can change
	classic   func()               // told of a classic join where there must be none; nil: they are fine
	owner     any                  // whose wall clock it is
	renew     func(sent time.Time, ttl time.Duration)
	answered  func(time.Time)

	commits atomic.Int64 // OffsetCommit requests written so far

	mu      sync.Mutex
	joining bool      // a JoinGroup was written since the last answered sync
	until   time.Time // what the last renewal is good for
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
	l.joining = true
	// A group that does not get the join ends the rebalance without this member.
	if written := wallclock.Now(l.owner).Add(-took); written.Add(l.rebalance).Before(l.until) {
		l.set(written, l.rebalance)
	}
}

// OnBrokerE2E sees an answer come.
func (l *lease) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	if e2e.Err() != nil {
		return
	}
	now := wallclock.Now(l.owner)
	l.answered(now)
	sent := now.Add(-e2e.DurationE2E())
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case key == keySyncGroup && l.joining: // the group has just answered the join
		l.joining = false
		l.set(sent, l.session())
	case key == keyGroupHeartbeat:
		l.set(sent, l.session())
	}
}

// set renews. The caller holds l.mu.
func (l *lease) set(sent time.Time, ttl time.Duration) {
	l.until = sent.Add(ttl)
	l.renew(sent, ttl)
}

// extend renews for a request to which the group has said that the member is in it.
func (l *lease) extend(sent time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(sent, l.session())
}

// end says that the group does not know the member any more.
func (l *lease) end(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(now, 0)
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
