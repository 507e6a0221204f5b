package actors

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The causes with which a delivery's context ends and a behavior is stopped.
// Compare them with [errors.Is] on [context.Cause].
var (
	// ErrRevoked means that the partition moved to another member; the record
	// is delivered again there. See docs/errors.md#revoked.
	ErrRevoked = errors.New("actors: partition revoked")

	// ErrLost means that the group dropped this member, so that another one may
	// be at work on the same record. See docs/errors.md#lost.
	ErrLost = errors.New("actors: partition lost")

	// ErrTimeout means that the topic's Timeout passed; it counts as an attempt.
	// See docs/errors.md#timeout.
	ErrTimeout = errors.New("actors: delivery timed out")

	// ErrRestart means that an operator, or supervision, restarted the lane or its
	// partition. See docs/errors.md#restart.
	ErrRestart = errors.New("actors: virtual partition restarted")

	// ErrShutdown means that the runtime stops and its drain is over. See
	// docs/errors.md#shutdown.
	ErrShutdown = errors.New("actors: runtime shut down")
)

// RetryError is what [RetryAfter] returns. See docs/errors.md#retry.
type RetryError struct {
	After time.Duration // at least 0
	Err   error
}

// SnoozeError is what [Snooze] returns. See docs/errors.md#snooze.
type SnoozeError struct {
	After time.Duration // at least 0
}

// DiscardError is what [Discard] returns. See docs/errors.md#discard.
type DiscardError struct {
	Err error
}

// RetryAfter retries the record after d instead of the policy's backoff. It counts
// as an attempt. A negative d is 0. Like the other outcomes it may be wrapped.
func RetryAfter(d time.Duration, err error) error { return &RetryError{max(d, 0), err} }

// Snooze redelivers the record after d without counting an attempt. A negative d
// is 0.
func Snooze(d time.Duration) error { return &SnoozeError{max(d, 0)} }

// Discard sends the record to the dead letter topic without further attempts.
// Without a dead letter topic it escalates: a record is never dropped.
func Discard(err error) error { return &DiscardError{err} }

// Error is the text of the error within.
func (e *RetryError) Error() string { return fmt.Sprintf("retry after %v: %v", e.After, e.Err) }

// Unwrap is the error within.
func (e *RetryError) Unwrap() error { return e.Err }

// Error says for how long.
func (e *SnoozeError) Error() string { return "snoozed for " + e.After.String() }

// Error is the text of the error within.
func (e *DiscardError) Error() string { return fmt.Sprintf("discarded: %v", e.Err) }

// Unwrap is the error within.
func (e *DiscardError) Unwrap() error { return e.Err }

type heartbeatKey struct{}

var errNoDelivery = errors.New("actors: Heartbeat outside a delivery")

// Heartbeat reports progress of a long call: the topic's Timeout starts again. It
// returns the context's cause once the call should stop, and an error when ctx is
// not that of a delivery. A heartbeat with the context of a call that has ended
// does nothing.
func Heartbeat(ctx context.Context) error {
	beat, ok := ctx.Value(heartbeatKey{}).(func())
	if !ok {
		return errNoDelivery
	}
	beat()
	return context.Cause(ctx)
}

// WithHeartbeat makes the context of a delivery, in which [Heartbeat] calls beat.
// The runtime does so; it is for those who call a behavior without one.
func WithHeartbeat(ctx context.Context, beat func()) context.Context {
	return context.WithValue(ctx, heartbeatKey{}, beat)
}
