package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// The headers of a dead letter: Kafka's own family (KIP-1191), values as text, and
// ours. Key, value and the record's own headers stay as they are, in front.
const (
	headerTopic     = "__dlq.errors.topic"
	headerPartition = "__dlq.errors.partition"
	headerOffset    = "__dlq.errors.offset"
	headerGroup     = "__dlq.errors.group"
	headerCount     = "__dlq.errors.delivery.count"
	headerMessage   = "__dlq.errors.message"

	headerTimestamp   = "troupe.dlq.timestamp" // the original one, milliseconds since the epoch
	headerClass       = "troupe.dlq.class"
	headerFailedAt    = "troupe.dlq.failed.at"
	headerFirstFailed = "troupe.dlq.first.failed.at"
	headerAttempts    = "troupe.dlq.attempts"
	headerHops        = "troupe.dlq.hops"
	headerPanicked    = "troupe.dlq.panicked"
	headerVersion     = "troupe.dlq.version"
)

const (
	dlqVersion = "1"
	hopsMax    = 5    // a record that was dead-lettered this often goes round in a loop: its lane stops
	messageMax = 1024 // bytes of error text in a header
)

// forward sends a record to the dead letter topic.
func (p *partition) forward(fx *core.Forward) {
	pl := payloadOf(fx.Record.Handle)
	rec, reason := pl.rec, fx.Failure.Err
	msg := forwarded{incarnation: p.incarnation, seq: fx.Seq, offset: rec.Offset, reason: reason}
	e, pid := p.e, p.ctx.Self()
	f := &Forward{Topic: p.topic.DeadLetter, Record: rec, Headers: p.deadLetterHeaders(rec, fx)}
	if err := e.steps.Hit(failpoint.Forward); err != nil {
		msg.err = err
		e.root.Send(pid, msg)
		return
	}
	e.opts.Client.Forward(f, func(err error) {
		msg.err = err
		e.root.Send(pid, msg)
	})
}

func (p *partition) forwarded(msg forwarded) {
	if msg.incarnation != p.incarnation {
		return
	}
	p.e.steps.Pass(failpoint.Forwarded)
	dest := p.topic.DeadLetter
	if msg.err != nil {
		p.emit(observe.ForwardFailed{TP: p.a.tp, Epoch: p.a.epoch, Offset: msg.offset, Dest: dest, Err: msg.err})
	} else {
		p.emit(observe.Forwarded{TP: p.a.tp, Epoch: p.a.epoch, Offset: msg.offset, Dest: dest, Err: msg.reason})
	}
	p.ev.forwarded = core.Forwarded{Epoch: p.incarnation, Seq: msg.seq, Err: msg.err, Jitter: p.e.opts.Jitter()}
	p.step(&p.ev.forwarded)
}

func (p *partition) deadLetterHeaders(rec *actors.Record, fx *core.Forward) []actors.Header {
	text := func(key, value string) actors.Header { return actors.Header{Key: key, Value: []byte(value)} }
	number := func(key string, n int64) actors.Header { return text(key, strconv.FormatInt(n, 10)) }
	hs := []actors.Header{
		text(headerTopic, rec.Topic),
		number(headerPartition, int64(rec.Partition)),
		number(headerOffset, rec.Offset),
		text(headerGroup, p.e.opts.Group),
		number(headerCount, int64(fx.Failure.Attempt)),
		text(headerMessage, clean(fx.Failure.Err)),
		text(headerClass, class(fx.Failure.Err)),
		text(headerFailedAt, fx.Last.UTC().Format(time.RFC3339Nano)),
		text(headerFirstFailed, fx.First.UTC().Format(time.RFC3339Nano)),
		number(headerAttempts, int64(fx.Failure.Attempt)),
		number(headerHops, int64(hops(rec)+1)),
		text(headerVersion, dlqVersion),
	}
	if !rec.Timestamp.IsZero() {
		hs = append(hs, number(headerTimestamp, rec.Timestamp.UnixMilli()))
	}
	if fx.Failure.Panicked {
		hs = append(hs, text(headerPanicked, "true"))
	}
	return hs
}

// hops is how often a record has been dead-lettered. The last header counts: a record
// that comes round carries the earlier ones too.
func hops(rec *actors.Record) int {
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if rec.Headers[i].Key == headerHops {
			n, err := strconv.Atoi(string(rec.Headers[i].Value))
			if err != nil || n < 0 {
				return 0
			}
			return n
		}
	}
	return 0
}

// clean is an error's text, cut, and without control characters.
func clean(err error) string {
	if err == nil {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "\uFFFD"))
	if len(text) <= messageMax {
		return text
	}
	text = text[:messageMax]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text
}

// class names the kind of an error, for grouping: the type of the innermost one.
func class(err error) string {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			return fmt.Sprintf("%T", err)
		}
		err = inner.Unwrap()
	}
}
