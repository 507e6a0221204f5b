package history_test

import (
	"context"
	"errors"
	goruntime "runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
)

// behavior does what it is told and knows Start and Stop.
type behavior struct {
	receive func() error
	log     *[]string
}

func (b *behavior) Receive(context.Context, *actors.Record) error { return b.receive() }

func (b *behavior) Start(context.Context, actors.VirtualPartition) error {
	*b.log = append(*b.log, "start")
	return errBad
}

func (b *behavior) Stop(_ context.Context, cause error) error {
	*b.log = append(*b.log, "stop "+cause.Error())
	return nil
}

func TestJournalWrap(t *testing.T) {
	t.Parallel()
	for want, receive := range map[string]func() error{
		history.ResultOK:      func() error { return nil },
		history.ResultError:   func() error { return errBad },
		history.ResultRetry:   func() error { return actors.RetryAfter(1, errBad) },
		history.ResultSnooze:  func() error { return errors.Join(errBad, actors.Snooze(1)) },
		history.ResultDiscard: func() error { return actors.Discard(errBad) },
		history.ResultPanic:   func() error { panic("x") },
		"goexit":              func() error { goruntime.Goexit(); return nil },
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			h := history.New()
			journal := history.NewJournal(h, "a")
			journal.Due = func(rec *actors.Record) time.Time { return time.Unix(0, rec.Offset) }
			wrapped := journal.Wrap(func(actors.VirtualPartition) actors.Behavior { return &behavior{receive: receive} })(lane7)
			panicked := call(wrapped)
			if panicked != (want == history.ResultPanic) {
				t.Errorf("panicked %v", panicked)
			}
			got := h.Events()
			if len(got) != 2 || got[0].Kind != history.Enter || got[1].Kind != history.Leave {
				t.Fatalf("%+v", got)
			}
			enter, leave := got[0], got[1]
			if enter.TP() != orders || enter.Lane != 7 || enter.Offset != 42 || enter.Attempt != 3 || string(enter.Key) != "k" || enter.Due != 42 || enter.Incarnation != "a" {
				t.Errorf("enter %+v", enter)
			}
			result := strings.Replace(want, "goexit", history.ResultPanic, 1)
			if leave.Ref != enter.Seq || leave.Result != result || leave.TP() != orders || leave.Offset != 42 || leave.Lane != 7 || leave.Attempt != 3 {
				t.Errorf("leave %+v, want result %s", leave, result)
			}
		})
	}
}

// call runs a behavior on a goroutine of its own, which it may end, and tells whether it
// panicked.
func call(b actors.Behavior) bool {
	panicked := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() != nil }()
		_ = b.Receive(context.Background(), &actors.Record{Offset: 42, Attempt: 3, Key: []byte("k")})
	}()
	<-done
	return panicked
}

func TestJournalPassesStartAndStopOn(t *testing.T) {
	t.Parallel()
	var log []string
	journal := history.NewJournal(history.New(), "a")
	wrapped := journal.Wrap(func(actors.VirtualPartition) actors.Behavior { return &behavior{log: &log} })(lane7)
	starter, isStarter := wrapped.(actors.Starter)
	stopper, isStopper := wrapped.(actors.Stopper)
	if !isStarter || !isStopper {
		t.Fatal("not passed on")
	}
	if err := starter.Start(t.Context(), lane7); !errors.Is(err, errBad) {
		t.Errorf("start: %v", err)
	}
	if err := stopper.Stop(t.Context(), actors.ErrShutdown); err != nil {
		t.Errorf("stop: %v", err)
	}
	if !slices.Equal(log, []string{"start", "stop " + actors.ErrShutdown.Error()}) {
		t.Errorf("%q", log)
	}
	plain := journal.Wrap(actors.Func(func(context.Context, *actors.Record) error { return nil }))(lane7)
	if err := errors.Join(plain.(actors.Starter).Start(t.Context(), lane7), plain.(actors.Stopper).Stop(t.Context(), errBad)); err != nil { //nolint:forcetypeassert // a test
		t.Errorf("a behavior with neither: %v", err)
	}
}

func TestJournalKeyBy(t *testing.T) {
	t.Parallel()
	h := history.New()
	journal := history.NewJournal(h, "a")
	journal.KeyBy = actors.ByHeader("tenant")
	journal.Enter(lane7, &actors.Record{Key: []byte("k")}).Leave(nil)
	if got := h.Events()[0]; got.Key != nil || got.Due != 0 {
		t.Errorf("%+v", got)
	}
}
