package actors_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
)

var errCard = errors.New("card declined")

func ExampleRetryAfter() {
	fmt.Println(actors.RetryAfter(time.Minute, errors.New("bank is closed")))
	// Output: retry after 1m0s: bank is closed
}

func ExampleSnooze() {
	fmt.Println(actors.Snooze(time.Hour))
	// Output: snoozed for 1h0m0s
}

func ExampleDiscard() {
	fmt.Println(actors.Discard(errors.New("no such account")))
	// Output: discarded: no such account
}

func ExampleHeartbeat() {
	transcode := func(ctx context.Context, frames int) error {
		for range frames {
			if err := actors.Heartbeat(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	ctx := actors.WithHeartbeat(context.Background(), func() { fmt.Println("beat") })
	fmt.Println(transcode(ctx, 2))
	// Output:
	// beat
	// beat
	// <nil>
}

func TestOutcomesAreFoundWhenWrapped(t *testing.T) {
	t.Parallel()
	wrap := func(err error) error { return fmt.Errorf("order 7: %w", errors.Join(errors.New("also"), err)) }

	var retry *actors.RetryError
	if err := wrap(actors.RetryAfter(time.Second, errCard)); !errors.As(err, &retry) || retry.After != time.Second || !errors.Is(err, errCard) {
		t.Errorf("retry: %v", err)
	}
	var snooze *actors.SnoozeError
	if err := wrap(actors.Snooze(time.Minute)); !errors.As(err, &snooze) || snooze.After != time.Minute {
		t.Errorf("snooze: %v", err)
	}
	var discard *actors.DiscardError
	if err := wrap(actors.Discard(errCard)); !errors.As(err, &discard) || !errors.Is(err, errCard) {
		t.Errorf("discard: %v", err)
	}
}

func TestOutcomesAreNotEachOther(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"retry": actors.RetryAfter(0, errCard), "snooze": actors.Snooze(0), "discard": actors.Discard(errCard), "none": errCard} {
		var (
			retry   *actors.RetryError
			snooze  *actors.SnoozeError
			discard *actors.DiscardError
		)
		got := map[string]bool{"retry": errors.As(err, &retry), "snooze": errors.As(err, &snooze), "discard": errors.As(err, &discard), "none": false}
		for kind, is := range got {
			if want := kind == name; is != want && kind != "none" {
				t.Errorf("%s is %s: %v, want %v", name, kind, is, want)
			}
		}
	}
}

func TestNegativeWaitsAreZero(t *testing.T) {
	t.Parallel()
	var retry *actors.RetryError
	if err := actors.RetryAfter(-1, errCard); !errors.As(err, &retry) || retry.After != 0 {
		t.Errorf("retry: %v", err)
	}
	var snooze *actors.SnoozeError
	if err := actors.Snooze(-time.Hour); !errors.As(err, &snooze) || snooze.After != 0 {
		t.Errorf("snooze: %v", err)
	}
}

func TestOutcomesWithoutAnErrorWithin(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"retry after 1s: <nil>": actors.RetryAfter(time.Second, nil),
		"discarded: <nil>":      actors.Discard(nil),
		"retry after 0s: <nil>": &actors.RetryError{},
		"snoozed for 0s":        &actors.SnoozeError{},
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if inner := errors.Unwrap(err); inner != nil {
			t.Errorf("%q wraps %v, want nothing", want, inner)
		}
	}
}

func TestCausesAreDistinct(t *testing.T) {
	t.Parallel()
	causes := []error{actors.ErrRevoked, actors.ErrLost, actors.ErrTimeout, actors.ErrRestart, actors.ErrShutdown}
	for i, a := range causes {
		for j, b := range causes {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("errors.Is(%q, %q) = %v", a, b, i != j)
			}
		}
	}
}

func TestHeartbeatOutsideADelivery(t *testing.T) {
	t.Parallel()
	if err := actors.Heartbeat(t.Context()); err == nil {
		t.Error("no error outside a delivery")
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(actors.ErrRevoked)
	if err := actors.Heartbeat(ended); err == nil || errors.Is(err, actors.ErrRevoked) {
		t.Errorf("got %v, want that there is no delivery", err)
	}
}

func TestHeartbeatBeatsAndReturnsTheCause(t *testing.T) {
	t.Parallel()
	beats := 0
	ctx, cancel := context.WithCancelCause(t.Context())
	ctx = actors.WithHeartbeat(ctx, func() { beats++ })
	child, stop := context.WithCancel(ctx) // a behavior may derive contexts
	defer stop()
	for range 3 {
		if err := actors.Heartbeat(child); err != nil {
			t.Fatalf("heartbeat during the delivery: %v", err)
		}
	}
	if beats != 3 {
		t.Errorf("%d beats, want 3", beats)
	}
	cancel(actors.ErrTimeout)
	if err := actors.Heartbeat(child); !errors.Is(err, actors.ErrTimeout) {
		t.Errorf("got %v, want %v", err, actors.ErrTimeout)
	}
}

func TestHeartbeatGoesToTheInnermostDelivery(t *testing.T) {
	t.Parallel()
	var beats []string
	ctx := actors.WithHeartbeat(t.Context(), func() { beats = append(beats, "outer") })
	ctx = actors.WithHeartbeat(ctx, func() { beats = append(beats, "inner") })
	if err := actors.Heartbeat(ctx); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(beats); got != "[inner]" {
		t.Errorf("beats %s, want [inner]", got)
	}
}
