//go:build kafka

package conformance

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// transaction writes values to partition 0 in a transaction that it commits or aborts.
// What was aborted counts as failed.
func (b *bed) transaction(cl *kgo.Client, topic string, end kgo.TransactionEndTry, keys, values []string) {
	b.t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		b.t.Fatal(err)
	}
	var sent []*history.Attempted
	var records []*kgo.Record
	for i, v := range values {
		r := &kgo.Record{Topic: topic, Key: []byte(keys[i%len(keys)]), Value: []byte(v)}
		sent = append(sent, b.produced.Sent(topic, v, r.Key))
		records = append(records, r)
	}
	if err := cl.ProduceSync(b.t.Context(), records...).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
	if err := cl.EndTransaction(b.t.Context(), end); err != nil {
		b.t.Fatal(err)
	}
	for i, r := range records {
		if end == kgo.TryCommit {
			sent[i].Acked(r.Partition, r.Offset)
		} else {
			sent[i].Failed(context.Canceled)
		}
	}
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = prefix + strconv.Itoa(i)
	}
	return out
}

// Markers and aborted records lie around the commit line: it passes them, holds where a
// record behind them is unfinished, and the lag behind a transaction becomes 0.
func TestTransactions(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	keys := keyPerLane(3)
	cl := b.producer(kgo.TransactionalID(b.group))
	b.transaction(cl, topic, kgo.TryCommit, keys, numbered("a", 5)) // 0-4, marker at 5
	b.transaction(cl, topic, kgo.TryAbort, keys, numbered("b", 5))  // 6-10, marker at 11
	b.transaction(cl, topic, kgo.TryCommit, keys, numbered("c", 5)) // 12-16, marker at 17
	b.transaction(cl, topic, kgo.TryAbort, keys, numbered("d", 5))  // 18-22, marker at 23
	m := b.start(spec{Name: "a", Topics: []topicSpec{{
		Name: topic, Lanes: 3, Script: script{HoldAt: []int64{12}, FailEach: 4, Release: b.file("release")},
	}}})
	m.waitRunning(1)
	b.waitLine(topic, 0, 12) // past the marker, the aborted ones and their marker
	b.wantCommitted(topic, 12)
	b.release(b.file("release"))
	b.waitLine(topic, 0, 24)
	b.transaction(cl, topic, kgo.TryAbort, keys, numbered("e", 300)) // nothing to deliver
	b.waitDrained(topic)
	b.transaction(cl, topic, kgo.TryCommit, keys, numbered("f", 300))
	b.waitDrained(topic)
	m.stops(exitClean)
	b.wantAllCommitted(topic)
	events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6)
	b.wantNoRepeats(events)
	if n := m.finished(); n != 310 {
		t.Errorf("%d records were finished, want 310: what was committed", n)
	}
}

// cleanOften makes the broker's log cleaner look every 100 ms until the end of the test.
func (b *bed) cleanOften() {
	b.t.Helper()
	set := func(ctx context.Context, op kadm.IncrementalOp, value string) {
		responses, err := b.adm.AlterBrokerConfigs(ctx, []kadm.AlterConfig{{Op: op, Name: "log.cleaner.backoff.ms", Value: &value}})
		for _, r := range responses {
			err = errors.Join(err, r.Err)
		}
		if err != nil {
			b.t.Errorf("set the log cleaner's backoff: %v", err)
		}
	}
	set(b.t.Context(), kadm.SetConfig, "100")
	b.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		set(ctx, kadm.DeleteConfig, "")
	})
}

// compactedTopic is one of one partition whose log is compacted within moments.
func (b *bed) compactedTopic(name string) string {
	b.t.Helper()
	b.cleanOften()
	topic := b.topic(name, 1, "cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01", "max.compaction.lag.ms", "100")
	b.compacted[topic] = true
	return topic
}

