package history_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

var (
	orders = observe.TopicPartition{Topic: "orders", Partition: 3}
	lane7  = actors.VirtualPartition{Topic: "orders", Partition: 3, Index: 7}
	errBad = errors.New("bad")
)

func TestAppendNumbersAndTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := history.New()
		if seq := h.Append(history.Event{Kind: history.Sent}); seq != 1 {
			t.Errorf("first is %d", seq)
		}
		time.Sleep(time.Second)
		h.Append(history.Event{Kind: history.Acked, Seq: 99})
		h.Append(history.Event{Kind: history.Acked, Wall: 5})
		events := h.Events()
		if h.Len() != 3 || len(events) != 3 || events[1].Seq != 2 || events[2].Seq != 3 {
			t.Errorf("%d: %+v", h.Len(), events)
		}
		if got := time.Duration(events[1].Wall - events[0].Wall); got != time.Second || events[2].Wall != 5 {
			t.Errorf("times %+v", events)
		}
		events[0].Kind = "changed"
		if h.Events()[0].Kind != history.Sent {
			t.Error("Events is no copy")
		}
	})
}

func TestAppendFromManyGoroutines(t *testing.T) {
	t.Parallel()
	h := history.New()
	var wg sync.WaitGroup
	for i := range int32(8) {
		wg.Go(func() {
			last := uint64(0)
			for range 200 {
				seq := h.Append(history.Event{Partition: i})
				if seq <= last {
					t.Errorf("%d after %d", seq, last)
				}
				last = seq
			}
		})
	}
	wg.Wait()
	for i, ev := range h.Events() {
		if ev.Seq != uint64(i)+1 {
			t.Fatalf("event %d has Seq %d", i, ev.Seq)
		}
	}
	if h.Len() != 1600 {
		t.Errorf("%d events", h.Len())
	}
}

func drawEvents(t *rapid.T, label string) []history.Event {
	key := rapid.OneOf(rapid.Just([]byte(nil)), rapid.Just([]byte{}), rapid.SliceOfN(rapid.Byte(), 1, 4))
	events := make([]history.Event, rapid.IntRange(0, 20).Draw(t, label))
	for i := range events {
		events[i] = history.Event{
			Seq: uint64(i) + 1, Wall: rapid.Int64Range(0, 30).Draw(t, "wall"),
			Kind: rapid.SampledFrom([]history.Kind{history.Enter, history.Leave, history.Acked}).Draw(t, "kind"),
			Key:  key.Draw(t, "key"), Offset: rapid.Int64().Draw(t, "offset"), Text: rapid.String().Draw(t, "text"),
			Ref: uint64(rapid.IntRange(0, i).Draw(t, "ref")), Incarnation: label,
		}
	}
	return events
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := drawEvents(t, "a")
		var file bytes.Buffer
		if err := history.Save(&file, events); err != nil {
			t.Fatal(err)
		}
		got, err := history.Load(&file)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(events) || len(events) > 0 && !reflect.DeepEqual(got, events) {
			t.Fatalf("got  %+v\nwant %+v", got, events)
		}
	})
}

func TestMergeKeepsEachOrderAndItsReferences(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawEvents(t, "a"), drawEvents(t, "b")
		merged := history.Merge(a, b)
		parts := map[string][]history.Event{}
		for i, ev := range merged {
			if ev.Seq != uint64(i)+1 {
				t.Fatalf("event %d has Seq %d", i, ev.Seq)
			}
			if ev.Ref != 0 && merged[ev.Ref-1].Incarnation != ev.Incarnation {
				t.Fatalf("%+v answers %+v", ev, merged[ev.Ref-1])
			}
			parts[ev.Incarnation] = append(parts[ev.Incarnation], ev)
		}
		for name, want := range map[string][]history.Event{"a": a, "b": b} {
			for i, ev := range parts[name] {
				if ev.Offset != want[i].Offset || ev.Wall != want[i].Wall || (ev.Ref == 0) != (want[i].Ref == 0) {
					t.Fatalf("%s: event %d is %+v, was %+v", name, i, ev, want[i])
				}
				if ev.Ref != 0 && merged[ev.Ref-1].Offset != want[want[i].Ref-1].Offset {
					t.Fatalf("%s: event %d answers another one", name, i)
				}
			}
		}
	})
}

func TestMergeGoesByTime(t *testing.T) {
	t.Parallel()
	a := []history.Event{{Seq: 1, Wall: 10, ID: "a1"}, {Seq: 2, Wall: 30, ID: "a2"}, {Seq: 3, Wall: 5, ID: "a3, its clock set back"}}
	b := []history.Event{{Seq: 1, Wall: 20, ID: "b1"}, {Seq: 2, Wall: 40, ID: "b2", Ref: 1}}
	var got []string
	merged := history.Merge(a, b)
	for _, ev := range merged {
		got = append(got, ev.ID)
	}
	if want := []string{"a1", "b1", "a2", "a3, its clock set back", "b2"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if merged[4].Ref != 2 {
		t.Errorf("b2 answers %d, want 2", merged[4].Ref)
	}
	if len(history.Merge()) != 0 {
		t.Error("nothing merged is something")
	}
}

type limited struct {
	bytes.Buffer
	left int
}

func (w *limited) Write(p []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errBad
	}
	return w.Buffer.Write(p)
}

