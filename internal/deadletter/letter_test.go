package deadletter

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/troupe-go/troupe/actors"
)

var errBad = errors.New("bad")

func letter() *Letter {
	at := time.UnixMilli(1_000_000_000_123).UTC()
	return &Letter{
		Record: &actors.Record{
			Topic: "orders", Partition: 3, Offset: 258, Key: []byte("k"), Value: []byte("v"), Timestamp: at,
			Headers: []actors.Header{{Key: "own", Value: []byte("1")}, {Key: KeyHops, Value: []byte("1")}, {Key: "kafka_dlt-original-topic", Value: []byte("t")}},
		},
		Group: "g", Err: fmt.Errorf("pay: %w", errBad), Attempts: 4, Panicked: true, First: at.Add(time.Second), Last: at.Add(2 * time.Second),
	}
}

// show is one header per word, binary values in hex.
func show(rec *actors.Record, added []actors.Header) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s=%s", rec.Key, rec.Value)
	for _, h := range append(append([]actors.Header(nil), rec.Headers...), added...) {
		value := string(h.Value)
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == utf8.RuneError }) {
			value = "x" + hex.EncodeToString(h.Value)
		}
		fmt.Fprintf(&b, "\n%s: %s", h.Key, value)
	}
	return b.String()
}

const (
	own     = "k=v\nown: 1\n"
	earlier = "troupe.dlq.hops: 1\nkafka_dlt-original-topic: t\n"
	origin  = "__dlq.errors.topic: orders\n__dlq.errors.partition: 3\n__dlq.errors.offset: 258\ntroupe.dlq.timestamp: 1000000000123\n"
	failed  = "__dlq.errors.delivery.count: 4\ntroupe.dlq.attempts: 4\ntroupe.dlq.class: *errors.errorString\n" +
		"troupe.dlq.failed.at: 2001-09-09T01:46:42.123Z\ntroupe.dlq.first.failed.at: 2001-09-09T01:46:41.123Z\n" +
		"troupe.dlq.version: 1\ntroupe.dlq.panicked: true\n"
	spring = "kafka_dlt-original-topic: orders\nkafka_dlt-original-partition: x00000003\n" +
		"kafka_dlt-original-offset: x0000000000000102\nkafka_dlt-original-timestamp: x000000e8d4a5107b\n" +
		"kafka_dlt-original-consumer-group: g\nkafka_dlt-exception-fqcn: *fmt.wrapError\nkafka_dlt-exception-cause-fqcn: *errors.errorString\n"
	connect = "__connect.errors.topic: orders\n__connect.errors.partition: 3\n__connect.errors.offset: 258\n" +
		"__connect.errors.connector.name: g\n__connect.errors.exception.class.name: *errors.errorString\n"
	message = "__dlq.errors.message: pay: bad"
)

func routing(steps string) string {
	if steps != "" {
		steps = "troupe.dlq.trimmed: " + steps + "\n"
	}
	return "troupe.dlq.hops: 2\n__dlq.errors.group: g\n" + steps
}

func TestFormsAndSteps(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		form  Form
		steps int
		want  string
	}{
		"headers": {Headers, 0, own + earlier + routing("") + origin + failed + message},
		"spring":  {Spring, 0, own + earlier + routing("") + origin + failed + spring + message + "\nkafka_dlt-exception-message: pay: bad"},
		"connect": {Connect, 0, own + earlier + routing("") + origin + failed + connect + message + "\n__connect.errors.exception.message: pay: bad"},
		"step 1":  {Spring, trimText, own + earlier + routing("1") + origin + failed + spring},
		"step 2":  {Spring, trimFailure, own + earlier + routing("2") + origin},
		"step 3":  {Headers, trimEarlier, own + routing("3") + origin},
		"step 4":  {Headers, Trims, own + routing("4")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := letter()
			if got := show(l.Encode(tt.form, tt.steps)); got != strings.TrimSuffix(tt.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if n := len(l.Record.Headers); n != 3 {
				t.Errorf("the record itself has %d headers now, want 3", n)
			}
		})
	}
}

// Each step is smaller than the one before, in every form, and keeps key and value.
func TestEachStepIsSmaller(t *testing.T) {
	t.Parallel()
	for _, form := range []Form{Headers, Spring, Connect, Protobuf} {
		last := 1 << 30
		for steps := range Trims + 1 {
			l := letter()
			l.Err = errors.New(strings.Repeat("x", 100))
			rec, added := l.Encode(form, steps)
			size := len(show(rec, added))
			if size >= last {
				t.Errorf("form %d: step %d has %d bytes, the one before %d", form, steps, size, last)
			}
			last = size
			if !strings.Contains(show(rec, added), "troupe.dlq.hops: 2") {
				t.Errorf("form %d: step %d has no hops", form, steps)
			}
		}
	}
}

func TestARecordWithoutATimestampHasNone(t *testing.T) {
	t.Parallel()
	l := letter()
	l.Record.Timestamp = time.Time{}
	got := show(l.Encode(Spring, 0))
	if strings.Contains(got, KeyTimestamp) || !strings.Contains(got, "kafka_dlt-original-timestamp: xffffffffffffffff") {
		t.Errorf("headers\n%s\nwant no timestamp, and spring's -1", got)
	}
}

type endless struct{}

func (endless) Error() string { return "endless" }

func (e endless) Unwrap() error { return e }

func TestTextAndClassOfErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err         error
		text, class string
	}{
		{nil, "", "<nil>"},
		{errors.New("a\nb\x00c"), "a b c", "*errors.errorString"},
		{errors.New("a\xff"), "a\uFFFD", "*errors.errorString"},
		{errors.New(strings.Repeat("é", messageMax)), strings.Repeat("é", messageMax/2), "*errors.errorString"},
		{errors.New("x" + strings.Repeat("é", messageMax)), "x" + strings.Repeat("é", messageMax/2-1), "*errors.errorString"},
		{fmt.Errorf("a: %w", endless{}), "a: endless", "deadletter.endless"},
	} {
		if got := text(tt.err); got != tt.text {
			t.Errorf("text %.20q, want %.20q", got, tt.text)
		}
		if got := class(tt.err); got != tt.class {
			t.Errorf("class %q, want %q", got, tt.class)
		}
	}
}

func TestHopsAndGroupAreThoseOfTheLastLetter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		headers string
		hops    int
		group   string
	}{
		{"", 0, ""},
		{"own=1", 0, ""},
		{"troupe.dlq.hops=1 troupe.dlq.hops=4 __dlq.errors.group=a __dlq.errors.group=b", 4, "b"},
		{"troupe.dlq.hops=-1 kafka_dlt-original-consumer-group=c", 0, "c"},
		{"troupe.dlq.hops=x __dlq.errors.group=a kafka_dlt-original-consumer-group=c", 0, "c"},
	} {
		rec := &actors.Record{}
		for field := range strings.FieldsSeq(tt.headers) {
			key, value, _ := strings.Cut(field, "=")
			rec.Headers = append(rec.Headers, actors.Header{Key: key, Value: []byte(value)})
		}
		if got := Hops(rec); got != tt.hops {
			t.Errorf("%q: hops %d, want %d", tt.headers, got, tt.hops)
		}
		if got := Group(rec); got != tt.group {
			t.Errorf("%q: group %q, want %q", tt.headers, got, tt.group)
		}
	}
}
