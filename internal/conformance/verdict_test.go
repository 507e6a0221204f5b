//go:build kafka

package conformance

import (
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"

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

// judge reads the inputs to their ends, merges what everyone wrote down, and wants no
// promise broken. The checks that are named must have compared something. It returns the
// history.
func (b *bed) judge(inputs []string, checks ...string) []history.Event {
	b.t.Helper()
	for _, topic := range inputs {
		b.readBack(topic)
	}
	events := b.events()
	report := check.Judge(events, checks...)
	if err := report.Err(); err != nil {
		b.t.Errorf("the verdict:\n%v", err)
	}
	if p := phantoms(events); len(p) > 0 {
		b.t.Errorf("%d records were delivered and are not in the topic, the first is %s offset %d", len(p), p[0].tp, p[0].offset)
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
	for _, r := range b.read(topic) {
		b.observed.Record(observe.TopicPartition{Topic: r.Topic, Partition: r.Partition}, r.Offset, r.Key)
	}
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

// phantoms are records that a behavior got and that the final read of a topic, as
// read_committed shows it, did not find (S11).
func phantoms(events []history.Event) []place {
	there, read := map[place]bool{}, map[string]bool{}
	for i := range events {
		switch e := &events[i]; e.Kind {
		case history.RecordObserved:
			there[placeOf(e)] = true
		case history.LogObserved:
			read[e.Topic] = true
		default:
		}
	}
	var out []place
	for i := range events {
		if e := &events[i]; e.Kind == history.Enter && read[e.Topic] && !there[placeOf(e)] {
			out = append(out, placeOf(e))
		}
	}
	return out
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

// wantRepeatsOf wants only records repeated that none of m's acknowledged commits covers,
// counted within the assignment in which it finished them (S9 for a member that was
// killed, frozen or cut off).
func (b *bed) wantRepeatsOf(m *member, events []history.Event) {
	b.t.Helper()
	incarnation := ""
	acked := map[term]int64{}
	in := map[place]uint64{} // the epoch of a record's first delivery
	for _, e := range m.journal() {
		incarnation = e.Incarnation
		switch {
		case e.Kind == history.CommitAnswered && e.Result == history.ResultOK:
			t := term{e.TP(), e.Epoch}
			acked[t] = max(acked[t], e.Offset)
		case e.Kind == history.Started && in[placeOf(&e)] == 0:
			in[placeOf(&e)] = e.Epoch
		}
	}
	var wrong [][2]history.Event
	for _, r := range repeats(events) {
		mine := r[0].Incarnation == incarnation || r[1].Incarnation == incarnation
		if p := placeOf(&r[0]); !mine || p.offset < acked[term{p.tp, in[p]}] {
			wrong = append(wrong, r)
		}
	}
	if len(wrong) > 0 {
		b.t.Errorf("%d records were finished again that no fault excuses: %s", len(wrong), describe(wrong[0]))
	}
}

// term is an assignment of a partition within a member.
type term struct {
	tp    observe.TopicPartition
	epoch uint64
}
