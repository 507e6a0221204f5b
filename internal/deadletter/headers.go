package deadletter

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/troupe-go/troupe/actors"
)

const version = "1"

// list collects headers.
type list []actors.Header

func (l *list) bytes(key string, value []byte) {
	*l = append(*l, actors.Header{Key: key, Value: value})
}

func (l *list) text(key, value string) { l.bytes(key, []byte(value)) }

func (l *list) number(key string, n int64) { l.text(key, strconv.FormatInt(n, 10)) }

func (l *list) time(key string, t time.Time) { l.text(key, t.UTC().Format(time.RFC3339Nano)) }

// routing is what every letter has: it stops loops, and tells whose the letter is.
func (l *Letter) routing(steps int) list {
	var hs list
	hs.number(KeyHops, int64(Hops(l.Record)+1))
	hs.text(KeyGroup, l.Group)
	if steps > 0 {
		hs.number(KeyTrimmed, int64(steps))
	}
	return hs
}

func (l *Letter) headers(form Form, steps int) []actors.Header {
	hs := l.routing(steps)
	if steps < trimOrigin {
		hs.text(KeyTopic, l.Record.Topic)
		hs.number(KeyPartition, int64(l.Record.Partition))
		hs.number(KeyOffset, l.Record.Offset)
		if !l.Record.Timestamp.IsZero() {
			hs.number(KeyTimestamp, l.Record.Timestamp.UnixMilli())
		}
	}
	if steps < trimFailure {
		hs.number(KeyCount, int64(l.Attempts))
		hs.number(KeyAttempts, int64(l.Attempts))
		hs.text(KeyClass, class(l.Err))
		if !l.First.IsZero() {
			hs.time(KeyFailedAt, l.Last)
			hs.time(KeyFirstFailed, l.First)
		}
		hs.text(KeyVersion, version)
		if l.Panicked {
			hs.text(KeyPanicked, "true")
		}
		l.others(&hs, form)
	}
	if steps < trimText {
		l.message(&hs, form)
	}
	return hs
}

// others adds what other tools look for.
func (l *Letter) others(hs *list, form Form) {
	rec := l.Record
	switch form {
	case Spring:
		at := int64(-1)
		if !rec.Timestamp.IsZero() {
			at = rec.Timestamp.UnixMilli()
		}
		hs.text(springTopic, rec.Topic)
		hs.bytes(springPartition, binary.BigEndian.AppendUint32(nil, uint32(rec.Partition))) //nolint:gosec // the bits
		hs.bytes(springOffset, binary.BigEndian.AppendUint64(nil, uint64(rec.Offset)))       //nolint:gosec // the bits
		hs.bytes(springTimestamp, binary.BigEndian.AppendUint64(nil, uint64(at)))            //nolint:gosec // the bits
		hs.text(springGroup, l.Group)
		hs.text(springClass, kind(l.Err))
		hs.text(springCause, class(l.Err))
	case Connect:
		hs.text(connectTopic, rec.Topic)
		hs.number(connectPartition, int64(rec.Partition))
		hs.number(connectOffset, rec.Offset)
		hs.text(connectName, l.Group)
		hs.text(connectClass, class(l.Err))
	case Headers, Protobuf: // ours are all
	}
}

// message adds the error's text for each family.
func (l *Letter) message(hs *list, form Form) {
	s := text(l.Err)
	hs.text(KeyMessage, s)
	switch form {
	case Spring:
		hs.text(springMessage, s)
	case Connect:
		hs.text(connectMessage, s)
	case Headers, Protobuf: // ours is all
	}
}
