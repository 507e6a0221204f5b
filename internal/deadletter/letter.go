package deadletter

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/cause"
)

const messageMax = 1024 // bytes of error text

// Letter is a record that could not be processed, and why.
type Letter struct {
	Record   *actors.Record
	Group    string
	Err      error
	Attempts int
	Panicked bool
	First    time.Time // when the record first failed; zero: an owner before gave it up, and it is not known
	Last     time.Time // when it last failed
}

// Form is what a letter looks like on the wire.
type Form int

// The forms. Protobuf puts all of the record into a message. With the others key, value
// and headers stay as they are, in front, and the letter is in headers behind them:
// Kafka's and ours, and with Spring and Connect theirs too.
const (
	Headers Form = iota
	Spring
	Connect
	Protobuf
)

// Trims is how many steps there are to make a letter smaller. None of them leaves out the
// key or the value of the record, or a header that its producer gave it. Each comes on
// top of those before:
//
//  1. the error's text;
//  2. what else describes the failure, and the headers of other tools;
//  3. what earlier dead letters added to the record;
//  4. where the record comes from. Group and hops stay.
const Trims = 4

// The steps, by what they leave out.
const (
	trimText = 1 + iota
	trimFailure
	trimEarlier
	trimOrigin
)

// Encode makes the record to write, and the headers that come behind its own. Steps are
// how many of Trims are taken.
func (l *Letter) Encode(form Form, steps int) (*actors.Record, []actors.Header) {
	if form == Protobuf {
		return l.asMessage(steps)
	}
	rec := l.Record
	if steps >= trimEarlier {
		rec = withoutEarlier(rec)
	}
	return rec, l.headers(form, steps)
}

// withoutEarlier is a copy of rec without the headers of earlier dead letters, but for the
// one that tells that the value is a message.
func withoutEarlier(rec *actors.Record) *actors.Record {
	out := *rec
	out.Headers = nil
	for _, h := range rec.Headers {
		if !IsAdded(h.Key) || h.Key == KeyForm {
			out.Headers = append(out.Headers, h)
		}
	}
	return &out
}

// text is an error's text, cut, and without control characters.
func text(err error) string {
	if err == nil {
		return ""
	}
	s := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(err.Error(), "\uFFFD"))
	if len(s) <= messageMax {
		return s
	}
	s = s[:messageMax]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// class names the kind of an error, for grouping: the type of the innermost one.
func class(err error) string { return kind(cause.Innermost(err)) }

func kind(err error) string { return fmt.Sprintf("%T", err) }
