//go:build kafka

package conformance

import (
	"slices"
	"strconv"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// Two groups on one topic, each with its dead letters in a topic of its own: neither sees
// the other's failures.
func TestTwoGroupsHaveDeadLettersOfTheirOwn(t *testing.T) {
	t.Parallel()
	one, two := newBed(t), newBed(t)
	topic := one.topic("orders", 2)
	one.produce(topic, 1, 10, "k")
	failing := map[*bed][]int64{one: {0}, two: {1}}
	for b, offsets := range failing {
		b.topics = append(b.topics, "dlq."+b.group+"."+topic)
		b.start(spec{Name: "a", Topics: []topicSpec{{
			Name: topic, DeadLetter: "auto", Create: true, MaxAttempts: 2, Script: script{FailAt: offsets},
		}}})
	}
	for b, offsets := range failing {
		b.waitDrained(topic)
		b.all[0].stops(exitClean)
		for _, c := range b.read("dlq." + b.group + "." + topic) {
			if header(c, "__dlq.errors.group") != b.group || header(c, "__dlq.errors.offset") != strconv.FormatInt(offsets[0], 10) {
				t.Errorf("%s has a dead letter with %v", c.Topic, c.Headers)
			}
			if !b.observed.Copy(recordOf(c)) {
				t.Errorf("offset %d of %s does not say what it is a copy of", c.Offset, c.Topic)
			}
		}
		b.observed.TopicRead("dlq." + b.group + "." + topic)
		b.wantNoRepeats(b.judge([]string{topic}, check.S2, check.S10))
	}
}

// Two groups write their dead letters to one topic, and read it: who does not say
// otherwise gets those of the own group alone. Nothing is left behind in it.
func TestGroupsShareADeadLetterTopic(t *testing.T) {
	t.Parallel()
	one, two := newBed(t), newBed(t)
	topic, dead := one.topic("orders", 1), one.topic("dead", 1)
	one.produce(topic, 1, 4, "k")
	for b, s := range map[*bed]struct {
		discards int64
		of       []string
	}{one: {1, nil}, two: {2, []string{"*"}}} {
		b.start(spec{Name: "a", Topics: []topicSpec{
			{Name: topic, DeadLetter: dead, Script: script{DiscardAt: []int64{s.discards}}}, {Name: dead, LettersOf: s.of},
		}})
	}
	for b, want := range map[*bed][]string{one: {one.group}, two: {one.group, two.group}} {
		b.waitLine(topic, 0, 4)
		b.waitLine(dead, 0, 2)
		b.all[0].stops(exitClean)
		owners := map[int64]string{}
		for _, c := range b.readDeadLetters(dead, 2) {
			owners[c.Offset] = header(c, "__dlq.errors.group")
		}
		var got []string
		for _, e := range b.all[0].journal() {
			if e.Kind == history.Enter && e.Topic == dead {
				got = append(got, owners[e.Offset])
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s got the dead letters of %v, want %v", b.group, got, want)
		}
		b.wantNoRepeats(b.events())
	}
	one.judge([]string{topic, dead}, check.S1, check.S2, check.S10)
}
