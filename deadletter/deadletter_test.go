package deadletter_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/deadletter"
	wire "github.com/troupe-go/troupe/internal/deadletter"
	deadletterv1 "github.com/troupe-go/troupe/proto/troupe/deadletter/v1"
)

func record() *actors.Record {
	return &actors.Record{
		Topic: "orders", Partition: 3, Offset: 258, Key: []byte{}, Value: nil, Timestamp: time.UnixMilli(1_000_000_000_123).UTC(),
		Headers: []actors.Header{{Key: "own", Value: []byte("1")}, {Key: "own"}, {Key: "\xff", Value: []byte{}}},
	}
}

// written is a letter about rec as a consumer gets it.
func written(rec *actors.Record, form wire.Form, steps int) *actors.Record {
	at := time.UnixMilli(1_000_000_001_000).UTC()
	l := &wire.Letter{Record: rec, Group: "g", Err: errors.New("bad"), Attempts: 4, Panicked: true, First: at, Last: at.Add(time.Second)}
	out, added := l.Encode(form, steps)
	return &actors.Record{
		Topic: "dlq", Offset: 1, Key: out.Key, Value: out.Value, Timestamp: time.UnixMilli(2_000_000_000_000), Attempt: 1,
		Headers: append(append([]actors.Header(nil), out.Headers...), added...),
	}
}

// The forms carry the same, and what a step leaves out is absent in each.
func TestWhatWasWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, form := range []wire.Form{wire.Headers, wire.Spring, wire.Connect, wire.Protobuf} {
		for steps := range wire.Trims + 1 {
			got, err := deadletter.Decode(written(record(), form, steps))
			if err != nil {
				t.Fatal(err)
			}
			want := record()
			if steps >= 4 {
				want.Topic, want.Partition, want.Offset, want.Timestamp = "", 0, 0, time.Time{}
			}
			if original := deadletter.Original(got); !reflect.DeepEqual(original, want) {
				t.Errorf("form %d, step %d: the record is %+v, want %+v", form, steps, original, want)
			}
			if got.GetGroup() != "g" || got.GetHops() != 1 || got.GetTrimmed() != int32(steps) {
				t.Errorf("form %d, step %d: group %q, hops %d, trimmed %d", form, steps, got.GetGroup(), got.GetHops(), got.GetTrimmed())
			}
			f := got.GetFailure()
			if (f != nil) != (steps < 2) || (f.GetMessage() == "bad") != (steps == 0) {
				t.Errorf("form %d, step %d: failure %v", form, steps, f)
			}
			if f != nil && (f.GetAttempts() != 4 || !f.GetPanicked() || f.GetClass() != "*errors.errorString" ||
				f.GetFirstFailed().AsTime() != time.UnixMilli(1_000_000_001_000).UTC() || f.GetLastFailed().AsTime() != time.UnixMilli(1_000_000_002_000).UTC()) {
				t.Errorf("form %d, step %d: failure %v", form, steps, f)
			}
		}
	}
}

// A letter about a letter is read as the last one; the record within is the earlier one,
// which is read again, whatever forms the two have. The third step leaves out the headers
// of the earlier one: of a message what tells that it is one stays.
func TestALetterAboutALetter(t *testing.T) {
	t.Parallel()
	forms := []wire.Form{wire.Headers, wire.Spring, wire.Connect, wire.Protobuf}
	for _, inner := range forms {
		for _, outer := range forms {
			for steps := range wire.Trims {
				letterAboutLetter(t, inner, outer, steps)
			}
		}
	}
}

func letterAboutLetter(t *testing.T, inner, outer wire.Form, steps int) {
	t.Helper()
	got, err := deadletter.Decode(written(written(record(), inner, 0), outer, steps))
	if err != nil {
		t.Fatalf("form %d about form %d, step %d: %v", outer, inner, steps, err)
	}
	if got.GetHops() != 2 || got.GetRecord().GetTopic() != "dlq" || got.GetRecord().GetOffset() != 1 {
		t.Errorf("form %d about form %d, step %d: hops %d, of %s at %d", outer, inner, steps, got.GetHops(), got.GetRecord().GetTopic(), got.GetRecord().GetOffset())
	}
	first := deadletter.Original(got)
	if steps < 3 || inner == wire.Protobuf {
		letter, err := deadletter.Decode(first)
		if err != nil {
			t.Fatalf("form %d about form %d, step %d: the letter within: %v", outer, inner, steps, err)
		}
		first = deadletter.Original(letter)
	} else {
		want := record()
		first.Topic, first.Partition, first.Offset, first.Timestamp = want.Topic, want.Partition, want.Offset, want.Timestamp
	}
	if !reflect.DeepEqual(first, record()) {
		t.Errorf("form %d about form %d, step %d: the first record is %v", outer, inner, steps, first)
	}
}

