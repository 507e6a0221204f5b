//go:build failpoints

package wallclock

import (
	"sync"
	"time"
	"unsafe"
)

// jumps are the sums of what the clocks jumped, by runtime.
var jumps = struct { //nolint:gochecknoglobals // a reader of a clock knows no test
	sync.RWMutex

	by map[any]time.Duration // guarded by RWMutex; whole seconds
}{by: map[any]time.Duration{}}

// Jump lets the wall clock of a runtime jump by d, which is a whole number of seconds.
func Jump(of any, d time.Duration) {
	jumps.Lock()
	defer jumps.Unlock()
	jumps.by[of] += d.Truncate(time.Second)
}

// Forget lets a runtime's clock go right again.
func Forget(of any) {
	jumps.Lock()
	defer jumps.Unlock()
	delete(jumps.by, of)
}

func jumped(of any) time.Duration {
	jumps.RLock()
	defer jumps.RUnlock()
	return jumps.by[of]
}

// Now is the time by the wall clock of a runtime, with a monotonic reading that no jump
// changes.
func Now(of any) time.Time {
	t := time.Now()
	read(&t)
	shift(&t, jumped(of))
	return t
}

// Since is how long ago t was: on the monotonic clock where t has a reading of it.
func Since(of any, t time.Time) time.Duration { return Now(of).Sub(t) }

// Until is how long it is until t: on the monotonic clock where t has a reading of it.
func Until(of any, t time.Time) time.Duration { return t.Sub(Now(of)) }

// layout is time.Time's: wall holds a flag that there is a monotonic reading, 33 bits
// of seconds since 1885 and 30 bits of nanoseconds; ext is the reading, or seconds since
// year 1 where there is none.
type layout struct {
	wall uint64
	ext  int64
	loc  *time.Location
}

const (
	hasReading = 1 << 63
	secondsAt  = 30
	toSeconds  = 62135596800 - 59453308800 // from 1885 to 1970
)

// read gives t the monotonic reading that it lacks in a bubble: there the one clock is
// monotonic.
func read(t *time.Time) {
	l := (*layout)(unsafe.Pointer(t))
	if l.wall&hasReading != 0 {
		return
	}
	ns := t.UnixNano()
	l.wall = hasReading | uint64(t.Unix()+toSeconds)<<secondsAt | uint64(t.Nanosecond())
	l.ext = ns
}

// shift moves t on the wall clock alone.
func shift(t *time.Time, by time.Duration) {
	l := (*layout)(unsafe.Pointer(t))
	l.wall += uint64(int64(by/time.Second)) << secondsAt //nolint:gosec // two's complement: it may go back
}
