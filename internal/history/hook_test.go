package history_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

func TestHookKnowsEveryEvent(t *testing.T) {
	t.Parallel()
	failure := supervision.Failure{Err: errBad, Panicked: true, Attempt: 2}
	now := time.Unix(0, 1234)
	all := []observe.Event{
		observe.Assigned{TP: orders, Epoch: 5, Start: 7, LogEnd: 9},
		observe.RevokeBegan{TP: orders, Epoch: 5},
		observe.RevokeEnded{TP: orders, Epoch: 5},
		observe.Stopped{TP: orders, Epoch: 5},
		observe.Lost{TP: orders, Epoch: 5, Cause: errBad},
		observe.Rejoined{Cause: errBad},
		observe.Gap{TP: orders, Epoch: 5, From: 1, To: 2},
		observe.ShutdownBegan{},
		observe.ShutdownEnded{Err: errBad},
		observe.CommitSent{TP: orders, Epoch: 5, Next: 7},
		observe.CommitAnswered{TP: orders, Epoch: 5, Next: 7, Outcome: observe.Unknown},
		observe.MetadataIgnored{TP: orders, Epoch: 5, Committed: 6, Err: errBad},
		observe.MetadataCut{TP: orders, Epoch: 5, Next: 6, From: 8, Attempts: 2},
		observe.Paused{TP: orders, Epoch: 5, Reason: "delay"},
		observe.Resumed{TP: orders, Epoch: 5, Reason: "delay"},
		observe.SkewCapped{TP: orders, Epoch: 5, Offset: 7},
		observe.Restarted{VP: lane7, Epoch: 5, Failure: failure},
		observe.Halted{VP: lane7, Epoch: 5, Failure: failure},
		observe.Escalated{TP: orders, Epoch: 5, Failure: failure},
		observe.Quarantined{VP: lane7, Epoch: 5, Offset: 7, Cause: errBad},
		observe.Freed{VP: lane7},
		observe.Forced{VP: lane7},
		observe.Warned{What: "w", Err: errBad},
		observe.ForwardFailed{TP: orders, Epoch: 5, Offset: 7, Dest: "dlq", Err: errBad},
		observe.Forwarded{TP: orders, Epoch: 5, Offset: 7, Dest: "dlq", Err: errBad},
		observe.Fetched{TP: orders, Epoch: 5, First: 7, Last: 9},
		observe.Started{VP: lane7, Epoch: 5, Record: &actors.Record{Offset: 7}, Attempt: 2, Due: now},
		observe.Delivered{VP: lane7, Epoch: 5, Offset: 7, Attempt: 2, Err: errBad},
		observe.RetryScheduled{VP: lane7, Epoch: 5, Offset: 7, Attempt: 2, At: now},
		observe.Foreign{TP: orders, Epoch: 5, Offset: 7, Group: "h"},
		observe.LateDropped{VP: lane7, Epoch: 5, Offset: 7},
	}
	if want := eventTypes(t); len(all) != want {
		t.Errorf("%d of %d events of package observe are here", len(all), want)
	}
	h := history.New()
	var hook observe.RecordHook = history.NewHook(h, "a")
	for i, ev := range all {
		if i%2 == 0 {
			hook.OnEvent(now, ev)
		} else {
			hook.OnRecord(now, ev)
		}
	}
	for i, got := range h.Events() {
		checkHooked(t, all[i], got)
	}
}