// with is a record with headers, written as key=value.
func with(value string, fields ...string) *actors.Record {
	rec := &actors.Record{Value: []byte(value)}
	for _, f := range fields {
		key, value, _ := strings.Cut(f, "=")
		rec.Headers = append(rec.Headers, actors.Header{Key: key, Value: []byte(value)})
	}
	return rec
}

// What Kafka itself writes has no hops; what comes behind it belongs to the record.
func TestALetterOfKafkasOwn(t *testing.T) {
	t.Parallel()
	rec := with("v", "own=1", "__dlq.errors.topic=t", "__dlq.errors.offset=7", "__dlq.errors.group=s", "__dlq.errors.delivery.count=5", "later=2")
	got, err := deadletter.Decode(rec)
	if err != nil {
		t.Fatal(err)
	}
	if r := got.GetRecord(); r.GetTopic() != "t" || r.GetOffset() != 7 || len(r.GetHeaders()) != 2 || string(r.GetHeaders()[1].GetKey()) != "later" {
		t.Errorf("record %v", r)
	}
	if got.GetHops() != 1 || got.GetGroup() != "s" || got.GetFailure().GetAttempts() != 5 {
		t.Errorf("letter %v", got)
	}
}

func TestWhatIsNoLetterIsRefused(t *testing.T) {
	t.Parallel()
	truncated, err := proto.Marshal(&deadletterv1.DeadLetter{Record: &deadletterv1.Record{Topic: "orders"}})
	if err != nil {
		t.Fatal(err)
	}
	form := "troupe.dlq.form=" + wire.MessageName()
	for name, tt := range map[string]struct {
		rec  *actors.Record
		want error
	}{
		"no headers":        {with("v"), deadletter.ErrNotDeadLetter},
		"others":            {with("v", "own=1"), deadletter.ErrNotDeadLetter},
		"unknown form":      {with("v", "troupe.dlq.form=x"), deadletter.ErrMalformed},
		"truncated":         {with(string(truncated[:3]), form), deadletter.ErrMalformed},
		"no record":         {with("", form), deadletter.ErrMalformed},
		"text for a number": {with("v", "troupe.dlq.hops=1", "__dlq.errors.offset=x"), deadletter.ErrMalformed},
		"a negative number": {with("v", "troupe.dlq.hops=-1"), deadletter.ErrMalformed},
		"too large":         {with("v", "troupe.dlq.hops=1", "__dlq.errors.partition=2147483648"), deadletter.ErrMalformed},
		"no time":           {with("v", "troupe.dlq.hops=1", "troupe.dlq.failed.at=now"), deadletter.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if letter, err := deadletter.Decode(tt.rec); !errors.Is(err, tt.want) {
				t.Errorf("Decode returned %v, %v, want %v", letter, err, tt.want)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, form := range []wire.Form{wire.Headers, wire.Protobuf} {
		rec := written(record(), form, 0)
		for _, h := range rec.Headers {
			f.Add(rec.Value, h.Key, h.Value, "own", []byte("1"))
		}
	}
	f.Fuzz(func(t *testing.T, value []byte, key1 string, value1 []byte, key2 string, value2 []byte) {
		rec := &actors.Record{Value: value, Headers: []actors.Header{{Key: key1, Value: value1}, {Key: key2, Value: value2}}}
		letter, err := deadletter.Decode(rec)
		if err != nil && !errors.Is(err, deadletter.ErrNotDeadLetter) && !errors.Is(err, deadletter.ErrMalformed) {
			t.Errorf("an error that is not ours: %v", err)
		}
		if err == nil && (letter.GetRecord() == nil || len(deadletter.Original(letter).Headers) > len(value)+2) {
			t.Errorf("%v of %v", letter, rec)
		}
	})
}
