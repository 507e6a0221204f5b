package engine

import (
	goruntime "runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/wallclock"
)

// fence is passed before each delivery. A lane stores its claim in the hand-over
// first and loads the fence then; who raises the fence waits for claims to settle.
// So either the lane sees the raised fence, or its start came before the raise
// returned. The other way round (load, then start) a lane that was interrupted
// between the two would start after the callback had returned. It is never lowered.
type fence struct{ up atomic.Bool }

func (f *fence) raise() { f.up.Store(true) }

func (f *fence) raised() bool { return f.up.Load() }

// settle waits until no lane of a stands between its claim and its start, and no commit
// past the fence that was not told of. A claim is a few instructions long, so this
// spins; a hook that hangs inside a claim is not waited for. Hooks hear of commits on
// goroutines of their own, which takes longer.
func (a *assignment) settle() {
	const patience = 100 * time.Millisecond
	begun, spun := time.Now(), 0
	for i := range a.slots {
		for ho := a.slots[i].Load(); ho != nil && ho.phase() == claiming; ho = a.slots[i].Load() {
			if time.Since(begun) > patience {
				return
			}
			spun = spin(spun)
		}
	}
	for a.sending.Load() > 0 && time.Since(begun) <= patience {
		time.Sleep(time.Millisecond)
	}
}

// spin lets a moment pass: at first as long as a claim takes. One that hangs is waited for
// asleep, since in a bubble the clock stands still while anybody spins.
func spin(spun int) int {
	const spins = 1000
	if spun < spins {
		goruntime.Gosched()
		return spun + 1
	}
	time.Sleep(time.Millisecond)
	return spun
}

// lease is the time until which the group session is known to live. A process that
// was frozen past it starts nothing when it goes on, since every claim looks at the
// clock. The monotonic clock stands still while a machine is suspended, so the wall
// clock is looked at too, by check. Once run out, a lease stays so until an
// assignment opens it again: a late answer of an old heartbeat must not.
type lease struct {
	owner    any // whose wall clock it is
	base     time.Time
	deadline atomic.Int64 // nanoseconds since base on the monotonic clock
	wall     atomic.Int64 // nanoseconds since the epoch
	expired  atomic.Bool

	mu        sync.Mutex
	sent      time.Time // guarded by mu: when the latest request left that renewed it
	candidate time.Time // guarded by mu: the deadline that this one gave
}

func (l *lease) init(owner any) {
	l.owner, l.base = owner, wallclock.Now(owner)
	l.expired.Store(true)
}

// renew says that the session is good for ttl from sent on. The request that left last
// counts, also when its deadline is the earlier one: the session can become shorter, or a
// rebalance timeout that is shorter begin. Zero: the group does not know the member any
// more. Answers may come in another order.
func (l *lease) renew(sent time.Time, ttl time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if sent.Before(l.sent) {
		return
	}
	l.sent, l.candidate = sent, sent.Add(ttl)
	if l.check(wallclock.Now(l.owner)) {
		l.set(l.candidate)
	}
}

// open begins a lease with what the last answer gave. Where partitions are held, it is
// theirs too, and what a lane of theirs has seen holds: it waits for the loss.
func (l *lease) open(held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set(l.candidate)
	if !held {
		l.expired.Store(false)
	}
}

func (l *lease) set(until time.Time) {
	l.deadline.Store(int64(until.Sub(l.base)))
	l.wall.Store(until.UnixNano())
}

// valid is the look at the clock before a start.
func (l *lease) valid() bool {
	if int64(wallclock.Since(l.owner, l.base)) < l.deadline.Load() && !l.expired.Load() {
		return true
	}
	l.expired.Store(true)
	return false
}

// check is valid, on both clocks.
func (l *lease) check(now time.Time) bool {
	if now.UnixNano() >= l.wall.Load() {
		l.expired.Store(true)
	}
	return l.valid()
}

// left is how long the lease is still good for.
func (l *lease) left() time.Duration {
	return time.Duration(l.deadline.Load()) - wallclock.Since(l.owner, l.base)
}
