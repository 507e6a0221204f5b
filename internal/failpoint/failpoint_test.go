//go:build failpoints

package failpoint_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/troupe-go/troupe/internal/failpoint"
)

// Points of the tests alone, so that they may run beside each other.
const (
	order   failpoint.Point = "test:order"
	failing failpoint.Point = "test:failing"
	removed failpoint.Point = "test:removed"
)

func TestFunctionsRunInOrderWithTheOwner(t *testing.T) {
	t.Parallel()
	owner := new(int)
	var said []string
	say := func(what string) func(any) error {
		return func(of any) error {
			if of != owner {
				t.Errorf("%s: got owner %v, want %v", what, of, owner)
			}
			said = append(said, what)
			return nil
		}
	}
	defer failpoint.SetOf(order, say("first"))()
	defer failpoint.SetOf(order, say("second"))()
	before := failpoint.Hits(order)
	if err := (failpoint.Steps{Of: owner}).Hit(order); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	if want := []string{"first", "second"}; !slices.Equal(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
	if got := failpoint.Hits(order) - before; got != 1 {
		t.Errorf("got %d hits, want 1", got)
	}
}

func TestTheFirstErrorCounts(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	defer failpoint.Set(failing, func() error { return broken })()
	defer failpoint.Set(failing, func() error { t.Error("ran behind an error"); return nil })()
	if err := (failpoint.Steps{}).Hit(failing); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestAResetTakesItsOwnFunctionAlone(t *testing.T) {
	t.Parallel()
	ran := 0
	count := func() error { ran++; return nil }
	reset := failpoint.Set(removed, count)
	defer failpoint.Set(removed, count)()
	reset()
	reset()
	failpoint.Steps{}.Pass(removed)
	if ran != 1 {
		t.Errorf("%d functions ran, want the one that is left", ran)
	}
}

func TestTheListIsWhole(t *testing.T) {
	t.Parallel()
	var listed []string
	for _, p := range failpoint.Points() {
		listed = append(listed, string(p))
	}
	if want := declared(t); !slices.Equal(listed, want) {
		t.Errorf("Points lists\n%q\nand declared are\n%q", listed, want)
	}
}
