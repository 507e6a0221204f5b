package supervision

import (
	"slices"
	"time"
)

// Budget counts restarts within a sliding period. It belongs to one goroutine, and
// its times must not go backwards. The zero value is full.
type Budget struct {
	spent []time.Time // ascending; at most MaxRestarts of them, or remembered
}

// remembered is how many restarts are kept for Failure.Restarts where they have no limit.
const remembered = 1000

// Spend reports whether p, whose fields are set, allows a restart at now, and counts
// it if so. A restart counts until Within has passed since.
func (b *Budget) Spend(now time.Time, p Policy) bool {
	b.forget(now, p.Within)
	if p.MaxRestarts != Unlimited && len(b.spent) >= p.MaxRestarts {
		return false
	}
	if p.MaxRestarts == Unlimited && len(b.spent) == remembered {
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
