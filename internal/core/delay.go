package core

import (
	"math"
	"time"
)

const perMilli = int64(time.Millisecond)

// due is when a record of a delayed topic may be handed over, in nanoseconds since
// the epoch. Without a timestamp the delay runs from now; one further ahead than
// MaxSkew is taken as now + MaxSkew. Sums stop at never.
func (m *Machine) due(now time.Time, r *Record, out []Effect) (int64, []Effect) {
	from := now.UnixNano()
	limit := plus(from, m.cfg.MaxSkew)
	switch {
	case r.Timestamp < 0:
	case r.Timestamp > limit/perMilli:
		from = limit
		if !m.skewed {
			m.skewed = true
			out = append(out, &SkewCapped{Record: *r})
		}
	default:
		from = r.Timestamp * perMilli
	}
	return plus(from, m.cfg.Delay), out
}

// plus adds a duration to a time after the epoch, up to never.
func plus(at int64, d time.Duration) int64 {
	if at > math.MaxInt64-int64(d) {
		return never
	}
	return at + int64(d)
}
