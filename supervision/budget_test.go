package supervision_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/supervision"
)

func ExampleBudget() {
	p := supervision.Policy{MaxRestarts: 2, Within: time.Minute}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b supervision.Budget
	fmt.Println(b.Spend(now, p), b.Spend(now.Add(time.Second), p), b.Spend(now.Add(2*time.Second), p))
	fmt.Println(b.Spend(now.Add(time.Minute), p)) // the first counts no more
	b.Refill()
	fmt.Println(b.Spend(now.Add(time.Minute), p))
	// Output:
	// true true false
	// true
	// true
}

func TestBudgetCountsWithinThePeriod(t *testing.T) {
	t.Parallel()
	start := time.Unix(0, 0)
	p := supervision.Policy{MaxRestarts: 10, Within: 10 * time.Second}
	var b supervision.Budget
	for range 3 {
		b.Spend(start, p)
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 3}, {10*time.Second - 1, 3}, {10 * time.Second, 0}} {
		if got := b.Spent(start.Add(c.after), p.Within); got != c.want {
			t.Errorf("spent after %v: %d, want %d", c.after, got, c.want)
		}
	}
}

func TestBudgetRefusesAndDoesNotCountWhatItRefused(t *testing.T) {
	t.Parallel()
	p := supervision.Policy{MaxRestarts: 1, Within: time.Minute}
	now := time.Unix(0, 0)
	var b supervision.Budget
	b.Spend(now, p)
	for range 5 {
		if b.Spend(now.Add(time.Second), p) {
			t.Fatal("spent more than the budget")
		}
	}
	if got := b.Spent(now.Add(time.Second), p.Within); got != 1 {
		t.Errorf("spent %d, want 1", got)
	}
}

func TestBudgetUnlimitedRemembersABoundedNumber(t *testing.T) {
	t.Parallel()
	p := supervision.Policy{MaxRestarts: supervision.Unlimited, Within: time.Hour}
	now := time.Unix(0, 0)
	var b supervision.Budget
	for i := range 5000 {
		if !b.Spend(now.Add(time.Duration(i)), p) {
			t.Fatalf("restart %d refused", i)
		}
	}
	if got := b.Spent(now.Add(5000), p.Within); got != 1000 {
		t.Errorf("remembers %d restarts, want 1000", got)
	}
}

func TestBudgetAboveWhatUnlimitedRemembers(t *testing.T) {
	t.Parallel()
	p := supervision.Policy{MaxRestarts: 1500, Within: time.Hour}
	now := time.Unix(0, 0)
	var b supervision.Budget
	for i := range 1500 {
		if !b.Spend(now, p) {
			t.Fatalf("restart %d refused", i)
		}
	}
	if b.Spend(now, p) {
		t.Error("restart 1501 was allowed")
	}
}

// budgetModel keeps every restart there was.
type budgetModel struct{ spent []time.Time }

func (m *budgetModel) within(now time.Time, d time.Duration) int {
	n := 0
	for _, at := range m.spent {
		if at.Add(d).After(now) {
			n++
		}
	}
	return n
}

func TestBudgetAgainstAModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := supervision.Policy{
			MaxRestarts: rapid.OneOf(rapid.Just(supervision.Unlimited), rapid.IntRange(1, 6)).Draw(t, "max"),
			Within:      time.Duration(rapid.IntRange(1, 20).Draw(t, "within")),
		}
		now := time.Unix(0, 0)
		var b supervision.Budget
		var m budgetModel
		t.Repeat(map[string]func(*rapid.T){
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "wait")))
			},
			"spend": func(t *rapid.T) {
				want := p.MaxRestarts == supervision.Unlimited || m.within(now, p.Within) < p.MaxRestarts
				if want {
					m.spent = append(m.spent, now)
				}
				if got := b.Spend(now, p); got != want {
					t.Fatalf("Spend = %v, want %v", got, want)
				}
			},
			"refill": func(*rapid.T) {
				b.Refill()
				m.spent = nil
			},
			"": func(t *rapid.T) {
				if got, want := b.Spent(now, p.Within), m.within(now, p.Within); got != want {
					t.Fatalf("Spent = %d, want %d", got, want)
				}
			},
		})
	})
}
