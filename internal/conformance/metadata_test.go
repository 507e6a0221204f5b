//go:build kafka

package conformance

import (
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// holdsTheLine is a member whose lane of offset 0 is in a call until the file release is
// there, while the others run on.
func (b *bed) holdsTheLine(topic string, lanes int) spec {
	return spec{Name: "a", Topics: []topicSpec{{
		Name: topic, Lanes: lanes, Script: script{HoldAt: []int64{0}, Release: b.file("release")},
	}}}
}

// text is what the broker has stored with a commit line.
func (b *bed) text(topic string) string {
	b.t.Helper()
	responses, err := b.adm.FetchOffsets(b.t.Context(), b.group)
	if err != nil {
		b.t.Fatal(err)
	}
	o, _ := responses.Lookup(topic, 0)
	return o.Metadata
}

// writeWith stores a commit line with a text, as any tool may.
func (b *bed) writeWith(topic string, line int64, text string) error {
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: topic, At: line, LeaderEpoch: -1, Metadata: text})
	return b.adm.CommitAllOffsets(b.t.Context(), b.group, offsets)
}

// wantFinished wants every record that a topic holds now finished by somebody.
func (b *bed) wantFinished(topic string, events []history.Event) {
	b.t.Helper()
	done := map[int64]bool{}
	for _, e := range events {
		if e.Kind == history.Leave && e.Result == history.ResultOK {
			done[e.Offset] = true
		}
	}
	for _, r := range b.read(topic) {
		if !done[r.Offset] {
			b.t.Errorf("offset %d is in the log and was not finished", r.Offset)
		}
	}
}

// One lane is blocked at the line, and 10,000 records behind it are finished. Whichever way
// the partition moves, the next owner runs none of them again.
func TestTheNextOwnerOfTenThousandFinishedRecords(t *testing.T) {
	t.Parallel()
	const n = 10_000
	for name, stops := range map[string]bool{"a stop": true, "a rebalance": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBoth(t, func(b *bed) {
				topic := b.topic("orders", 1)
				keys := keyPerLane(8)
				b.produce(topic, 1, 1, keys[0])
				b.produce(topic, 1, n, keys[1:]...)
				s := b.holdsTheLine(topic, 8)
				first := b.start(s)
				first.waitFinished(n)
				if stops {
					first.stops(exitNotDrained) // of the call that waits
					b.wantCommitted(topic, 0)
				}
				s.Name = "b"
				second := b.start(s)
				if !stops {
					b.waitStable("a", "b")
				}
				b.release(b.file("release"))
				b.waitLine(topic, 0, n+1)
				if !stops {
					first.stops(exitClean)
				}
				second.stops(exitClean)
				b.wantNoRepeats(b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S5, check.S6))
			})
		})
	}
}

// Compaction takes records out of a log whose line is held, between two owners: nothing
// that is left is lost, and nothing that was finished runs again.
func TestTheNextOwnerOfACompactedLog(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.compactedTopic("orders")
	cl := b.producer()
	next := 0
	write := func(n int) {
		for range n { // each one batch, of two keys that come again and one that does not
			key := [...]string{"x", "y", "once" + strconv.Itoa(next)}[next%3]
			if next == 0 {
				key = "held"
			}
			b.produceRecords(cl, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte("v" + strconv.Itoa(next))})
			next++
		}
	}
	s := b.holdsTheLine(topic, 200)
	first := b.start(s)
	first.waitHolds(1)
	write(300)
	eventually(t, "most are finished above the line", func() bool { return first.finished() > 250 })
	first.stops(exitNotDrained)
	if text := b.text(topic); text == "" {
		t.Fatal("nothing travels")
	}
	eventually(t, "the log is compacted", func() bool {
		write(1) // a segment ends when a record is written after its time
		return len(b.read(topic)) < next-100
	})
	b.release(b.file("release"))
	s.Name = "b"
	second := b.start(s)
	b.waitDrained(topic)
	second.stops(exitClean)
	events := b.judge([]string{topic}, check.S2, check.S3, check.S5, check.S6)
	b.wantFinished(topic, events)
	b.wantNoRepeats(events)
}

// Kafka's own limit: a commit with metadata of 4,096 bytes is stored, one with a byte more
// is refused. A member whose lanes run further ahead than that has room for gets all of it
// used, and its line is stored all the same; the next owner loses nothing.
func TestMetadataAtKafkasLimit(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	for length, stored := range map[int]bool{4096: true, 4097: false} {
		if err := b.writeWith(topic, 0, strings.Repeat("x", length)); (err == nil) != stored {
			t.Fatalf("%d bytes: %v", length, err)
		}
	}
	keys := keyPerLane(3)
	b.produce(topic, 1, 36_000, keys...) // every third one waits behind offset 0
	s := b.holdsTheLine(topic, 3)
	s.Topics[0].Repeat = true
	first := b.start(s)
	eventually(t, "a commit has no room for all", func() bool { return first.count(history.MetadataCut) > 0 })
	first.stops(exitNotDrained)
	if n := len(b.text(topic)); n < 4000 || n > 4096 {
		t.Errorf("%d bytes stored, want nearly 4096", n)
	}
	b.wantCommitted(topic, 0)
	b.release(b.file("release"))
	s.Name = "b"
	second := b.start(s)
	b.waitDrained(topic)
	second.stops(exitClean)
	events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S5, check.S6)
	again := repeats(events)
	if len(again) == 0 {
		t.Error("nothing ran again: nothing is shown")
	}
	for _, r := range again {
		if r[0].Offset < 20_000 {
			t.Fatalf("offset %d ran again, for which there was room", r[0].Offset)
		}
	}
}

// What another tool stored with the line, or what of ours is damaged, is ignored and told.
func TestForeignMetadataIsIgnored(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"another tool's":    "backup of monday",
		"damaged":           "troupe1:AAECAwQFBgcICQ",
		"not of this world": "troupe99:\x00\u2028é",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			topic := b.topic("orders", 1)
			b.produce(topic, 1, 20, keyPerLane(3)...)
			if err := b.writeWith(topic, 5, text); err != nil {
				t.Fatal(err)
			}
			m := b.start(spec{Name: "a", Topics: []topicSpec{{Name: topic, Lanes: 3}}})
			b.waitLine(topic, 0, 20)
			m.stops(exitClean)
			if m.finished() != 15 || m.count(history.MetadataIgnored) != 1 {
				t.Errorf("%d records finished, told %d times", m.finished(), m.count(history.MetadataIgnored))
			}
			if want := "metadata of the committed offset ignored"; !strings.Contains(m.log.String(), want) {
				t.Errorf("the log does not say %q", want)
			}
			if text := b.text(topic); text != "" {
				t.Errorf("the text is still there: %q", text)
			}
		})
	}
}
