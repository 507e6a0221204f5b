package runtime

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	zapobserver "go.uber.org/zap/zaptest/observer"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/engine"
	"github.com/troupe-go/troupe/internal/kafka"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// logged is the line that is written of ev: level, text and fields.
func logged(t *testing.T, ev observe.Event) (zapcore.Level, string, map[string]any) {
	t.Helper()
	core, logs := zapobserver.New(zap.DebugLevel)
	(&eventLog{zap.New(core)}).OnEvent(time.Time{}, ev)
	if logs.Len() != 1 {
		t.Fatalf("%d lines of %T, want 1", logs.Len(), ev)
	}
	line := logs.All()[0]
	return line.Level, line.Message, line.ContextMap()
}

// own is an error of a user's.
type own struct{ text string }

func (e *own) Error() string { return e.text }

func TestAFailureIsLoggedByItsClass(t *testing.T) {
	t.Parallel()
	failure := supervision.Failure{
		Err: fmt.Errorf("canary: %w", &own{"canary"}), Panicked: true, Stack: []byte("main.go:1"), Attempt: 3, Restarts: 2,
	}
	vp := actors.VirtualPartition{Topic: "orders", Index: 1}
	budget := &engine.BudgetError{Partition: observe.TopicPartition{Topic: "orders"}, Rebuilds: 10, Within: time.Minute, Err: failure.Err}
	for _, ev := range []observe.Event{
		observe.Restarted{VP: vp, Failure: failure},
		observe.Halted{VP: vp, Failure: failure},
		observe.Escalated{Failure: failure},
		observe.Warned{What: "Stop failed", Err: failure.Err, Foreign: true},
		observe.ShutdownEnded{Err: budget},
		observe.ShutdownEnded{Err: fmt.Errorf("run: %w", budget)},
	} {
		_, text, fields := logged(t, ev)
		if all := fmt.Sprint(text, fields); strings.Contains(all, "canary") {
			t.Errorf("%T: the error's text is logged: %s", ev, all)
		}
		if got := fields["class"]; got != "*runtime.own" {
			t.Errorf("%T: class %v, want *runtime.own", ev, got)
		}
	}
	for _, ev := range []observe.Event{
		observe.Restarted{VP: vp, Failure: failure}, observe.Halted{VP: vp, Failure: failure}, observe.Escalated{Failure: failure},
	} {
		_, _, fields := logged(t, ev)
		if fields["attempt"] != int64(3) || fields["restarts"] != int64(2) || fields["panicked"] != true || fields["stack"] != "main.go:1" {
			t.Errorf("%T: fields %v", ev, fields)
		}
	}
	if _, _, fields := logged(t, observe.ShutdownEnded{Err: budget}); !strings.HasPrefix(fmt.Sprint(fields["error"]), "orders/0: over its budget of 10 rebuilds within 1m0s") {
		t.Errorf("the end is logged as %v", fields)
	}
}

func TestErrorsThatAreNotTheUsersAreLoggedInFull(t *testing.T) {
	t.Parallel()
	for _, ev := range []observe.Event{
		observe.Warned{What: "a fetch failed", Err: ErrTopicUnauthorized},
		observe.ShutdownEnded{Err: ErrTopicUnauthorized},
		observe.Lost{Cause: ErrTopicUnauthorized},
	} {
		if _, _, fields := logged(t, ev); fields["error"] != ErrTopicUnauthorized.Error() {
			t.Errorf("%T: %v", ev, fields)
		}
	}
	if _, _, fields := logged(t, observe.ShutdownEnded{}); len(fields) != 0 {
		t.Errorf("a clean end has the fields %v", fields)
	}
}

func TestAnOperatorsRestartIsNoError(t *testing.T) {
	t.Parallel()
	level, text, _ := logged(t, observe.Escalated{Failure: supervision.Failure{Err: actors.ErrRestart}})
	if level != zap.InfoLevel || text != "partition restarted by an operator" {
		t.Errorf("%v %q", level, text)
	}
	level, _, fields := logged(t, observe.Escalated{Failure: supervision.Failure{Err: fmt.Errorf("mine: %w", actors.ErrRestart)}})
	if level != zap.ErrorLevel || fields["class"] != actors.ErrRestart.Error() {
		t.Errorf("one that a behavior returned: %v %v", level, fields)
	}
}

// round is an error within itself.
type round struct{}

func (round) Error() string   { return "round" }
func (e round) Unwrap() error { return e }

func TestClass(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"<nil>":                    nil,
		"*errors.errorString":      errors.New("a"),
		"*runtime.own":             fmt.Errorf("a: %w", fmt.Errorf("b: %w", &own{})),
		"*errors.joinError":        errors.Join(&own{}, &own{}),
		"runtime.round":            round{},
		actors.ErrTimeout.Error():  actors.ErrTimeout,
		actors.ErrShutdown.Error(): fmt.Errorf("a: %w", actors.ErrShutdown),
		"*actors.DiscardError":     actors.Discard(nil),
	} {
		if got := class(err); got != want {
			t.Errorf("%v is a %s, want %s", err, got, want)
		}
	}
}

// A gap says which of three it is, to hooks by its error and to operators by its text.
func TestGapsAreToldApart(t *testing.T) {
	t.Parallel()
	for text, sentinel := range map[string]error{
		"records were deleted before their turn":                                     nil,
		"the log ends below the position: the partition stops":                       ErrTruncated,
		"a batch is larger than MaxDecompressedBatch: the partition stops before it": ErrBatchTooLarge,
	} {
		var told []observe.Event
		core, logs := zapobserver.New(zap.DebugLevel)
		o := newObserver(zap.New(core), []observe.Hook{observe.HookFunc(func(_ time.Time, ev observe.Event) { told = append(told, ev) })})
		o.start()
		gap := kafka.Gap{From: 3, To: 5, Stopped: true}
		if sentinel != nil {
			gap.Err = fmt.Errorf("%w: because", sentinel)
		}
		(&handler{&Runtime{observer: o}}).gap(observe.TopicPartition{Topic: "orders"}, 1, gap)
		o.stop()
		if len(told) != 1 || logs.Len() != 1 {
			t.Fatalf("%d events and %d lines, want one of each", len(told), logs.Len())
		}
		ev, ok := told[0].(observe.Gap)
		if !ok || ev.From != 3 || ev.To != 5 || !errors.Is(ev.Err, sentinel) {
			t.Errorf("told of %+v, want the error %v", told[0], sentinel)
		}
		if line := logs.All()[0]; line.Message != text || line.Level != zap.WarnLevel {
			t.Errorf("%v: logged %v %q, want %q", sentinel, line.Level, line.Message, text)
		}
		want := int64(5)
		if sentinel != nil {
			want = 3
		}
		if got := behind(gap); got != want {
			t.Errorf("%v: a restart goes on at %d, want %d", sentinel, got, want)
		}
	}
}
