package deadletter

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/deadletter"
	deadletterv1 "github.com/troupe-go/troupe/proto/troupe/deadletter/v1"
)

// ErrNotDeadLetter means that a record has nothing of a dead letter. See
// docs/errors.md#not-dead-letter.
var ErrNotDeadLetter = errors.New("deadletter: the record is no dead letter")

// ErrMalformed means that a record says that it is a dead letter and cannot be read as
// one. See docs/errors.md#malformed-dead-letter.
var ErrMalformed = errors.New("deadletter: malformed")

// Decode reads the dead letter that rec, as it was consumed from a dead letter topic,
// carries in its headers or is as a message. What was left out of it because it was too
// large is absent. The result shares the memory of rec.
//
// Errors: ErrNotDeadLetter; ErrMalformed with what is wrong.
func Decode(rec *actors.Record) (*deadletterv1.DeadLetter, error) {
	begin := beginning(rec.Headers)
	if begin == len(rec.Headers) {
		return nil, ErrNotDeadLetter
	}
	if form, ok := deadletter.Last(rec.Headers[begin:], deadletter.KeyForm); ok {
		return decodeMessage(rec, string(form))
	}
	return decodeHeaders(rec, begin)
}

// Original is the record that a dead letter is about, as its topic had it. Topic,
// Partition and Offset are zero where the letter does not tell; Attempt is.
func Original(letter *deadletterv1.DeadLetter) *actors.Record {
	from := letter.GetRecord()
	rec := &actors.Record{
		Topic: from.GetTopic(), Partition: from.GetPartition(), Offset: from.GetOffset(), Key: from.GetKey(), Value: from.GetValue(),
	}
	if at := from.GetTimestamp(); at != nil {
		rec.Timestamp = at.AsTime()
	}
	for _, h := range from.GetHeaders() {
		rec.Headers = append(rec.Headers, actors.Header{Key: string(h.GetKey()), Value: h.GetValue()})
	}
	return rec
}

func decodeMessage(rec *actors.Record, form string) (*deadletterv1.DeadLetter, error) {
	if form != deadletter.MessageName() {
		return nil, fmt.Errorf("%w: the form %q is not known", ErrMalformed, form)
	}
	letter := &deadletterv1.DeadLetter{}
	if err := proto.Unmarshal(rec.Value, letter); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if letter.GetRecord() == nil {
		return nil, fmt.Errorf("%w: the message has no record", ErrMalformed)
	}
	return letter, nil
}

// decodeHeaders reads the headers of the last dead letter, which begin somewhere. Those in
// front of it are the record's own, those of earlier ones among them.
func decodeHeaders(rec *actors.Record, begin int) (*deadletterv1.DeadLetter, error) {
	own := append([]actors.Header(nil), rec.Headers[:begin]...)
	r := reader{values: map[string]string{}}
	for _, h := range rec.Headers[begin:] {
		if deadletter.IsAdded(h.Key) {
			r.values[h.Key] = string(h.Value)
		} else {
			own = append(own, h)
		}
	}
	letter := &deadletterv1.DeadLetter{
		Record: &deadletterv1.Record{
			Topic:     r.text(deadletter.KeyTopic),
			Partition: int32(r.number(deadletter.KeyPartition, 31)), //nolint:gosec // it fits
			Offset:    r.number(deadletter.KeyOffset, 63),
			Key:       rec.Key, Value: rec.Value, Headers: deadletter.MessageHeaders(own),
		},
		Group:   r.text(deadletter.KeyGroup),
		Hops:    max(int32(r.number(deadletter.KeyHops, 31)), 1), //nolint:gosec // it fits
		Trimmed: int32(r.number(deadletter.KeyTrimmed, 31)),      //nolint:gosec // it fits
		Failure: &deadletterv1.Failure{
			Message:     r.text(deadletter.KeyMessage),
			Class:       r.text(deadletter.KeyClass),
			Attempts:    int32(r.number(deadletter.KeyCount, 31)), //nolint:gosec // it fits
			Panicked:    r.text(deadletter.KeyPanicked) == "true",
			FirstFailed: deadletter.Stamp(r.time(deadletter.KeyFirstFailed)),
			LastFailed:  deadletter.Stamp(r.time(deadletter.KeyFailedAt)),
		},
	}
	if _, ok := r.values[deadletter.KeyTimestamp]; ok {
		letter.Record.Timestamp = deadletter.Stamp(time.UnixMilli(r.number(deadletter.KeyTimestamp, 63)))
	}
	if letter.GetTrimmed() >= 2 { // the second step leaves the failure out
		letter.Failure = nil
	}
	return letter, r.err
}

// beginning is where the headers of the last dead letter begin. One of Troupe begins with
// its hops; another writer's is the last run of its headers.
func beginning(headers []actors.Header) int {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == deadletter.KeyHops {
			return i
		}
	}
	end := len(headers)
	for end > 0 && !deadletter.IsAdded(headers[end-1].Key) {
		end--
	}
	if end == 0 {
		return len(headers)
	}
	for end > 0 && deadletter.IsAdded(headers[end-1].Key) {
		end--
	}
	return end
}

// reader reads values, and keeps the first error.
type reader struct {
	values map[string]string
	err    error
}

func (r *reader) text(key string) string { return r.values[key] }

// number reads a decimal number that is not negative, of so many bits; 0: there is none.
func (r *reader) number(key string, bits int) int64 {
	s, ok := r.values[key]
	if !ok {
		return 0
	}
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		r.fail(key, err)
	}
	return int64(n) //nolint:gosec // of 63 bits at most
}

func (r *reader) time(key string) time.Time {
	s, ok := r.values[key]
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		r.fail(key, err)
	}
	return t
}

func (r *reader) fail(key string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: header %s: %w", ErrMalformed, key, err)
	}
}
