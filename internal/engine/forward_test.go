package engine

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/deadletter"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

func TestDeadLetterHoldsTheLineUntilItsAck(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Core.DeadLetter = true
		topic.DeadLetter = "dlq.g.t"
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			if rec.Offset == 0 {
				return actors.Discard(errBad)
			}
			return nil
		})
	}, func(r *rig) {
		refuse := atomic.Bool{}
		refuse.Store(true)
		r.client.forwardAs = func(*Forward) error {
			if refuse.Load() {
				return errBad
			}
			return nil
		}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		r.wantCommitted(0, 0)
		if count[observe.ForwardFailed](r.events) == 0 {
			t.Error("the refusals are not visible")
		}
		refuse.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 2)
		got := map[string]string{}
		for _, h := range r.client.forwards[0].Headers {
			got[h.Key] = string(h.Value)
		}
		for key, want := range map[string]string{
			"__dlq.errors.topic": "t", "__dlq.errors.partition": "0", "__dlq.errors.offset": "0", "__dlq.errors.group": "g",
			"__dlq.errors.delivery.count": "1", "__dlq.errors.message": "bad", "troupe.dlq.hops": "1",
		} {
			if got[key] != want {
				t.Errorf("header %s: got %q, want %q", key, got[key], want)
			}
		}
	})
}

func TestARecordThatLoopsStopsItsLane(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Core.DeadLetter, topic.DeadLetter = true, "dlq"
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return actors.Discard(errBad) })
	}, func(r *rig) {
		r.assign(0)
		r.e.Fetched([]Batch{{TP: tp(0), Epoch: r.epoch, Records: []actors.Record{
			{Topic: "t", Attempt: 1, Headers: []actors.Header{{Key: deadletter.KeyHops, Value: []byte("4")}}},
			{Topic: "t", Attempt: 1, Offset: 1, Headers: []actors.Header{{Key: deadletter.KeyHops, Value: []byte("4")}, {Key: deadletter.KeyHops, Value: []byte("5")}}},
		}}})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 1)
		if got := len(r.client.forwards); got != 1 {
			t.Errorf("forwards: got %d, want that of the first record", got)
		}
		if got := count[observe.Halted](r.events); got != 1 {
			t.Errorf("halted: got %d events, want 1", got)
		}
	})
}

func TestARecordWithNowhereToGoIsWarnedAboutOnceAMinute(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Core.Retry = supervision.Backoff{Min: time.Second, Max: time.Second}
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return errBad })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(9*time.Second - time.Millisecond)
		synctest.Wait()
		if got := count[observe.Warned](r.events); got != 0 {
			t.Errorf("%d warnings before the tenth attempt", got)
		}
		time.Sleep(2*time.Minute + 30*time.Second)
		synctest.Wait()
		if got := count[observe.Warned](r.events); got != 3 {
			t.Errorf("warnings in 2.5 minutes: got %d, want 3", got)
		}
	})
}

// refusing is a partition of one lane whose first record is discarded, and whose dead letter
// topic refuses it until accept is called.
func refusing(t *testing.T, test func(r *rig, j *journal, accept func())) {
	t.Helper()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes, topic.Core.DeadLetter, topic.DeadLetter = 1, true, "dlq"
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d", rec.Offset)
			if rec.Offset == 0 {
				return actors.Discard(errBad)
			}
			return nil
		})
	}, func(r *rig) {
		refuse := atomic.Bool{}
		refuse.Store(true)
		r.client.forwardAs = func(*Forward) error {
			if refuse.Load() {
				return errBad
			}
			return nil
		}
		test(r, &j, func() { refuse.Store(false) })
	})
}

// A dead letter whose write has not succeeded when its partition is rebuilt is written
// again by the next actor. A delivery would come after those of later records of its key.
func TestADeadLetterOutlivesARebuild(t *testing.T) {
	t.Parallel()
	refusing(t, func(r *rig, j *journal, accept func()) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1, 2)
		synctest.Wait()
		if err := r.e.RestartPartition(tp(0)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * drainFor)
		synctest.Wait()
		accept()
		if want := []string{"t/0 gen 1 to 0"}; !slices.Equal(r.client.seeks, want) {
			t.Errorf("seeks: got %q, want %q", r.client.seeks, want)
		}
		r.fetch(0, []string{"k"}, 0, 1, 2, 3)
		time.Sleep(commitEvery)
		synctest.Wait()
		j.want(t, "0", "1", "2", "3")
		r.wantCommitted(0, 4)
		if n := len(r.client.forwards); n != 1 || r.client.forwards[0].Record.Offset != 0 {
			t.Errorf("%d dead letters, want one, of the record 0", n)
		}
	})
}

// The client may ask for a smaller dead letter again and again; the event tells how often
// it did.
func TestADeadLetterIsMadeSmallerStepByStep(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.DeadLetter, topic.DeadLetter = true, "dlq"
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return actors.Discard(errBad) })
	}, func(r *rig) {
		sizes := []int{}
		r.client.forwardAs = func(f *Forward) error {
			for ; f.Smaller != nil; f = f.Smaller() {
				sizes = append(sizes, len(f.Headers))
			}
			sizes = append(sizes, len(f.Headers))
			return nil
		}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(commitEvery)
		synctest.Wait()
		if len(sizes) != 5 || !slices.IsSortedFunc(sizes, func(a, b int) int { return b - a }) || sizes[0] == sizes[4] {
			t.Errorf("headers of each step: %v, want five, and ever fewer", sizes)
		}
		for _, ev := range r.events.all {
			if ev, ok := ev.(observe.Forwarded); ok && ev.Trimmed != 4 {
				t.Errorf("trimmed %d, want 4", ev.Trimmed)
			}
		}
		if count[observe.Forwarded](r.events) != 1 {
			t.Error("no dead letter was acknowledged")
		}
	})
}