// Compaction left holes in the log, also right behind the commit line: it passes them.
func TestCompactionHoles(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.compactedTopic("orders")
	cl := b.producer()
	write := func(from, to int) {
		for i := from; i < to; i++ {
			key := "key" + strconv.Itoa(i%4) // of each only the last survives
			if i%10 == 0 {
				key = "once" + strconv.Itoa(i)
			}
			r := &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte("v" + strconv.Itoa(i))}
			if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(0, 100)
	left := map[int64]bool{}
	next := 100
	eventually(t, "the log is compacted", func() bool {
		write(next, next+1) // a segment ends when a record is written after its time
		next++
		clear(left)
		for _, r := range b.read(topic) {
			left[r.Offset] = true
		}
		return len(left) < 40 && left[0] && !left[1]
	})
	m := b.start(spec{Name: "a", Topics: []topicSpec{{
		Name: topic, Lanes: 3, Script: script{HoldAt: []int64{10}, FailEach: 20, Release: b.file("release")},
	}}})
	m.waitRunning(1)
	b.waitLine(topic, 0, 10) // 1-9 are gone
	b.release(b.file("release"))
	b.waitDrained(topic)
	m.stops(exitClean)
	b.wantAllCommitted(topic)
	b.judge([]string{topic}, check.S2, check.S3, check.S4, check.S5, check.S6)
	done := map[int64]bool{}
	for _, e := range m.journal() {
		if e.Kind == history.Leave && e.Result == history.ResultOK {
			done[e.Offset] = true
		}
	}
	for _, r := range b.read(topic) { // what is there now was there then
		if !done[r.Offset] {
			t.Errorf("offset %d is in the log and was not finished", r.Offset)
		}
	}
	if len(done) > len(left) {
		t.Errorf("%d records were finished, %d are in the log", len(done), len(left))
	}
}

// Records with timestamps of next year are delivered: at once where nothing is delayed,
// after MaxSkew and the delay otherwise.
func TestTimestampsFarAhead(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	lifted := []string{"message.timestamp.after.max.ms", strconv.FormatInt(1<<60, 10)}
	plain, delayed := b.topic("orders", 1, lifted...), b.topic("delayed", 1, lifted...)
	dead := b.topic("dead", 1) // refuses such timestamps: a copy has its own
	const delay, skew = time.Second, time.Second
	m := b.start(spec{Name: "a", Topics: []topicSpec{
		{Name: plain, DeadLetter: dead, Script: script{DiscardAt: []int64{1}}},
		{Name: delayed, Delay: delay, MaxSkew: skew},
	}})
	m.waitHolds(2)
	year := time.Now().AddDate(1, 0, 0)
	written := time.Now()
	var records []*kgo.Record
	for i := range 3 {
		for _, topic := range []string{plain, delayed} {
			records = append(records, &kgo.Record{Topic: topic, Timestamp: year, Value: []byte(strconv.Itoa(i))})
		}
	}
	b.produceRecords(b.producer(), records...)
	b.waitDrained(plain, delayed)
	m.stops(exitClean)
	b.wantAllCommitted(plain, delayed)
	capped := 0
	for _, e := range m.journal() {
		switch {
		case e.Kind == history.SkewCapped:
			capped++
		case e.Kind == history.Enter && e.Topic == delayed && time.Unix(0, e.Wall).Before(written.Add(delay+skew)):
			t.Errorf("offset %d began %v after it was written, want %v at least", e.Offset, time.Unix(0, e.Wall).Sub(written), delay+skew)
		}
	}
	if capped != 1 {
		t.Errorf("%d timestamps were reported as capped, want the first of the partition", capped)
	}
	b.readDeadLetters(dead, 1)
	b.judge([]string{plain}, check.S1, check.S2, check.S5, check.S10)
}

// A record that is removed before its turn is a gap, and the partition stops there.
func TestRecordsThatRetentionRemoved(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	b.produce(topic, 1, 20, keyPerLane(3)...)
	s := spec{Name: "a", Topics: []topicSpec{{Name: topic, Script: script{HoldAt: []int64{10}, Release: b.file("never")}}}}
	first := b.start(s)
	b.waitLine(topic, 0, 10)
	first.stops(exitNotDrained)
	tp := observe.TopicPartition{Topic: topic}
	b.observed.Removed(tp, 10, 15)
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: topic, At: 15})
	if _, err := b.adm.DeleteRecords(t.Context(), offsets); err != nil {
		t.Fatal(err)
	}
	s.Name = "b"
	second := b.start(s)
	eventually(t, "the gap is reported", func() bool { return second.count(history.Gap) == 1 })
	second.stops(exitClean)
	for _, e := range second.journal() {
		if e.Kind == history.Gap && (e.Offset != 10 || e.To != 15) {
			t.Errorf("a gap [%d, %d), want [10, 15)", e.Offset, e.To)
		}
	}
	if n := second.count(history.Enter); n != 0 {
		t.Errorf("%d calls began behind the gap, where the partition stops", n)
	}
	b.wantCommitted(topic, 10)
}

// A group that starts at the end of a log has that as its line before it gets a record:
// after a crash it goes on from there, and not from the end that the log has then.
func TestStartAtLatest(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	b.produce(topic, 1, 10, keyPerLane(3)...)
	b.observed.GroupStart(observe.TopicPartition{Topic: topic}, 10)
	s := spec{Name: "a", Topics: []topicSpec{{Name: topic, Latest: true, Script: script{HoldAll: true, Release: b.file("never")}}}}
	first := b.start(s)
	first.waitHolds(1)
	b.wantCommitted(topic, 10)
	b.produce(topic, 1, 10, keyPerLane(3)...)
	first.waitRunning(3)
	first.kill()
	s.Name, s.Topics[0].Script = "b", script{}
	second := b.start(s)
	b.waitLine(topic, 0, 20)
	second.stops(exitClean)
	if n := second.finished(); n != 10 {
		t.Errorf("%d records were finished, want the 10 that came behind the start", n)
	}
	b.judge([]string{topic}, check.S1, check.S2, check.S5)
}
