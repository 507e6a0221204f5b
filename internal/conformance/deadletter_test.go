//go:build kafka

package conformance

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// A record that is out of attempts, and one that is discarded, goes to the dead letter
// topic; the commit line is held while that is missing; the copy is faithful.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	dead := b.topic("dead", 1)
	keys := keyPerLane(3)
	var records []*kgo.Record
	for i := range 12 {
		records = append(records, &kgo.Record{
			Topic: topic, Key: []byte(keys[i%3]), Value: []byte("v" + strconv.Itoa(i)), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
			Headers: []kgo.RecordHeader{{Key: "n", Value: []byte(strconv.Itoa(i))}, {Key: "n", Value: nil}},
		})
	}
	m := b.start(spec{Name: "a", Topics: []topicSpec{{
		Name: topic, Lanes: 3, DeadLetter: dead, MaxAttempts: 3, Script: script{FailAt: []int64{4}, DiscardAt: []int64{6}},
	}}})
	m.waitHolds(1)
	b.deleteTopic(dead)
	b.produceRecords(b.producer(), records...)
	m.waitFinished(10)
	b.waitLine(topic, 0, 4)
	eventually(t, "neither dead letter can be written", func() bool {
		refused := map[int64]bool{}
		for _, e := range m.journal() {
			if e.Kind == history.ForwardFailed {
				refused[e.Offset] = true
			}
		}
		return len(refused) == 2
	})
	b.wantCommitted(topic, 4)
	b.topic("dead", 1)
	b.waitLine(topic, 0, 12)
	m.stops(exitClean)
	b.wantCommitted(topic, 12)

	copies := b.readDeadLetters(dead, 2)
	for _, c := range copies {
		offset, _ := strconv.Atoi(header(c, "__dlq.errors.offset"))
		want := records[offset]
		if !bytes.Equal(c.Key, want.Key) || !bytes.Equal(c.Value, want.Value) || len(c.Headers) < 2 || !slices.EqualFunc(c.Headers[:2], want.Headers, equalHeaders) {
			t.Errorf("the copy of %d is %q = %q with %v", offset, c.Key, c.Value, c.Headers)
		}
		if age := time.Since(c.Timestamp); age < 0 || age > time.Hour {
			t.Errorf("the copy of %d has the timestamp %v, want its own", offset, c.Timestamp)
		}
		attempts := map[int]string{4: "3", 6: "1"}[offset]
		for name, value := range map[string]string{
			"__dlq.errors.topic": topic, "__dlq.errors.partition": "0", "__dlq.errors.group": b.group,
			"__dlq.errors.delivery.count": attempts, "troupe.dlq.timestamp": strconv.FormatInt(want.Timestamp.UnixMilli(), 10),
		} {
			if got := header(c, name); got != value {
				t.Errorf("the copy of %d has the header %s = %q, want %q", offset, name, got, value)
			}
		}
	}
	b.wantNoRepeats(b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S10))
}

// A copy fits only without some of its headers; those of the record stay. The value is
// random, since a broker looks at the size of the compressed batch.
func TestADeadLetterIsTrimmed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	dead := b.topic("dead", 1, "max.message.bytes", "720")
	value := make([]byte, 400)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(value)
	own := []kgo.RecordHeader{{Key: "own", Value: []byte("1")}}
	b.produceRecords(b.producer(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: value, Headers: own})
	m := b.start(spec{Name: "a", Topics: []topicSpec{{Name: topic, DeadLetter: dead, Script: script{DiscardAt: []int64{0}}}}})
	b.waitLine(topic, 0, 1)
	m.stops(exitClean)
	c := b.readDeadLetters(dead, 1)[0]
	if !bytes.Equal(c.Value, value) || string(c.Key) != "k" || !equalHeaders(c.Headers[0], own[0]) {
		t.Errorf("the copy is %q = %q with %v", c.Key, c.Value, c.Headers)
	}
	if steps := header(c, "troupe.dlq.trimmed"); steps == "" || steps == "4" {
		t.Errorf("%q steps were taken, want 1 to 3: %v", steps, c.Headers)
	}
	b.judge([]string{topic}, check.S1, check.S2, check.S10)
}

// A dead letter topic that is missing is created with the partitions of its input.
func TestADeadLetterTopicIsCreated(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic, dead := b.topic("orders", 3), b.group+".dead"
	b.topics = append(b.topics, dead)
	b.produceRecords(b.producer(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte("v"), Partition: 0})
	m := b.start(spec{Name: "a", Topics: []topicSpec{{Name: topic, DeadLetter: dead, Create: true, Script: script{DiscardAt: []int64{0}}}}})
	b.waitLine(topic, 0, 1)
	m.stops(exitClean)
	b.readDeadLetters(dead, 1)
	details, err := b.adm.ListTopics(t.Context(), dead)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(details[dead].Partitions); got != 3 {
		t.Errorf("the dead letter topic has %d partitions, want 3", got)
	}
	b.judge([]string{topic}, check.S1, check.S2, check.S10)
}

func equalHeaders(a, b kgo.RecordHeader) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// deleteTopic waits until a topic is gone.
func (b *bed) deleteTopic(topic string) {
	b.t.Helper()
	if _, err := b.adm.DeleteTopic(b.t.Context(), topic); err != nil {
		b.t.Fatal(err)
	}
	b.topics = slices.DeleteFunc(b.topics, func(t string) bool { return t == topic })
	eventually(b.t, topic+" is gone", func() bool {
		topics, err := b.adm.ListTopics(b.t.Context())
		return err == nil && !topics.Has(topic)
	})
}

// readDeadLetters reads a dead letter topic, which holds n copies, and writes them down.
func (b *bed) readDeadLetters(dead string, n int) []*kgo.Record {
	b.t.Helper()
	copies := b.read(dead)
	if len(copies) != n {
		b.t.Fatalf("%s holds %d records, want %d", dead, len(copies), n)
	}
	for _, c := range copies {
		if !b.observed.Copy(recordOf(c)) {
			b.t.Errorf("offset %d of %s does not say what it is a copy of", c.Offset, dead)
		}
	}
	b.observed.TopicRead(dead)
	return copies
}
