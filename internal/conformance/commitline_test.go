//go:build kafka

package conformance

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Records 0 to 9 go to three lanes in turn, and the calls of 3 and 8 do not return: what
// is finished is {0, 1, 2, 4, 5, 7}, and the broker holds 3.
func TestCommitLineStopsAtTheFirstUnfinishedRecord(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	b.kcat(topic, 0, lines(10, keyPerLane(3)...))
	m := b.start(spec{Name: "a", Topics: []topicSpec{{
		Name: topic, Lanes: 3, Script: script{HoldAt: []int64{3, 8}, Release: b.file("release")},
	}}})
	m.waitFinished(6)
	m.waitRunning(2)
	b.waitLine(topic, 0, 3)
	b.wantCommitted(topic, 3)

	b.release(b.file("release"))
	b.waitLine(topic, 0, 10)
	m.stops(exitClean)
	b.wantCommitted(topic, 10)
	b.wantNoRepeats(b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6))
}

// The comparison that the other tests rest on sees a commit that a plain client made,
// and tells it from what is wanted.
func TestCommittedOffsetsAreReadFromTheBroker(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	tp := observe.TopicPartition{Topic: topic}
	if err := differ(b.committedByJava(b.group), map[observe.TopicPartition]int64{tp: 3}); err == nil {
		t.Error("a group without a commit passes for one at 3")
	}
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 4, LeaderEpoch: -1})
	if err := b.adm.CommitAllOffsets(t.Context(), b.group, offsets); err != nil {
		t.Fatal(err)
	}
	got := b.committedByJava(b.group)
	if err := differ(got, map[observe.TopicPartition]int64{tp: 3}); err == nil {
		t.Error("a commit of 4 passes for one of 3")
	}
	if err := differ(got, map[observe.TopicPartition]int64{tp: 4}); err != nil {
		t.Error(err)
	}
}