func TestStream(t *testing.T) {
	t.Parallel()
	h, file := history.New(), &limited{left: 2}
	h.StreamTo(file)
	for i := range int64(4) {
		h.Append(history.Event{Kind: history.Acked, Offset: i})
	}
	if err := h.Err(); !errors.Is(err, errBad) || !strings.Contains(err.Error(), "event 3") {
		t.Errorf("Err = %v", err)
	}
	got, err := history.Load(&file.Buffer)
	if err != nil || !reflect.DeepEqual(got, h.Events()[:2]) {
		t.Errorf("streamed %+v, %v", got, err)
	}
	if h.Len() != 4 {
		t.Errorf("%d events, want 4: a broken stream loses none", h.Len())
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		n          int
		err        string
	}{
		{"empty", "", 0, ""},
		{"two", "{\"seq\":1,\"wall\":1,\"kind\":\"acked\"}\n{\"seq\":2,\"wall\":1,\"kind\":\"acked\"}\n", 2, ""},
		{"torn at the end", "{\"seq\":1,\"wall\":1,\"kind\":\"acked\"}\n{\"seq\":2,\"wa", 1, ""},
		{"torn within", "{\"seq\":1,\"wall\"\n{\"seq\":2}\n", 0, "line 1"},
		{"another format", "{\"seq\":1}\n{\"seq\":2,\"surprise\":1}\n", 0, "line 2"},
	} {
		got, err := history.Load(strings.NewReader(c.text))
		if len(got) != c.n || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d events, %v", c.name, len(got), err)
		}
	}
}

func TestHookKnowsEveryEvent(t *testing.T) {
	t.Parallel()
	failure := supervision.Failure{Err: errBad, Panicked: true, Attempt: 2}
	now := time.Unix(0, 1234)
	all := []observe.Event{
		observe.Assigned{TP: orders, Epoch: 5, Start: 7, LogEnd: 9},
		observe.RevokeBegan{TP: orders, Epoch: 5},
		observe.RevokeEnded{TP: orders, Epoch: 5},
		observe.Lost{TP: orders, Epoch: 5, Cause: errBad},
		observe.Rejoined{Cause: errBad},
		observe.Gap{TP: orders, Epoch: 5, From: 1, To: 2},
		observe.ShutdownBegan{},
		observe.ShutdownEnded{Err: errBad},
		observe.CommitSent{TP: orders, Epoch: 5, Next: 7},
		observe.CommitAnswered{TP: orders, Epoch: 5, Next: 7, Outcome: observe.Unknown},
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
	got := h.Events()
	if got[0].Offset != 7 || got[0].Result != history.ResultRefused || got[0].Text != "bad" {
		t.Errorf("commit: %+v", got[0])
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

func TestProducer(t *testing.T) {
	t.Parallel()
	h := history.New()
	p := history.NewProducer(h)
	p.Sent("orders", "r1", []byte("k")).Acked(3, 42)
	p.Sent("orders", "r2", nil).Failed(errBad)
	p.Sent("orders", "r3", nil).Unknown(nil)
	var got []string
	for _, ev := range h.Events() {
		ev.Wall = 0
		line, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(line))
	}
	want := []string{
		`{"seq":1,"wall":0,"kind":"sent","topic":"orders","key":"aw==","id":"r1"}`,
		`{"seq":2,"wall":0,"kind":"acked","topic":"orders","partition":3,"offset":42,"key":"aw==","id":"r1","ref":1}`,
		`{"seq":3,"wall":0,"kind":"sent","topic":"orders","id":"r2"}`,
		`{"seq":4,"wall":0,"kind":"failed","topic":"orders","id":"r2","ref":3,"text":"bad"}`,
		`{"seq":5,"wall":0,"kind":"sent","topic":"orders","id":"r3"}`,
		`{"seq":6,"wall":0,"kind":"unknown","topic":"orders","id":"r3","ref":5}`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestObserver(t *testing.T) {
	t.Parallel()
	h := history.New()
	o := history.NewObserver(h)
	o.Committed(orders, -1)
	o.CommitOnWire(history.WireCommit{TP: orders, Next: 7, Member: "m", Owner: "n", Answer: observe.OK})
	o.DeadLetter("dlq", orders, 7, time.Unix(0, 5))
	o.Log(orders, 1, 9)
	o.Record(orders, 7, []byte("k"))
	o.GroupStart(orders, 7)
	o.Removed(orders, 1, 2)
	o.Reset(orders, 7)
	o.MemberIs("a", "m")
	o.Disturbance("a", orders, "supervisor panicked")
	want := []history.Event{
		{Kind: history.CommittedObserved, Offset: -1},
		{Kind: history.CommitOnWire, Offset: 7, Member: "m", Owner: "n", Result: history.ResultOK},
		{Kind: history.DeadLetterObserved, Dest: "dlq", Offset: 7, Due: 5},
		{Kind: history.LogObserved, Offset: 1, To: 9},
		{Kind: history.RecordObserved, Offset: 7, Key: []byte("k")},
		{Kind: history.GroupStart, Offset: 7},
		{Kind: history.Removed, Offset: 1, To: 2},
		{Kind: history.Reset, Offset: 7},
		{Kind: history.MemberIs, Incarnation: "a", Member: "m"},
		{Kind: history.Disturbance, Incarnation: "a", Text: "supervisor panicked"},
	}
	for i, got := range h.Events() {
		want[i].Seq, want[i].Wall = got.Seq, got.Wall
		if got.Kind != history.MemberIs {
			want[i].Topic, want[i].Partition = "orders", 3
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
	}
}

func TestIncarnationsDiffer(t *testing.T) {
	t.Parallel()
	a, b := history.NewIncarnation("m"), history.NewIncarnation("m")
	if a == b || !strings.HasPrefix(a, "m.") {
		t.Errorf("%q and %q", a, b)
	}
}
