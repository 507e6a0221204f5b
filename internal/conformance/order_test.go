//go:build kafka

package conformance

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// Records of a key are handled in order, whatever the number of lanes: while some fail,
// some panic, and the member is stopped and followed by another one.
func TestOrderPerKey(t *testing.T) {
	t.Parallel()
	for _, lanes := range []int{1, 3, 64} {
		t.Run(fmt.Sprintf("%d lanes", lanes), func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			topic := b.topic("orders", 2)
			var keys []string
			for i := range 20 {
				keys = append(keys, "key"+strconv.Itoa(i))
			}
			b.kcat(topic, 0, lines(400, keys...))
			b.kcat(topic, 1, lines(400, keys...))
			s := spec{Name: "a", Topics: []topicSpec{{
				Name: topic, Lanes: lanes, Script: script{FailEach: 29, PanicEach: 31, Sleep: time.Millisecond},
			}}}
			first := b.start(s)
			first.waitFinished(200)
			first.stops(exitClean)
			s.Name = "b"
			second := b.start(s)
			b.waitDrained(topic)
			second.stops(exitClean)
			b.wantAllCommitted(topic)
			events := b.judge([]string{topic}, check.S1, check.S2, check.S3, check.S4, check.S5, check.S6)
			wantFailures(t, events)
		})
	}
}

// wantFailures wants that records failed, that lanes restarted, and that the records were
// delivered again.
func wantFailures(t *testing.T, events []history.Event) {
	t.Helper()
	failed, panicked, again := 0, 0, 0
	for _, e := range events {
		switch {
		case e.Kind == history.Leave && e.Result == history.ResultError:
			failed++
		case e.Kind == history.Leave && e.Result == history.ResultPanic:
			panicked++
		case e.Kind == history.Enter && e.Attempt > 1:
			again++
		}
	}
	if failed == 0 || panicked == 0 || again == 0 {
		t.Errorf("%d calls failed, %d panicked, %d were repetitions, want some of each", failed, panicked, again)
	}
}

// Records without a key keep their order, in lane 0; an empty key is a key.
func TestNullKeys(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	topic := b.topic("orders", 1)
	var records []line
	for i := range 90 {
		r := line{value: "v" + strconv.Itoa(i)}
		switch i / 10 % 3 { // runs of ten: without, with an empty one, with one
		case 1:
			r.hasKey = true
		case 2:
			r.hasKey, r.key = true, keyPerLane(3)[2]
		}
		records = append(records, r)
	}
	b.kcat(topic, 0, records)
	m := b.start(spec{Name: "a", Topics: []topicSpec{{Name: topic, Lanes: 3, Script: script{FailEach: 7}}}})
	b.waitLine(topic, 0, 90)
	m.stops(exitClean)
	b.wantCommitted(topic, 90)
	events := b.judge([]string{topic}, check.S1, check.S2, check.S5, check.S6)
	b.wantNoRepeats(events)
	lanes := map[string]map[int32]int{}
	for _, e := range events {
		if e.Kind != history.Enter {
			continue
		}
		kind := fmt.Sprintf("%t %s", e.Key != nil, e.Key)
		if lanes[kind] == nil {
			lanes[kind] = map[int32]int{}
		}
		lanes[kind][e.Lane]++
	}
	if len(lanes) != 3 {
		t.Errorf("the behavior saw the keys %v, want none, an empty one and one", lanes)
	}
	if got := lanes["false "]; len(got) != 1 || got[0] == 0 {
		t.Errorf("records without a key were in the lanes %v, want lane 0", got)
	}
	for kind, got := range lanes {
		if len(got) != 1 {
			t.Errorf("key %q was in the lanes %v, want one", kind, got)
		}
	}
}