// checkHooked holds what is common to all kinds.
func checkHooked(t *testing.T, from observe.Event, got history.Event) {
	t.Helper()
	name := reflect.TypeOf(from).Name()
	if strings.ReplaceAll(string(got.Kind), "-", "") != strings.ToLower(name) {
		t.Errorf("%s is of kind %s", name, got.Kind)
	}
	if got.Incarnation != "a" || got.Wall != 1234 {
		t.Errorf("%s: %+v", name, got)
	}
	v := reflect.ValueOf(from)
	has := func(field string) bool { return v.FieldByName(field).IsValid() }
	if (has("TP") || has("VP")) != (got.TP() == orders) || has("VP") != (got.Lane == 7) || has("Epoch") != (got.Epoch == 5) {
		t.Errorf("%s: %+v", name, got)
	}
	if has("Offset") != (got.Offset == 7) && name != "Started" && name != "CommitSent" && name != "CommitAnswered" && name != "Fetched" && name != "Assigned" {
		t.Errorf("%s: %+v", name, got)
	}
	if has("Attempt") != (got.Attempt == 2) && !has("Failure") {
		t.Errorf("%s: %+v", name, got)
	}
}

// eventTypes counts the event types of package observe in its source.
func eventTypes(t *testing.T) int {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../runtime/observe/events.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Name.Name == "event" {
			n++
		}
	}
	return n
}

func TestHookDetails(t *testing.T) {
	t.Parallel()
	h := history.New()
	hook := history.NewHook(h, "a")
	hook.OnEvent(time.Time{}, observe.CommitAnswered{Next: 7, Outcome: observe.Refused, Err: errBad})
	hook.OnRecord(time.Time{}, observe.Fetched{First: 7, Last: 9})
	hook.OnRecord(time.Time{}, observe.Delivered{Err: actors.Snooze(1)})
	hook.OnEvent(time.Time{}, observe.Restarted{Failure: supervision.Failure{Err: errBad}})
	hook.OnEvent(time.Time{}, observe.Escalated{Failure: supervision.Failure{Panicked: true}})
	hook.OnEvent(time.Time{}, observe.Escalated{Failure: supervision.Failure{Panicked: true}, Supervisor: true})
	hook.OnEvent(time.Time{}, observe.RevokeEnded{Drained: true})
	hook.OnEvent(time.Time{}, observe.RevokeEnded{})
	hook.OnRecord(time.Time{}, observe.Fetched{First: 7, Last: 9, Count: 2})
	hook.OnEvent(time.Time{}, observe.Gap{Err: errBad})
	hook.OnEvent(time.Time{}, observe.CommitAnswered{Next: 7, Resent: true})
	got := h.Events()
	for i, want := range []string{history.ResultPanic, history.ResultSupervisor, history.ResultDrained, history.ResultCut} {
		if got[4+i].Result != want {
			t.Errorf("%s: result %q, want %q", got[4+i].Kind, got[4+i].Result, want)
		}
	}
	if got[8].Count != 2 || got[9].Text != "bad" {
		t.Errorf("%+v %+v", got[8], got[9])
	}
	if got[0].Offset != 7 || got[0].Result != history.ResultRefused || got[0].Text != "bad" {
		t.Errorf("commit: %+v", got[0])
	}
	if got[10].Result != history.ResultOK || got[10].Text != history.Resent {
		t.Errorf("resent: %+v", got[10])
	}
	if got[1].Offset != 7 || got[1].To != 10 {
		t.Errorf("fetched: %+v", got[1])
	}
	if got[2].Result != history.ResultSnooze || got[3].Result != history.ResultError {
		t.Errorf("results: %+v %+v", got[2], got[3])
	}
	if got[0].Wall == 0 {
		t.Error("no time")
	}
}

func TestAHookIsSilentOnceItsProcessIsDead(t *testing.T) {
	t.Parallel()
	h, dead := history.New(), false
	hook := history.NewHook(h, "a").While(func() bool { return !dead })
	hook.OnEvent(time.Unix(1, 0), observe.ShutdownBegan{})
	hook.OnRecord(time.Unix(1, 0), observe.Fetched{TP: orders})
	dead = true
	hook.OnEvent(time.Unix(1, 0), observe.ShutdownEnded{})
	hook.OnRecord(time.Unix(1, 0), observe.Fetched{TP: orders})
	if got := h.Events(); len(got) != 2 {
		t.Errorf("it tells of %+v, want of two events", got)
	}
}
