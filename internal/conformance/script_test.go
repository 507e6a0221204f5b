//go:build kafka

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actors"
)

// script is what the behavior of a topic does, by offset; whatever it does not mention
// succeeds. It is read by a process of its own, so it is plain data.
type script struct {
	Sleep time.Duration // each call takes this long

	FailEach  int64 // offsets that it divides fail twice
	PanicEach int64 // offsets that it divides panic once
	FailAt    []int64
	DiscardAt []int64

	// HoldAt are offsets whose calls wait until the file Release is there, and HoldAll
	// holds every one. Those in DeafAt do not even return when their context ends.
	HoldAt  []int64
	HoldAll bool
	DeafAt  []int64
	Release string
}

var errScripted = errors.New("the script says so")

func (s script) factory() actors.Factory { return actors.Func(s.receive) }

func (s script) receive(ctx context.Context, rec *actors.Record) error {
	if s.HoldAll || slices.Contains(s.HoldAt, rec.Offset) {
		if err := s.hold(ctx); err != nil {
			return err
		}
	}
	if slices.Contains(s.DeafAt, rec.Offset) {
		_ = s.hold(context.WithoutCancel(ctx))
	}
	if s.Sleep > 0 && !wait(ctx, s.Sleep) {
		return context.Cause(ctx)
	}
	switch {
	case slices.Contains(s.DiscardAt, rec.Offset):
		return actors.Discard(errScripted)
	case slices.Contains(s.FailAt, rec.Offset), divides(s.FailEach, rec.Offset) && rec.Attempt <= 2:
		return fmt.Errorf("attempt %d: %w", rec.Attempt, errScripted)
	case divides(s.PanicEach, rec.Offset) && rec.Attempt == 1:
		panic("the script says so")
	}
	return nil
}

func divides(n, offset int64) bool { return n > 0 && offset%n == 0 }

// hold waits for the file Release.
func (s script) hold(ctx context.Context) error {
	for {
		if _, err := os.Stat(s.Release); err == nil {
			return nil
		}
		if !wait(ctx, 10*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// wait reports whether d passed before ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
