//go:build kafka

package conformance

import (
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// place is a record's, or with offset -1 a partition.
type place struct {
	tp     observe.TopicPartition
	offset int64
}

func placeOf(e *history.Event) place     { return place{e.TP(), e.Offset} }
func partitionOf(e *history.Event) place { return place{e.TP(), -1} }

// judge reads the inputs to their ends, and what is committed, merges what everyone wrote down, and wants no
// promise broken. The checks that are named, and S11, must have compared something. It
// returns the history.
func (b *bed) judge(inputs []string, checks ...string) []history.Event {
	b.t.Helper()
	for _, topic := range inputs {
		b.readBack(topic)
	}
	b.observe(b.t.Context())
	events := b.events()
	report := check.Judge(events, append([]string{check.S11}, checks...)...)
	if err := report.Err(); err != nil {
		b.t.Errorf("the verdict:\n%v", err)
	}
	return events
}

// events are what everyone wrote down so far.
func (b *bed) events() []history.Event {
	b.t.Helper()
	all := [][]history.Event{b.history.Events()}
	for _, m := range b.all {
		all = append(all, m.journal())
	}
	return history.Merge(all...)
}

// readBack writes down what a topic holds at the end.
func (b *bed) readBack(topic string) {
	b.t.Helper()
	starts, err := b.adm.ListStartOffsets(b.t.Context(), topic)
	if err != nil {
		b.t.Fatal(err)
	}
	ends := b.ends(topic)
	starts.Each(func(o kadm.ListedOffset) {
		tp := observe.TopicPartition{Topic: o.Topic, Partition: o.Partition}
		b.observed.Log(tp, o.Offset, ends[tp])
	})
	next := map[observe.TopicPartition]int64{}
	for _, r := range b.read(topic) {
		tp := observe.TopicPartition{Topic: r.Topic, Partition: r.Partition}
		if b.compacted[topic] && r.Offset > next[tp] { // what lies between was compacted away
			b.observed.Removed(tp, next[tp], r.Offset)
		}
		next[tp] = r.Offset + 1
		b.observed.Read(recordOf(r))
	}
	b.observed.TopicRead(topic)
}

// recordOf is a record as a behavior gets it.
func recordOf(r *kgo.Record) *actors.Record {
	rec := &actors.Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, actors.Header(h))
	}
	return rec
}

// save keeps the history of a test that failed.
func (b *bed) save() {
	if !b.t.Failed() {
		return
	}
	f, err := os.CreateTemp("", "troupe-history-*.jsonl")
	if err != nil {
		b.t.Error(err)
		return
	}
	defer f.Close()
	if err := history.Save(f, b.events()); err != nil {
		b.t.Error(err)
	}
	b.t.Logf("the history is in %s", f.Name())
}

// repeats are the calls that finished a record that was finished before, each after the
// call that was first.
func repeats(events []history.Event) [][2]history.Event {
	first := map[place]history.Event{}
	var out [][2]history.Event
	for _, e := range events {
		if e.Kind != history.Leave || e.Result != history.ResultOK {
			continue
		}
		if before, ok := first[placeOf(&e)]; ok {
			out = append(out, [2]history.Event{before, e})
			continue
		}
		first[placeOf(&e)] = e
	}
	return out
}

// wantNoRepeats wants each record finished once (S9 where its bound is 0).
func (b *bed) wantNoRepeats(events []history.Event) {
	b.t.Helper()
	if r := repeats(events); len(r) > 0 {
		b.t.Errorf("%d records were finished again: %s", len(r), describe(r[0]))
	}
}

func describe(repeat [2]history.Event) string {
	return fmt.Sprintf("%s offset %d by %s and then by %s", repeat[0].TP(), repeat[0].Offset, repeat[0].Incarnation, repeat[1].Incarnation)
}

// wantRepeatsAboveLines wants nothing delivered in an assignment that was committed before
// it began, and nothing finished twice in one: what is repeated is what no acknowledged
// commit covers (S9 behind a fault).
func (b *bed) wantRepeatsAboveLines(events []history.Event) {
	b.t.Helper()
	acked := map[observe.TopicPartition]int64{}
	line := map[term]int64{} // what was committed when the assignment began
	finished := map[term]map[int64]bool{}
	below, twice := 0, 0
	for _, e := range events {
		t := term{e.Incarnation, e.TP(), e.Epoch}
		switch {
		case e.Kind == history.CommitAnswered && e.Result == history.ResultOK:
			acked[t.tp] = max(acked[t.tp], e.Offset)
		case e.Kind == history.Assigned:
			line[t], finished[t] = acked[t.tp], map[int64]bool{}
		case e.Kind == history.Started && e.Offset < line[t]:
			below++
		case e.Kind == history.Delivered && e.Result == history.ResultOK:
			if finished[t][e.Offset] {
				twice++
			}
			finished[t][e.Offset] = true
		}
	}
	if below+twice > 0 || len(line) == 0 {
		b.t.Errorf("in %d assignments %d records were delivered that were committed before, and %d finished twice", len(line), below, twice)
	}
}

// term is an assignment of a partition within a member.
type term struct {
	incarnation string
	tp          observe.TopicPartition
	epoch       uint64
}
