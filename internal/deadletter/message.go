package deadletter

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/troupe-go/troupe/actors"
	deadletterv1 "github.com/troupe-go/troupe/proto/troupe/deadletter/v1"
)

// MessageName is what KeyForm says of a letter that is a message.
func MessageName() string {
	return string((*deadletterv1.DeadLetter)(nil).ProtoReflect().Descriptor().FullName())
}

// asMessage makes a record whose value is the letter. Its key stays, so that it goes to
// the same partition as ever, and so do the headers that carry a trace.
func (l *Letter) asMessage(steps int) (*actors.Record, []actors.Header) {
	value, err := proto.Marshal(l.asProto(steps))
	if err != nil { // strings that are no UTF-8 alone, and all of them are names or made valid
		panic(fmt.Sprintf("dead letter of %s/%d offset %d: %v", l.Record.Topic, l.Record.Partition, l.Record.Offset, err))
	}
	rec := *l.Record
	rec.Value, rec.Headers = value, nil
	if steps < trimFailure {
		for _, h := range l.Record.Headers {
			if h.Key == "traceparent" || h.Key == "tracestate" {
				rec.Headers = append(rec.Headers, h)
			}
		}
	}
	hs := l.routing(steps)
	hs.text(KeyForm, MessageName())
	return &rec, hs
}

// asProto is the letter as a message.
func (l *Letter) asProto(steps int) *deadletterv1.DeadLetter {
	from := l.Record
	if steps >= trimEarlier {
		from = withoutEarlier(from)
	}
	m := &deadletterv1.DeadLetter{
		Record: &deadletterv1.Record{Key: from.Key, Value: from.Value, Headers: MessageHeaders(from.Headers)},
		Group:  l.Group, Hops: int32(Hops(l.Record) + 1), Trimmed: int32(steps), //nolint:gosec // both are small
	}
	if steps < trimOrigin {
		m.Record.Topic, m.Record.Partition, m.Record.Offset = from.Topic, from.Partition, from.Offset
		m.Record.Timestamp = Stamp(from.Timestamp)
	}
	if steps < trimFailure {
		m.Failure = &deadletterv1.Failure{
			Class: class(l.Err), Attempts: int32(l.Attempts), Panicked: l.Panicked, //nolint:gosec // so often nothing is delivered
			FirstFailed: Stamp(l.First), LastFailed: Stamp(l.Last),
		}
	}
	if steps < trimText {
		m.Failure.Message = text(l.Err)
	}
	return m
}

// MessageHeaders are headers as a message has them.
func MessageHeaders(headers []actors.Header) []*deadletterv1.Header {
	out := make([]*deadletterv1.Header, 0, len(headers))
	for _, h := range headers {
		out = append(out, &deadletterv1.Header{Key: []byte(h.Key), Value: h.Value})
	}
	return out
}

// Stamp is a time as a message has it; nil: there is none.
func Stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
