//go:build kafka

package conformance

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// waitRefused waits until a dead letter of the offset could not be written so often, for a
// reason that says so.
func (m *member) waitRefused(offset int64, times int, says string) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("the dead letter of offset %d is refused %d times: %s", offset, times, says), func() bool {
		n := 0
		for _, e := range m.journal() {
			if e.Kind == history.ForwardFailed && e.Offset == offset && strings.Contains(e.Text, says) {
				n++
			}
		}
		return n >= times
	})
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

// held is the end of a test in which the dead letter of offset 1 of three could not be
// written: others of its partition are finished, the line is held until it can, and it is
// in the dead letter topic then.
func (m *member) held(b *bed, topic, dead, says string, mend func()) {
	m.t.Helper()
	m.waitRefused(1, 3, says)
	m.waitFinished(2)
	b.waitLine(topic, 0, 1)
	mend()
	b.waitLine(topic, 0, 3)
	m.stops(exitClean)
	c := b.readDeadLetters(dead, 1)[0]
	if string(c.Key) != "k" || string(c.Value) != "1" || len(c.Headers) == 0 || c.Headers[0].Key != "own" {
		m.t.Errorf("the copy is %q = %q with %v", c.Key, c.Value, c.Headers)
	}
	b.wantNoRepeats(b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S5, check.S10))
}

func (b *bed) three(topic string) {
	b.t.Helper()
	own := []kgo.RecordHeader{{Key: "own", Value: []byte("1")}}
	for i := range 3 {
		b.produceRecords(b.producer(), &kgo.Record{Topic: topic, Key: []byte("k"), Value: fmt.Append(nil, i), Headers: own})
	}
}

// A dead letter topic whose limit is below any copy is tried again, with all that can be
// left out left out, until its limit is raised.
func TestADeadLetterTopicRefusesEverySize(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic, dead := b.topic("orders", 1), b.topic("dead", 1, "max.message.bytes", "1")
	b.three(topic)
	m := b.start(spec{Name: "a", Topics: []topicSpec{{Name: topic, DeadLetter: dead, Script: script{DiscardAt: []int64{1}}}}})
	m.held(b, topic, dead, "too large", func() { b.allow(dead) })
}

// A dead letter topic that the runtime may write at its start, and then may not.
func TestADeadLetterTopicIsForbiddenWhileRunning(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	l := secured(t)
	user := l.Users[slices.IndexFunc(l.Users, func(u user) bool { return u.Mechanism != "PLAIN" })]
	topic, dead := b.topic("orders", 1), b.topic("dead", 1)
	m := b.start(spec{Name: "a", Broker: l.SASLPlaintext, User: &user, Topics: []topicSpec{{Name: topic, DeadLetter: dead, Script: script{DiscardAt: []int64{1}}}}})
	m.waitHolds(1)
	b.closeTo(dead)
	b.three(topic)
	m.held(b, topic, dead, "not authorized", func() { b.openTo(dead) })
}
