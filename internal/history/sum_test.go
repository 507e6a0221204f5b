package history_test

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
)

func TestSumTellsRecordsApart(t *testing.T) {
	t.Parallel()
	base := func() *actors.Record {
		return &actors.Record{Key: []byte("k"), Value: []byte("v"), Headers: []actors.Header{{Key: "h", Value: []byte("x")}}, Timestamp: time.UnixMilli(7)}
	}
	want := history.SumOf(base())
	moved := base()
	moved.Topic, moved.Offset, moved.Attempt, moved.Timestamp = "elsewhere", 9, 3, time.UnixMilli(7).UTC()
	if history.SumOf(base()) != want || history.SumOf(moved) != want || want == 0 {
		t.Error("where a record is does not belong to what it holds")
	}
	for name, change := range map[string]func(*actors.Record){
		"key":          func(r *actors.Record) { r.Key = []byte("l") },
		"no key":       func(r *actors.Record) { r.Key = nil },
		"empty key":    func(r *actors.Record) { r.Key = []byte{} },
		"shifted":      func(r *actors.Record) { r.Key, r.Value = []byte("kv"), []byte{} },
		"tombstone":    func(r *actors.Record) { r.Value = nil },
		"no header":    func(r *actors.Record) { r.Headers = nil },
		"header":       func(r *actors.Record) { r.Headers[0].Value = []byte("y") },
		"header's key": func(r *actors.Record) { r.Headers[0].Key = "i" },
		"timestamp":    func(r *actors.Record) { r.Timestamp = time.UnixMilli(8) },
		"no timestamp": func(r *actors.Record) { r.Timestamp = time.Time{} },
	} {
		rec := base()
		if change(rec); history.SumOf(rec) == want {
			t.Errorf("%s: the same sum", name)
		}
	}
}

func TestACopySaysWhatItIsACopyOf(t *testing.T) {
	t.Parallel()
	text := func(key, value string) actors.Header { return actors.Header{Key: key, Value: []byte(value)} }
	source := &actors.Record{
		Topic: "orders", Partition: 3, Offset: 42, Key: []byte("k"), Timestamp: time.UnixMilli(7),
		Headers: []actors.Header{text("own", "x"), text("__dlq.errors.topic", "earlier"), text("__dlq.errors.offset", "1")},
	}
	dead := *source
	dead.Topic, dead.Partition, dead.Offset, dead.Timestamp = "dlq", 0, 0, time.UnixMilli(9)
	dead.Headers = append(append([]actors.Header{}, source.Headers...),
		text("__dlq.errors.topic", "orders"), text("__dlq.errors.partition", "3"), text("__dlq.errors.offset", "42"), text("troupe.dlq.timestamp", "7"))
	h := history.New()
	o := history.NewObserver(h)
	if !o.Copy(&dead) || o.Copy(&actors.Record{Topic: "dlq"}) {
		t.Error("a dead letter is one by its headers")
	}
	o.Read(source)
	got := h.Events()
	if len(got) != 2 || got[0].TP() != orders || got[0].Offset != 42 || got[0].Dest != "dlq" || got[0].Due != 9_000_000 {
		t.Fatalf("%+v", got)
	}
	if got[0].Sum != got[1].Sum || got[1].TP() != orders || got[1].Offset != 42 || string(got[1].Key) != "k" {
		t.Errorf("the copy is %+v, its source %+v", got[0], got[1])
	}
}
