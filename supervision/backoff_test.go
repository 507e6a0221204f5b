package supervision_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/supervision"
)

func ExampleBackoff_Delay() {
	b := supervision.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}
	fmt.Println(b.Delay(1, 0), b.Delay(2, 0), b.Delay(2, 0.5), b.Delay(100, 0))
	// Output: 100ms 200ms 100ms 30s
}

func TestDelay(t *testing.T) {
	t.Parallel()
	const most = time.Duration(math.MaxInt64)
	almostOne := math.Nextafter(1, 0)
	for _, c := range []struct {
		name   string
		b      supervision.Backoff
		n      int
		jitter float64
		want   time.Duration
	}{
		{"first", supervision.Backoff{Min: 3, Max: 100}, 1, 0, 3},
		{"doubles", supervision.Backoff{Min: 3, Max: 100}, 3, 0, 12},
		{"is capped", supervision.Backoff{Min: 3, Max: 10}, 3, 0, 10},
		{"constant", supervision.Backoff{Min: 7, Max: 7}, 9, 0, 7},
		{"jitter", supervision.Backoff{Min: 1000, Max: 1000}, 1, 0.25, 750},
		{"is never 0", supervision.Backoff{Min: 1, Max: 1}, 1, almostOne, 1},
		{"try 0 is the first", supervision.Backoff{Min: 3, Max: 100}, 0, 0, 3},
		{"no overflow on doubling", supervision.Backoff{Min: most/2 + 1, Max: most}, 2, 0, most},
		{"no overflow of floats", supervision.Backoff{Min: most, Max: most}, 1, 0, most},
		{"min above max", supervision.Backoff{Min: 10, Max: 5}, 4, 0, 5},
		{"zero value", supervision.Backoff{}, 3, 0.5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.b.Delay(c.n, c.jitter); got != c.want {
				t.Errorf("Delay(%d, %v) of %+v = %d, want %d", c.n, c.jitter, c.b, got, c.want)
			}
		})
	}
}

// TestDelayEnds: the last try that there is takes no longer than the first. On a wrong
// loop, which would take years, the test fails instead of the whole run.
func TestDelayEnds(t *testing.T) {
	t.Parallel()
	for _, b := range []supervision.Backoff{{Min: 3, Max: 10}, {Min: 7, Max: 7}, {Min: 0, Max: 5}} {
		t.Run(fmt.Sprint(b), func(t *testing.T) {
			t.Parallel()
			got := make(chan time.Duration, 1)
			go func() { got <- b.Delay(math.MaxInt, 0) }()
			select {
			case d := <-got:
				if want := b.Delay(100, 0); d != want {
					t.Errorf("%d, want %d", d, want)
				}
			case <-time.After(10 * time.Second):
				t.Error("it counts the tries one by one")
			}
		})
	}
}

func TestDelayStaysWithinItsBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawBackoff(t)
		n := rapid.IntRange(1, 200).Draw(t, "n")
		got := b.Delay(n, rapid.Float64Range(0, math.Nextafter(1, 0)).Draw(t, "jitter"))
		if got <= 0 || got > b.Max {
			t.Fatalf("%d is not in (0, %d]", got, b.Max)
		}
		if full := b.Delay(n, 0); got > full {
			t.Fatalf("%d with jitter, %d without", got, full)
		}
	})
}

func TestDelayDoublesToItsCap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawBackoff(t)
		want := b.Min
		for n := range 70 {
			if got := b.Delay(n+1, 0); got != want {
				t.Fatalf("try %d: %d, want %d", n+1, got, want)
			}
			if want > b.Max/2 {
				want = b.Max
			} else {
				want *= 2
			}
		}
		if want != b.Max {
			t.Fatalf("%d after 70 tries, want %d", want, b.Max)
		}
	})
}

func TestDelayFallsWithJitter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := drawBackoff(t)
		n := rapid.IntRange(1, 70).Draw(t, "n")
		less := rapid.Float64Range(0, 0.99).Draw(t, "less")
		more := rapid.Float64Range(less, 0.99).Draw(t, "more")
		if a, b := b.Delay(n, less), b.Delay(n, more); a < b {
			t.Fatalf("%d with less jitter, %d with more", a, b)
		}
	})
}

func drawBackoff(t *rapid.T) supervision.Backoff {
	least := rapid.Int64Min(1).Draw(t, "min")
	most := rapid.Int64Min(least).Draw(t, "max")
	return supervision.Backoff{Min: time.Duration(least), Max: time.Duration(most)}
}
