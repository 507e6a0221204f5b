package history

import (
	"sync"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Producer is what is known of the records that were sent.
type Producer struct{ history *History }

// NewProducer makes one. It may be shared.
func NewProducer(h *History) *Producer { return &Producer{h} }

// Attempted is a record that was sent.
type Attempted struct {
	history *History
	sent    Event
}

// Sent is written before a record is produced. The id is the producer's name for it.
func (p *Producer) Sent(topic, id string, key []byte) *Attempted {
	ev := Event{Kind: Sent, Topic: topic, ID: id, Key: key}
	ev.Seq = p.history.Append(ev)
	return &Attempted{p.history, ev}
}

// Acked is written when the broker has it; in a transaction, when that is committed.
func (a *Attempted) Acked(partition int32, offset int64) {
	ev := a.answer(Acked)
	ev.Partition, ev.Offset = partition, offset
	a.history.Append(ev)
}

// Failed is written when the broker certainly does not have it, or its transaction was
// aborted.
func (a *Attempted) Failed(err error) { a.ended(Failed, err) }

// Unknown is written when no answer came.
func (a *Attempted) Unknown(err error) { a.ended(Unknown, err) }

func (a *Attempted) ended(kind Kind, err error) {
	ev := a.answer(kind)
	ev.Text = text(err)
	a.history.Append(ev)
}

func (a *Attempted) answer(kind Kind) Event {
	ev := a.sent
	ev.Kind, ev.Ref, ev.Wall = kind, ev.Seq, 0
	return ev
}

// Observer is what separate clients read from the brokers, and what the test itself did.
type Observer struct {
	history *History

	mu    sync.Mutex
	seen  map[observe.TopicPartition]map[int64]*actors.Record // guarded by mu; what Read was told of
	found map[*actors.Record]int                              // guarded by mu; how often find chose each of those
}

// NewObserver makes one. It may be shared.
func NewObserver(h *History) *Observer {
	return &Observer{history: h, seen: map[observe.TopicPartition]map[int64]*actors.Record{}, found: map[*actors.Record]int{}}
}

// Committed is written when a poller of committed offsets has read one; -1: nothing is
// committed.
func (o *Observer) Committed(tp observe.TopicPartition, offset int64) {
	o.history.Append(Event{Kind: CommittedObserved, Offset: offset}.at(tp))
}

// WireCommit is a commit that was seen between a client and the broker.
type WireCommit struct {
	TP     observe.TopicPartition
	Next   int64
	Member string // that sent it
	Owner  string // that the group says has the partition; empty: not known
	Answer observe.Outcome
}

// CommitOnWire is written when the broker takes or refuses a commit, before it answers.
func (o *Observer) CommitOnWire(c WireCommit) {
	o.history.Append(Event{
		Kind: CommitOnWire, Offset: c.Next, Member: c.Member, Owner: c.Owner, Result: c.Answer.String(),
	}.at(c.TP))
}

// DeadLetter is written when dest was read back and holds a copy of a record. written is
// the copy's timestamp.
func (o *Observer) DeadLetter(dest string, source observe.TopicPartition, offset int64, written time.Time) {
	o.history.Append(Event{Kind: DeadLetterObserved, Dest: dest, Offset: offset, Due: nanos(written)}.at(source))
}

// Log is written when the bounds of a log were read: it is [start, end).
func (o *Observer) Log(tp observe.TopicPartition, start, end int64) {
	o.history.Append(Event{Kind: LogObserved, Offset: start, To: end}.at(tp))
}

// Record is written for each record that the final read of an input finds.
func (o *Observer) Record(tp observe.TopicPartition, offset int64, key []byte) {
	o.history.Append(Event{Kind: RecordObserved, Offset: offset, Key: key}.at(tp))
}

// TopicRead is written when a topic, an input or one of dead letters, was read to its
// ends as a consumer of committed records would.
func (o *Observer) TopicRead(topic string) {
	o.history.Append(Event{Kind: TopicRead, Topic: topic})
}

// GroupStart is written when the group is to begin a partition at offset: with
// runtime.Latest, or where records are deleted before it has begun. What lies before is not
// its business.
func (o *Observer) GroupStart(tp observe.TopicPartition, offset int64) {
	o.history.Append(Event{Kind: GroupStart, Offset: offset}.at(tp))
}

// Removed is written when the test removed records, by compaction say: [from, to).
func (o *Observer) Removed(tp observe.TopicPartition, from, to int64) {
	o.history.Append(Event{Kind: Removed, Offset: from, To: to}.at(tp))
}

// Reset is written before the test sets a committed offset itself. It excuses the fall of
// that offset, and no record: for those see GroupStart and Removed.
func (o *Observer) Reset(tp observe.TopicPartition, offset int64) {
	o.history.Append(Event{Kind: Reset, Offset: offset}.at(tp))
}

// MemberIs is written when an incarnation's member id is known, with its instance id if it
// is a static member.
func (o *Observer) MemberIs(incarnation, member, instance string) {
	o.history.Append(Event{Kind: MemberIs, Incarnation: incarnation, Member: member, Text: instance})
}

// Disturbance is written when the test makes an incarnation forget what it knows of a
// partition within an assignment, as by a panic of its supervisor.
func (o *Observer) Disturbance(incarnation string, tp observe.TopicPartition, what string) {
	o.history.Append(Event{Kind: Disturbance, Incarnation: incarnation, Text: what}.at(tp))
}

// Fault is written when an injector begins and when it ends. It names the incarnation
// that it works on; empty: any. One that is over at once is begun and ended.
func (o *Observer) Fault(incarnation, kind string, begins bool) {
	result := ResultEnd
	if begins {
		result = ResultBegin
	}
	o.history.Append(Event{Kind: Fault, Incarnation: incarnation, Text: kind, Result: result})
}

// Killed is written when an incarnation has ended without a word, as by a SIGKILL.
func (o *Observer) Killed(incarnation string) {
	o.history.Append(Event{Kind: Killed, Incarnation: incarnation})
}

// Expelling is written before an admin asks to take an incarnation out of its group, since
// no answer may come. It returns the event's Seq, which the answer refers to.
func (o *Observer) Expelling(incarnation string) uint64 {
	return o.history.Append(Event{Kind: Expelling, Incarnation: incarnation})
}

// Expelled is the group's answer: whether it has taken an incarnation out.
func (o *Observer) Expelled(incarnation string, asked uint64, done bool) {
	result := ResultRefused
	if done {
		result = ResultOK
	}
	o.history.Append(Event{Kind: Expelled, Incarnation: incarnation, Ref: asked, Result: result})
}

// Settled is written when no fault is active any more and everything that could be
// drained and committed should have been.
func (o *Observer) Settled() { o.history.Append(Event{Kind: Settled}) }

// Sampled is written when the Stats of an incarnation were read, for each partition.
func (o *Observer) Sampled(incarnation string, tp observe.TopicPartition, s *Sample) {
	o.history.Append(Event{Kind: Sampled, Incarnation: incarnation, Sample: s}.at(tp))
}

// Canary is written for a secret, or for what records hold, before it is used.
func (o *Observer) Canary(text string) { o.history.Append(Event{Kind: Canary, Text: text}) }

// Logged is written for each line of an incarnation's log, and for what else it shows.
func (o *Observer) Logged(incarnation, text string) {
	o.history.Append(Event{Kind: Logged, Incarnation: incarnation, Text: text})
}

// Log is an io.Writer for an incarnation's logger. Each Write is taken as a line.
type Log struct {
	observer    *Observer
	incarnation string
}

// NewLog makes the writer of an incarnation.
func NewLog(h *History, incarnation string) *Log { return &Log{NewObserver(h), incarnation} }

// Write writes it down. It keeps nothing of b.
func (l *Log) Write(b []byte) (int, error) {
	l.observer.Logged(l.incarnation, string(b))
	return len(b), nil
}
