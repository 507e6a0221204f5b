package history_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/internal/history"
)

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
