package runtimetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
)

// Kind is what the runtime would do with a record.
type Kind string

// The kinds.
const (
	Complete    Kind = "complete"     // Receive returned nil: the commit line may pass it
	Retry       Kind = "retry"        // an attempt that failed: it is tried again, or out of attempts
	Snooze      Kind = "snooze"       // delivered again, without counting an attempt
	Discard     Kind = "discard"      // dead-lettered now
	Panic       Kind = "panic"        // Receive panicked or called Goexit: supervision decides
	StartFailed Kind = "start failed" // Start failed or panicked: no record is blamed
)

// Outcome is what became of a delivery.
type Outcome struct {
	Kind Kind

	// Err is nil when the record is complete. Of [actors.RetryAfter] and [actors.Discard]
	// it is the error within, of a panic one that wraps the value if that is an error.
	Err error

	// After is what [actors.RetryAfter] and [actors.Snooze] asked for. Of other errors it
	// is 0: the topic's backoff counts.
	After time.Duration

	Stack      []byte // of a panic
	Heartbeats int    // calls of [actors.Heartbeat]
}

// String is the outcome on a line.
func (o Outcome) String() string {
	switch {
	case o.Err == nil:
		return string(o.Kind)
	case o.After > 0:
		return fmt.Sprintf("%s after %v: %v", o.Kind, o.After, o.Err)
	}
	return fmt.Sprintf("%s: %v", o.Kind, o.Err)
}

// Receive delivers rec to b and reports what the runtime would do. A panic is caught. An
// Attempt of 0 is delivered as 1.
//
// A behavior that is an [actors.Starter] is started before its first record, once per
// test and pointer, as the lane 0 of the record's partition; one that is an
// [actors.Stopper] is then stopped with [actors.ErrShutdown] when the test ends.
func Receive(tb testing.TB, b actors.Behavior, rec *actors.Record) Outcome {
	tb.Helper()
	if err := start(tb, b, rec); err != nil {
		return failed(StartFailed, err)
	}
	if rec.Attempt == 0 {
		first := *rec
		first.Attempt, rec = 1, &first
	}
	var beats atomic.Int64
	ctx := actors.WithHeartbeat(tb.Context(), func() { beats.Add(1) })
	out := classify(run(tb, func() error { return b.Receive(ctx, rec) }))
	out.Heartbeats = int(beats.Load())
	return out
}

// classify reads an error as the runtime does.
func classify(err error) Outcome {
	if e, ok := errors.AsType[*panicError](err); ok {
		return failed(Panic, e)
	} else if e, ok := errors.AsType[*actors.DiscardError](err); ok {
		return Outcome{Kind: Discard, Err: either(e.Err, err)}
	} else if e, ok := errors.AsType[*actors.SnoozeError](err); ok {
		return Outcome{Kind: Snooze, Err: err, After: e.After}
	} else if e, ok := errors.AsType[*actors.RetryError](err); ok {
		return Outcome{Kind: Retry, Err: either(e.Err, err), After: e.After}
	} else if err != nil {
		return Outcome{Kind: Retry, Err: err}
	}
	return Outcome{Kind: Complete}
}

func either(inner, outer error) error {
	if inner == nil {
		return outer
	}
	return inner
}

func failed(kind Kind, err error) Outcome {
	out := Outcome{Kind: kind, Err: err}
	if e, ok := errors.AsType[*panicError](err); ok {
		out.Stack = e.stack
	}
	return out
}

// panicError is a recovered panic, or a Goexit.
type panicError struct {
	value any
	stack []byte
}

var errGoexit = errors.New("the behavior called runtime.Goexit")

// Error is the panic's value as text.
func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// Unwrap is the panic's value where that is an error.
func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// run calls f on a goroutine of its own, so that a Goexit ends there. One that comes from
// the test itself, by tb.Fatal say, goes on.
func run(tb testing.TB, f func() error) error {
	tb.Helper()
	done := make(chan error, 1)
	go func() {
		err := error(&panicError{value: errGoexit})
		defer func() {
			if v := recover(); v != nil {
				err = &panicError{v, debug.Stack()}
			}
			done <- err
		}()
		err = f()
	}()
	err := <-done
	if errors.Is(err, errGoexit) && tb.Failed() {
		tb.FailNow()
	}
	return err
}

// started are the behaviors that Receive has started, by their tests.
var started sync.Map //nolint:gochecknoglobals // a behavior has no other place to note it, and a test cleans up after itself

type startedKey struct {
	tb testing.TB
	b  actors.Behavior
}

func start(tb testing.TB, b actors.Behavior, rec *actors.Record) error {
	tb.Helper()
	s, ok := b.(actors.Starter)
	if !ok {
		return nil
	}
	if reflect.TypeOf(b).Kind() == reflect.Pointer {
		key := startedKey{tb, b}
		if _, again := started.LoadOrStore(key, nil); again {
			return nil
		}
		tb.Cleanup(func() { started.Delete(key) })
	}
	vp := actors.VirtualPartition{Topic: rec.Topic, Partition: rec.Partition}
	err := run(tb, func() error { return s.Start(tb.Context(), vp) })
	if stopper, ok := b.(actors.Stopper); ok && err == nil {
		tb.Cleanup(func() { stop(tb, stopper) })
	}
	return err
}

func stop(tb testing.TB, s actors.Stopper) {
	tb.Helper()
	ctx := context.WithoutCancel(tb.Context()) // a test's own has ended by now
	if err := run(tb, func() error { return s.Stop(ctx, actors.ErrShutdown) }); err != nil {
		tb.Errorf("Stop: %v", err)
	}
}
