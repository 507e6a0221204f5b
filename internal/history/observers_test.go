package history_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

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
	o.MemberIs("a", "m", "i")
	o.Disturbance("a", orders, "supervisor panicked")
	o.TopicRead("orders")
	o.Fault("a", "freeze", true)
	o.Fault("", "outage", false)
	o.Killed("a")
	asked := o.Expelling("a")
	o.Expelled("a", asked, true)
	o.Expelled("a", asked, false)
	o.Settled()
	sample := &history.Sample{Next: 3}
	o.Sampled("a", orders, sample)
	o.Canary("secret")
	want := []history.Event{
		{Kind: history.CommittedObserved, Offset: -1},
		{Kind: history.CommitOnWire, Offset: 7, Member: "m", Owner: "n", Result: history.ResultOK},
		{Kind: history.DeadLetterObserved, Dest: "dlq", Offset: 7, Due: 5},
		{Kind: history.LogObserved, Offset: 1, To: 9},
		{Kind: history.RecordObserved, Offset: 7, Key: []byte("k")},
		{Kind: history.GroupStart, Offset: 7},
		{Kind: history.Removed, Offset: 1, To: 2},
		{Kind: history.Reset, Offset: 7},
		{Kind: history.MemberIs, Incarnation: "a", Member: "m", Text: "i"},
		{Kind: history.Disturbance, Incarnation: "a", Text: "supervisor panicked"},
		{Kind: history.TopicRead},
		{Kind: history.Fault, Incarnation: "a", Text: "freeze", Result: history.ResultBegin},
		{Kind: history.Fault, Text: "outage", Result: history.ResultEnd},
		{Kind: history.Killed, Incarnation: "a"},
		{Kind: history.Expelling, Incarnation: "a"},
		{Kind: history.Expelled, Incarnation: "a", Ref: asked, Result: history.ResultOK},
		{Kind: history.Expelled, Incarnation: "a", Ref: asked, Result: history.ResultRefused},
		{Kind: history.Settled},
		{Kind: history.Sampled, Incarnation: "a", Sample: sample},
		{Kind: history.Canary, Text: "secret"},
		{Kind: history.Logged, Incarnation: "a", Text: "a line"},
	}
	if n, err := history.NewLog(h, "a").Write([]byte("a line")); n != 6 || err != nil {
		t.Errorf("wrote %d, %v", n, err)
	}
	about := []history.Kind{history.MemberIs, history.Fault, history.Killed, history.Expelling, history.Expelled, history.Settled, history.Canary, history.Logged}
	for i, got := range h.Events() {
		want[i].Seq, want[i].Wall = got.Seq, got.Wall
		if !slices.Contains(about, got.Kind) {
			want[i].Topic = "orders"
		}
		if want[i].Topic != "" && got.Kind != history.TopicRead {
			want[i].Partition = 3
		}
		if !reflect.DeepEqual(got, want[i]) {
			t.Errorf("got  %+v\nwant %+v", got, want[i])
		}
	}
}
