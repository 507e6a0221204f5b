package history

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-go/troupe/actors"
	deadletterv1 "github.com/troupe-go/troupe/proto/troupe/deadletter/v1"
	"github.com/troupe-go/troupe/runtime/observe"
)

// The headers that a dead letter has behind those of its source, of which that of the hops
// is the first. They are spelled out here: the runtime's own names may be the ones that
// are wrong.
const (
	headerHops      = "troupe.dlq.hops"
	headerTrimmed   = "troupe.dlq.trimmed"
	headerTopic     = "__dlq.errors.topic"
	headerPartition = "__dlq.errors.partition"
	headerOffset    = "__dlq.errors.offset"
	headerTimestamp = "troupe.dlq.timestamp"
	headerForm      = "troupe.dlq.form" // with one that is a message
)

// trimsEarlier is the step from which on a dead letter lacks what earlier ones left on its
// source.
const trimsEarlier = 3

// letter is what a dead letter says.
type letter struct {
	source  actors.Record // its topic is empty when the letter does not tell
	hops    int
	trimmed int
}

// letterOf reads the headers of the last dead letter: the record may carry those of
// earlier ones in front. It reports whether there is one.
func letterOf(rec *actors.Record) (letter, bool) {
	begin := lastHops(rec)
	if begin < 0 {
		return letter{}, false
	}
	l := letter{source: actors.Record{Key: rec.Key, Value: rec.Value, Headers: rec.Headers[:begin]}}
	message := false
	for _, h := range rec.Headers[begin:] {
		switch n, _ := strconv.ParseInt(string(h.Value), 10, 64); h.Key {
		case headerHops:
			l.hops = int(n)
		case headerTrimmed:
			l.trimmed = int(n)
		case headerTopic:
			l.source.Topic = string(h.Value)
		case headerPartition:
			l.source.Partition = int32(n) //nolint:gosec // it was one
		case headerOffset:
			l.source.Offset = n
		case headerTimestamp:
			l.source.Timestamp = time.UnixMilli(n)
		case headerForm:
			message = true
		}
	}
	if !message {
		return l, true
	}
	return l, l.open(rec.Value)
}

// lastHops is where the last header of hops is; below 0: there is none.
func lastHops(rec *actors.Record) int {
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if rec.Headers[i].Key == headerHops {
			return i
		}
	}
	return -1
}

// HopsOf is how often a record says that it was dead-lettered.
func HopsOf(rec *actors.Record) int {
	if i := lastHops(rec); i >= 0 {
		n, _ := strconv.Atoi(string(rec.Headers[i].Value)) // which is 0 for what is none
		return n
	}
	return 0
}

// open takes the source out of a message.
func (l *letter) open(value []byte) bool {
	var message deadletterv1.DeadLetter
	if err := proto.Unmarshal(value, &message); err != nil {
		return false
	}
	from := message.GetRecord()
	l.source = actors.Record{
		Topic: from.GetTopic(), Partition: from.GetPartition(), Offset: from.GetOffset(), Key: from.GetKey(), Value: from.GetValue(),
	}
	if at := from.GetTimestamp(); at != nil {
		l.source.Timestamp = at.AsTime()
	}
	for _, h := range from.GetHeaders() {
		l.source.Headers = append(l.source.Headers, actors.Header{Key: string(h.GetKey()), Value: h.GetValue()})
	}
	return true
}

// Copy is DeadLetter, of a copy as a client read it. It reports whether that is a dead
// letter which tells what it is a copy of.
func (o *Observer) Copy(rec *actors.Record) bool { return o.CopyFrom(rec) }

// CopyFrom is Copy, where all dead letters are of some topics. One that was made so small
// that it does not tell where it comes from is taken for a copy of a record there that
// holds the same and was dead-lettered once less, if Read was told of one. Where there are
// several, as when that record is itself a copy that was written twice, each is taken in
// turn, and as nobody knows which it was the copy has no key that order could be kept by.
func (o *Observer) CopyFrom(rec *actors.Record, topics ...string) bool {
	l, ok := letterOf(rec)
	key := rec.Key
	if ok && l.source.Topic == "" {
		found := o.find(topics, &l)
		if ok = found > 0; found > 1 {
			key = nil
		}
	}
	if !ok {
		return false
	}
	tp := observe.TopicPartition{Topic: l.source.Topic, Partition: l.source.Partition}
	o.history.Append(Event{
		Kind: DeadLetterObserved, Dest: rec.Topic, DestAt: rec.Partition, Offset: l.source.Offset, Key: key, Hops: l.hops,
		Due: nanos(rec.Timestamp), Sum: o.sum(tp, &l),
	}.at(tp))
	return true
}

// Read is Record, of a record as a client read it.
func (o *Observer) Read(rec *actors.Record) {
	tp := observe.TopicPartition{Topic: rec.Topic, Partition: rec.Partition}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen[tp] == nil {
		o.seen[tp] = map[int64]*actors.Record{}
	}
	o.seen[tp][rec.Offset] = rec
	o.history.Append(Event{Kind: RecordObserved, Offset: rec.Offset, Key: rec.Key, Hops: HopsOf(rec), Sum: SumOf(rec)}.at(tp))
}

// find sets the source of a letter that does not tell it, and returns how many it may have
// been. It sets the first one that it has set least often.
func (o *Observer) find(topics []string, l *letter) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []*actors.Record
	for tp, records := range o.seen {
		for _, rec := range records {
			if slices.Contains(topics, tp.Topic) && HopsOf(rec) == l.hops-1 && bareSum(rec, time.Time{}) == bareSum(&l.source, time.Time{}) {
				all = append(all, rec)
			}
		}
	}
	if len(all) == 0 {
		return 0
	}
	first := slices.MinFunc(all, func(a, b *actors.Record) int {
		return cmp.Or(cmp.Compare(o.found[a], o.found[b]), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	o.found[first]++
	l.source = *first
	return len(all)
}

// sum is the checksum of what a letter holds. Where what earlier ones left on the source is
// left out, it is that of the source if all else is the same.
func (o *Observer) sum(tp observe.TopicPartition, l *letter) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	rec := o.seen[tp][l.source.Offset]
	if l.trimmed >= trimsEarlier && rec != nil && bareSum(rec, rec.Timestamp) == bareSum(&l.source, l.source.Timestamp) {
		return SumOf(rec)
	}
	return SumOf(&l.source)
}

// bareSum is the checksum of a record as its producer made it, but for the timestamp.
func bareSum(rec *actors.Record, at time.Time) uint64 {
	bare := actors.Record{Key: rec.Key, Value: rec.Value, Timestamp: at}
	for _, h := range rec.Headers {
		if !ofALetter(h.Key) || h.Key == headerForm {
			bare.Headers = append(bare.Headers, h)
		}
	}
	return SumOf(&bare)
}

// ofALetter tells whether dead letters have headers of this key.
func ofALetter(key string) bool {
	for _, family := range []string{"troupe.dlq.", "__dlq.errors.", "kafka_dlt-", "__connect.errors."} {
		if strings.HasPrefix(key, family) {
			return true
		}
	}
	return false
}
