package history_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	deadletterv1 "github.com/troupe-go/troupe/proto/troupe/deadletter/v1"
)

func header(key, value string) actors.Header { return actors.Header{Key: key, Value: []byte(value)} }

// twice is a record that was dead-lettered before.
func twice() *actors.Record {
	return &actors.Record{
		Topic: "orders", Partition: 3, Offset: 42, Key: []byte("k"), Value: []byte("v"), Timestamp: time.UnixMilli(7).UTC(),
		Headers: []actors.Header{header("own", "x"), header("troupe.dlq.hops", "1"), header("__dlq.errors.topic", "earlier"), header("__dlq.errors.offset", "1")},
	}
}

// letter is a dead letter about a record, with the headers that are added.
func letter(of *actors.Record, added ...actors.Header) *actors.Record {
	rec := *of
	rec.Topic, rec.Partition, rec.Offset, rec.Timestamp = "dlq", 5, 0, time.UnixMilli(9)
	rec.Headers = append(append([]actors.Header{}, of.Headers...), added...)
	return &rec
}

// bare is a record without what the earlier dead letter left on it.
func bare() *actors.Record {
	rec := twice()
	rec.Headers = rec.Headers[:1]
	return rec
}

func origin() []actors.Header {
	return []actors.Header{header("__dlq.errors.topic", "orders"), header("__dlq.errors.partition", "3"), header("__dlq.errors.offset", "42"), header("troupe.dlq.timestamp", "7")}
}

func message(t *testing.T, of *deadletterv1.Record) *actors.Record {
	t.Helper()
	value, err := proto.Marshal(&deadletterv1.DeadLetter{Record: of})
	if err != nil {
		t.Fatal(err)
	}
	return &actors.Record{
		Topic: "dlq", Partition: 5, Key: []byte("k"), Value: value, Timestamp: time.UnixMilli(9),
		Headers: []actors.Header{header("troupe.dlq.hops", "2"), header("troupe.dlq.form", "m")},
	}
}

func whole() *deadletterv1.Record {
	out := &deadletterv1.Record{
		Topic: "orders", Partition: 3, Offset: 42, Key: []byte("k"), Value: []byte("v"), Timestamp: timestamppb.New(time.UnixMilli(7)),
	}
	for _, h := range twice().Headers {
		out.Headers = append(out.Headers, &deadletterv1.Header{Key: []byte(h.Key), Value: h.Value})
	}
	return out
}

func TestACopySaysWhatItIsACopyOf(t *testing.T) {
	t.Parallel()
	hops := header("troupe.dlq.hops", "2")
	other := bare()
	other.Value = []byte("w")
	for name, tt := range map[string]struct {
		rec  *actors.Record
		same bool
	}{
		"whole":                    {letter(twice(), append([]actors.Header{hops}, origin()...)...), true},
		"without the earlier one":  {letter(bare(), append([]actors.Header{hops, header("troupe.dlq.trimmed", "3")}, origin()...)...), true},
		"another, without it":      {letter(other, append([]actors.Header{hops, header("troupe.dlq.trimmed", "3")}, origin()...)...), false},
		"trimmed without need":     {letter(bare(), append([]actors.Header{hops, header("troupe.dlq.trimmed", "2")}, origin()...)...), false},
		"does not tell its origin": {letter(bare(), hops, header("troupe.dlq.trimmed", "4")), true},
		"a message":                {message(t, whole()), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := history.New()
			o := history.NewObserver(h)
			o.Read(twice())
			if !o.CopyFrom(tt.rec, "orders") {
				t.Fatal("not known")
			}
			got := h.Events()
			read, copied := got[0], got[1]
			if copied.TP() != orders || copied.Offset != 42 || copied.Dest != "dlq" || copied.DestAt != 5 || copied.Due != 9_000_000 || copied.Hops != 2 {
				t.Errorf("the copy is %+v", copied)
			}
			if (copied.Sum == read.Sum) != tt.same || string(copied.Key) != "k" || read.Hops != 1 {
				t.Errorf("the copy is %+v, its source %+v", copied, read)
			}
		})
	}
}

// Of records that are the same each is found in turn, and no order is claimed.
func TestCopiesOfRecordsThatAreTheSame(t *testing.T) {
	t.Parallel()
	h := history.New()
	o := history.NewObserver(h)
	again := twice()
	again.Offset = 50
	o.Read(again)
	o.Read(twice())
	var offsets []int64
	for range 3 {
		o.CopyFrom(letter(bare(), header("troupe.dlq.hops", "2"), header("troupe.dlq.trimmed", "4")), "orders")
		last := h.Events()[len(h.Events())-1]
		if last.Key != nil {
			t.Errorf("the copy has the key %q, want none", last.Key)
		}
		offsets = append(offsets, last.Offset)
	}
	if !slices.Equal(offsets, []int64{42, 50, 42}) {
		t.Errorf("copies of %v, want 42, 50 and 42", offsets)
	}
}

func TestWhatIsNoCopyIsNotKnown(t *testing.T) {
	t.Parallel()
	h := history.New()
	o := history.NewObserver(h)
	o.Read(twice())
	n := len(h.Events())
	untold := letter(bare(), header("troupe.dlq.hops", "2"), header("troupe.dlq.trimmed", "4"))
	more := letter(bare(), header("troupe.dlq.hops", "3"), header("troupe.dlq.trimmed", "4"))
	another := letter(bare(), header("troupe.dlq.hops", "2"), header("troupe.dlq.trimmed", "4"))
	another.Value = nil
	cut := message(t, whole())
	cut.Value = cut.Value[:3]
	for name, known := range map[string]bool{
		"plain":              o.Copy(&actors.Record{Topic: "dlq"}),
		"of a topic unnamed": o.Copy(untold),
		"of another topic":   o.CopyFrom(untold, "jobs"),
		"of no record there": o.CopyFrom(another, "orders"),
		"of another round":   o.CopyFrom(more, "orders"),
		"cut off":            o.Copy(cut),
	} {
		if known {
			t.Errorf("%s: it is known", name)
		}
	}
	if len(h.Events()) != n {
		t.Errorf("%d events, want %d", len(h.Events()), n)
	}
}
