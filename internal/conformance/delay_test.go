//go:build kafka

package conformance

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// A delay of 3 s is never early, also across a handover, and another topic of the same
// member does not wait for it.
func TestDelay(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	delayed, plain := b.topic("delayed", 2), b.topic("orders", 2)
	const delay = 3 * time.Second
	s := spec{Name: "a", Topics: []topicSpec{{Name: delayed, Delay: delay}, {Name: plain}}}
	first := b.start(s)
	first.waitHolds(4)
	slow := b.load(delayed, 2, 5*time.Millisecond)
	fast := b.load(plain, 2, 5*time.Millisecond)
	eventually(t, "the delayed topic is worked at", func() bool { return first.count(history.Leave, delayed) > 100 })
	s.Name = "b"
	second := b.start(s)
	eventually(t, "the second member works at its share of the delayed topic", func() bool { return second.count(history.Leave, delayed) > 20 })
	slow.stop()
	fast.stop()
	b.waitDrained(delayed, plain)
	first.stops(exitClean)
	second.stops(exitClean)
	b.wantAllCommitted(delayed, plain)
	events := b.judge([]string{delayed, plain}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7, check.S8)

	written := map[place]int64{}
	waited := 0
	for _, e := range events {
		switch {
		case e.Kind == history.Acked && e.Topic == plain:
			written[placeOf(&e)] = e.Wall
		case e.Kind == history.Enter && e.Topic == plain:
			if age := time.Duration(e.Wall - written[placeOf(&e)]); written[placeOf(&e)] != 0 && age >= delay {
				waited++
			}
		}
	}
	// A broker that stalls for so long holds some of them, a delay would hold all.
	if len(written) == 0 || waited > len(written)/2 {
		t.Errorf("of %d records without a delay %d waited for as long as one", len(written), waited)
	}
	wantOnce(t, events)
}

// wantOnce wants no offset to enter an assignment twice.
func wantOnce(t *testing.T, events []history.Event) {
	t.Helper()
	type fetch struct {
		incarnation string
		epoch       uint64
		place
	}
	next := map[fetch]int64{}
	for _, e := range events {
		if e.Kind != history.Fetched {
			continue
		}
		f := fetch{e.Incarnation, e.Epoch, partitionOf(&e)}
		if e.Offset < next[f] {
			t.Errorf("%s: %s: offset %d entered the partition after %d", e.Incarnation, e.TP(), e.Offset, next[f]-1)
		}
		next[f] = e.To
	}
}
