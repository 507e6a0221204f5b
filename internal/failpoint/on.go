//go:build failpoints

package failpoint

import (
	"slices"
	"sync"
)

// Enabled says whether the tag is set.
const Enabled = true

// table is what tests have put where.
type table struct {
	mu   sync.Mutex
	hits map[Point]int                   // guarded by mu
	set  map[Point][]*func(of any) error // guarded by mu; a slice is never changed in place
}

var global = table{hits: map[Point]int{}, set: map[Point][]*func(any) error{}} //nolint:gochecknoglobals // a step knows no test

// Set puts f at p, for every runtime of the process, and returns what takes it away again.
func Set(p Point, f func() error) func() {
	return SetOf(p, func(any) error { return f() })
}

// SetOf is Set for an f that wants to know whose step it is: of is the *runtime.Runtime.
// Tests that run beside each other put functions at the same point, and each acts on
// the runtimes of its own alone. The functions of a point run one after the other, in
// the order in which they were set, up to the first that returns an error.
func SetOf(p Point, f func(of any) error) func() {
	return global.add(p, &f)
}

// Points are all there are, in the order in which a record meets them.
func Points() []Point {
	return []Point{
		Poll, Polled, Seek, Pause, Filled, Joined, Start, Assigned, Spawn, Machine, Enter, HandOver, Begin, Claim,
		End, Report, Reported, Expire, Freed, WakeUp, Tick, Lease, Line, Flush, Send, Answer, Committed, Revoke, Drain,
		Drained, Close, Fence, Lose, Rebuild, Leave, Forward, Produced, Forwarded, Restart, Make, Stop, Escalate,
		Resume,
	}
}

// Hits is how often p was hit since the process began, with and without a function there.
func Hits(p Point) int {
	global.mu.Lock()
	defer global.mu.Unlock()
	return global.hits[p]
}

func hit(p Point, of any) error {
	for _, f := range global.hit(p) {
		if err := (*f)(of); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) add(p Point, f *func(any) error) func() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set[p] = append(slices.Clip(t.set[p]), f)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.set[p] = slices.DeleteFunc(slices.Clone(t.set[p]), func(g *func(any) error) bool { return g == f })
	}
}

func (t *table) hit(p Point) []*func(any) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hits[p]++
	return t.set[p]
}
