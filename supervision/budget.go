package supervision

import (
	"slices"
	"time"
)

// Budget counts restarts within a sliding period. It belongs to one goroutine.
// The zero value is full.
type Budget struct {
	spent []time.Time // ascending; at most MaxRestarts+1 of them
}

// Spend counts a restart at now and reports whether p still allows it.
func (b *Budget) Spend(now time.Time, p Policy) bool {
	b.forget(now, p.Within)
	if p.MaxRestarts != Unlimited && len(b.spent) >= p.MaxRestarts {
		return false
	}
	const remembered = 1000 // enough for Failure.Restarts when there is no limit
	if len(b.spent) == remembered {
		b.spent = slices.Delete(b.spent, 0, 1)
	}
	b.spent = append(b.spent, now)
	return true
}

// Spent is the number of restarts counted within the period that ends at now.
func (b *Budget) Spent(now time.Time, within time.Duration) int {
	b.forget(now, within)
	return len(b.spent)
}

// Refill forgets all restarts: the child has made progress.
func (b *Budget) Refill() { b.spent = b.spent[:0] }

func (b *Budget) forget(now time.Time, within time.Duration) {
	old := 0
	for old < len(b.spent) && now.Sub(b.spent[old]) >= within {
		old++
	}
	b.spent = slices.Delete(b.spent, 0, old)
}
