package runtimetest_test

import (
	"context"
	"errors"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtimetest"
)

var errBank = errors.New("bank is closed")

func behavior(f func(ctx context.Context, rec *actors.Record) error) actors.Behavior {
	return actors.Func(f)(actors.VirtualPartition{})
}

func TestReceiveTellsTheOutcome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		b     func(context.Context, *actors.Record) error
		kind  runtimetest.Kind
		err   error
		after time.Duration
	}{
		{"nil", func(context.Context, *actors.Record) error { return nil }, runtimetest.Complete, nil, 0},
		{"error", func(context.Context, *actors.Record) error { return errBank }, runtimetest.Retry, errBank, 0},
		{"retry after", func(context.Context, *actors.Record) error { return actors.RetryAfter(time.Minute, errBank) }, runtimetest.Retry, errBank, time.Minute},
		{"snooze", func(context.Context, *actors.Record) error { return actors.Snooze(time.Hour) }, runtimetest.Snooze, nil, time.Hour},
		{"discard", func(context.Context, *actors.Record) error { return actors.Discard(errBank) }, runtimetest.Discard, errBank, 0},
		{"panic", func(context.Context, *actors.Record) error { panic(errBank) }, runtimetest.Panic, errBank, 0},
		{"goexit", func(context.Context, *actors.Record) error { goruntime.Goexit(); return nil }, runtimetest.Panic, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := runtimetest.Receive(t, behavior(c.b), &actors.Record{})
			if out.Kind != c.kind || out.After != c.after || (c.err != nil && !errors.Is(out.Err, c.err)) {
				t.Errorf("got %v, want %s after %v: %v", out, c.kind, c.after, c.err)
			}
		})
	}
}

func TestReceiveKeepsThePanicsStack(t *testing.T) {
	t.Parallel()
	out := runtimetest.Receive(t, behavior(func(context.Context, *actors.Record) error { panic("here") }), &actors.Record{})
	if !strings.Contains(string(out.Stack), "TestReceiveKeepsThePanicsStack") || out.String() != "panic: panic: here" {
		t.Errorf("outcome %v with the stack %s", out, out.Stack)
	}
}

func TestReceiveCountsHeartbeatsAndTheFirstAttempt(t *testing.T) {
	t.Parallel()
	out := runtimetest.Receive(t, behavior(func(ctx context.Context, rec *actors.Record) error {
		if rec.Attempt != 1 {
			t.Errorf("attempt %d, want 1", rec.Attempt)
		}
		return errors.Join(actors.Heartbeat(ctx), actors.Heartbeat(ctx))
	}), &actors.Record{})
	if out.Kind != runtimetest.Complete || out.Heartbeats != 2 {
		t.Errorf("%v with %d heartbeats, want complete with 2", out, out.Heartbeats)
	}
}

// door is a behavior that has to be opened and closed.
type door struct {
	said *[]string
	err  error
}

func (d *door) Start(_ context.Context, vp actors.VirtualPartition) error {
	*d.said = append(*d.said, "start "+vp.String())
	return d.err
}

func (d *door) Receive(context.Context, *actors.Record) error {
	*d.said = append(*d.said, "receive")
	return nil
}

func (d *door) Stop(_ context.Context, cause error) error {
	*d.said = append(*d.said, "stop "+cause.Error())
	return nil
}

func TestReceiveStartsOnceAndStopsAtTheEnd(t *testing.T) {
	t.Parallel()
	var said []string
	t.Run("within", func(t *testing.T) {
		d := &door{said: &said}
		for range 2 {
			runtimetest.Receive(t, d, &actors.Record{Topic: "orders", Partition: 2})
		}
	})
	want := []string{"start orders/2/0", "receive", "receive", "stop " + actors.ErrShutdown.Error()}
	if !slices.Equal(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
}

func TestReceiveTellsOfAStartThatFailed(t *testing.T) {
	t.Parallel()
	var said []string
	out := runtimetest.Receive(t, &door{said: &said, err: errBank}, &actors.Record{})
	if out.Kind != runtimetest.StartFailed || !errors.Is(out.Err, errBank) || len(said) != 1 {
		t.Errorf("got %v after %q", out, said)
	}
}
