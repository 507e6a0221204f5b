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
