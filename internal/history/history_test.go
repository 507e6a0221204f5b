package history_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

var (
	orders = observe.TopicPartition{Topic: "orders", Partition: 3}
	lane7  = actors.VirtualPartition{Topic: "orders", Partition: 3, Index: 7}
	errBad = errors.New("bad")
)

func TestAppendNumbersAndTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := history.New()
		if seq := h.Append(history.Event{Kind: history.Sent}); seq != 1 {
			t.Errorf("first is %d", seq)
		}
		time.Sleep(time.Second)
		h.Append(history.Event{Kind: history.Acked, Seq: 99})
		h.Append(history.Event{Kind: history.Acked, Wall: 5})
		events := h.Events()
		if h.Len() != 3 || len(events) != 3 || events[1].Seq != 2 || events[2].Seq != 3 {
			t.Errorf("%d: %+v", h.Len(), events)
		}
		if got := time.Duration(events[1].Wall - events[0].Wall); got != time.Second || events[2].Wall != 5 {
			t.Errorf("times %+v", events)
		}
		events[0].Kind = "changed"
		if h.Events()[0].Kind != history.Sent {
			t.Error("Events is no copy")
		}
	})
}

func TestAppendFromManyGoroutines(t *testing.T) {
	t.Parallel()
	h := history.New()
	var wg sync.WaitGroup
	for i := range int32(8) {
		wg.Go(func() {
			last := uint64(0)
			for range 200 {
				seq := h.Append(history.Event{Partition: i})
				if seq <= last {
					t.Errorf("%d after %d", seq, last)
				}
				last = seq
			}
		})
	}
	wg.Wait()
	for i, ev := range h.Events() {
		if ev.Seq != uint64(i)+1 {
			t.Fatalf("event %d has Seq %d", i, ev.Seq)
		}
	}
	if h.Len() != 1600 {
		t.Errorf("%d events", h.Len())
	}
}

func TestIncarnationsDiffer(t *testing.T) {
	t.Parallel()
	a, b := history.NewIncarnation("m"), history.NewIncarnation("m")
	if a == b || !strings.HasPrefix(a, "m.") {
		t.Errorf("%q and %q", a, b)
	}
}
