//go:build kafka

package conformance

import (
	"bytes"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// A record that is out of attempts, and one that is discarded, goes to the dead letter
// topic; the commit line is held until the broker has it there; the copy is faithful.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	dead := b.topic("dead", 1, "max.message.bytes", "1") // which refuses every record
	keys := keyPerLane(3)
	var records []*kgo.Record
	for i := range 12 {
		records = append(records, &kgo.Record{
			Topic: topic, Key: []byte(keys[i%3]), Value: []byte("v" + strconv.Itoa(i)), Timestamp: time.UnixMilli(1_700_000_000_000 + int64(i)),
			Headers: []kgo.RecordHeader{{Key: "n", Value: []byte(strconv.Itoa(i))}, {Key: "n", Value: nil}},
		})
	}
	b.produceRecords(b.producer(), records...)
	m := b.start(spec{Name: "a", Topics: []topicSpec{{
		Name: topic, Lanes: 3, DeadLetter: dead, MaxAttempts: 3, Script: script{FailAt: []int64{4}, DiscardAt: []int64{6}},
	}}})
	m.waitFinished(10)
	b.waitLine(topic, 0, 4)
	eventually(t, "the broker refuses both dead letters", func() bool {
		refused := map[int64]bool{}
		for _, e := range m.journal() {
			if e.Kind == history.ForwardFailed {
				refused[e.Offset] = true
			}
		}
		return len(refused) == 2
	})
	b.wantCommitted(topic, 4)
	b.allow(dead)
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

func equalHeaders(a, b kgo.RecordHeader) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) }

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// allow lets a topic take records of any size.
func (b *bed) allow(topic string) {
	b.t.Helper()
	size := "1000000"
	responses, err := b.adm.AlterTopicConfigs(b.t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &size}}, topic)
	if err == nil {
		_, err = responses.On(topic, nil)
	}
	if err != nil {
		b.t.Fatal(err)
	}
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
