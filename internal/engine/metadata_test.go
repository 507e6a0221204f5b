package engine

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// offsetsFrom are n offsets from first on.
func offsetsFrom(first, n int64) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = first + int64(i)
	}
	return all
}

// held is a behavior that snoozes at offset 0, whose lane waits, until it is let go.
type held struct {
	mu    sync.Mutex
	free  bool
	calls map[int64]int
}

func (h *held) Receive(_ context.Context, rec *actors.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if rec.Offset == 0 && !h.free {
		return actors.Snooze(time.Hour)
	}
	h.calls[rec.Offset]++
	return nil
}

func (h *held) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free = true
}

// again names the offsets that were finished more than once.
func (h *held) again() []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []int64
	for offset, n := range h.calls {
		if n > 1 {
			all = append(all, offset)
		}
	}
	slices.Sort(all)
	return all
}

func (h *held) finished() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.calls)
}

// holding is an engine whose behavior is a held.
func holding(t *testing.T, test func(r *rig, h *held, keys []string)) {
	t.Helper()
	h := &held{calls: map[int64]int{}}
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(h.Receive)
	}, func(r *rig) { test(r, h, laneKeys(3)) })
}

// fetchHeld brings offset 0 to the lane that waits, and others to two that do not.
func (r *rig) fetchHeld(keys []string, others ...int64) {
	r.t.Helper()
	r.fetch(0, keys[:1], 0)
	r.fetch(0, keys[1:], others...)
}

// heldBack is a partition whose line is held at 0 while two of its lanes are through with
// the records behind it, which are n. It is let go by an orderly handover.
func heldBack(t *testing.T, n int64, test func(r *rig, h *held, keys []string)) {
	t.Helper()
	holding(t, func(r *rig, h *held, keys []string) {
		r.assign(0)
		r.fetchHeld(keys, offsetsFrom(1, n)...)
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		r.wantCommitted(0, 0)
		if got := h.finished(); got != int(n) {
			t.Fatalf("%d records are finished above the line, want %d", got, n)
		}
		test(r, h, keys)
	})
}

// wantAllOnce wants n records finished, each once, and all of them committed.
func (h *held) wantAllOnce(r *rig, n int) {
	r.t.Helper()
	time.Sleep(commitEvery)
	synctest.Wait()
	if again := h.again(); len(again) > 0 || h.finished() != n {
		r.t.Errorf("%d finished, again %v", h.finished(), again)
	}
	r.wantCommitted(0, int64(n))
}

// The next owner runs none of what was finished above a line that a waiting lane held.
func TestTheNextOwnerRunsNothingAgain(t *testing.T) {
	t.Parallel()
	heldBack(t, 1000, func(r *rig, h *held, keys []string) {
		h.letGo()
		r.assign(0)
		r.fetchHeld(keys, offsetsFrom(1, 1010)...)
		h.wantAllOnce(r, 1011)
	})
}

// Compaction takes records away between two owners. What is left and was not finished
// runs, whatever its place in the sequence is now.
func TestTheNextOwnerOfACompactedPartitionLosesNothing(t *testing.T) {
	t.Parallel()
	heldBack(t, 1000, func(r *rig, h *held, keys []string) {
		h.letGo()
		r.assign(0)
		var left []int64
		for offset := int64(1); offset <= 1000; offset += 7 {
			left = append(left, offset)
		}
		r.fetchHeld(keys, append(left, offsetsFrom(1001, 50)...)...)
		h.wantAllOnce(r, 1051)
	})
}

// Not believed, with a reason: what another tool wrote, what is of another position or
// topic, and what a later leader may have written over.
func TestTheNextOwnerRunsAllAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(r *rig)
		reason string
	}{
		"another tool's":  {func(r *rig) { r.client.metadata[tp(0)] = "backup of monday" }, "not written by Troupe"},
		"a later version": {func(r *rig) { r.client.metadata[tp(0)] = "troupe9" + r.client.metadata[tp(0)][len("troupe1"):] }, "version 9"},
		"damaged":         {func(r *rig) { r.client.metadata[tp(0)] = r.client.metadata[tp(0)][:20] }, "damaged"},
		"another topic":   {func(r *rig) { r.topicID = [16]byte{2} }, "deleted"},
		"a later leader":  {func(r *rig) { r.leader = 1 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holding(t, func(r *rig, h *held, keys []string) {
				r.topicID = [16]byte{1}
				r.assign(0)
				r.fetchHeld(keys, offsetsFrom(1, 20)...)
				r.e.Revoked([]observe.TopicPartition{tp(0)})
				c.change(r)
				h.letGo()
				r.assign(0)
				r.fetchHeld(keys, offsetsFrom(1, 20)...)
				if again := h.again(); len(again) != 20 {
					t.Errorf("again %v, want 20 records", again)
				}
				ignored := find[observe.MetadataIgnored](r.events)
				if c.reason == "" != (len(ignored) == 0) || len(ignored) > 0 && !strings.Contains(ignored[0].Err.Error(), c.reason) {
					t.Errorf("ignored: %v, want %q", ignored, c.reason)
				}
			})
		})
	}
}

// Of one batch what a later leader wrote runs, and nothing of what the set was found out on.
func TestALaterLeaderInTheMiddleOfABatch(t *testing.T) {
	t.Parallel()
	heldBack(t, 20, func(r *rig, h *held, keys []string) {
		h.letGo()
		r.assign(0)
		r.later = []Leader{{From: 11, Epoch: 1}}
		r.fetch(0, keys, offsetsFrom(0, 21)...)
		if again := h.again(); !slices.Equal(again, offsetsFrom(11, 10)) {
			t.Errorf("again %v, want 11 to 20", again)
		}
		if h.finished() != 21 {
			t.Errorf("%d finished, want 21", h.finished())
		}
	})
}

// A supervisor that panicked begins at what was committed, as another owner does.
func TestAPanicOfTheSupervisorForgetsWhatWasNotCommittedAlone(t *testing.T) {
	t.Parallel()
	holding(t, func(r *rig, h *held, keys []string) {
		r.assign(0)
		r.fetchHeld(keys, offsetsFrom(1, 20)...)
		time.Sleep(commitEvery)
		synctest.Wait()
		r.fetch(0, keys[1:], 21, 22)
		r.panics(0)
		time.Sleep(commitEvery / 2)
		synctest.Wait()
		r.fetchHeld(keys, offsetsFrom(1, 22)...)
		if again := h.again(); !slices.Equal(again, []int64{21, 22}) {
			t.Errorf("again %v, want 21 and 22", again)
		}
	})
}

// Attempts go on over a handover: the dead letter comes after as many as were configured.
func TestAttemptsGoOnAtTheNextOwner(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.MaxAttempts, topic.Core.DeadLetter, topic.DeadLetter = 3, true, "dlq"
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d: %d", rec.Offset, rec.Attempt)
			return errBad
		})
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 5)
		time.Sleep(1500 * time.Millisecond)
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		r.assign(0)
		r.fetch(0, []string{"k"}, 5)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "5: 1", "5: 2", "5: 3")
		if got := headersOf(r.client.forwards[0])["troupe.dlq.attempts"]; len(r.client.forwards) != 1 || got != "3" {
			t.Errorf("%d dead letters, the first after %s attempts", len(r.client.forwards), got)
		}
		r.wantCommitted(0, 6)
	})
}

// A dead letter whose write was not acknowledged by the handover is written by the next
// owner, and not delivered: later records of its lane are finished.
func TestTheNextOwnerWritesWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	refusing(t, func(r *rig, j *journal, accept func()) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1, 2)
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		accept()
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1, 2, 3)
		time.Sleep(commitEvery)
		synctest.Wait()
		j.want(t, "0", "1", "2", "3")
		r.wantCommitted(0, 4)
		if len(r.client.forwards) != 1 {
			t.Fatalf("%d dead letters, want 1", len(r.client.forwards))
		}
		got := headersOf(r.client.forwards[0])
		if _, when := got["troupe.dlq.failed.at"]; when || got["troupe.dlq.attempts"] != "1" || got["__dlq.errors.message"] != errGivenUp.Error() {
			t.Errorf("headers %v", got)
		}
	})
}

// A commit without room for attempts is told of, and one that has none for finished records
// either.
func TestLessAndLessRoomIsTold(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			if rec.Offset == 10 {
				return actors.RetryAfter(time.Hour, errBad)
			}
			return nil
		})
	}, func(r *rig) {
		r.e.room.Store(20)
		keys := laneKeys(2)
		r.client.committed[tp(0)] = 10
		r.assign(0)
		for i, want := range [][]int64{{-1}, {-1, 10}, {-1, 10}} { // offset 10 is the line
			r.fetch(0, keys[min(i, 1):min(i, 1)+1], 10+int64(i))
			time.Sleep(commitEvery)
			synctest.Wait()
			var got []int64
			for _, ev := range find[observe.MetadataCut](r.events) {
				got = append(got, ev.From)
			}
			if !slices.Equal(got, want) {
				t.Errorf("with %d records: told of %v, want %v", i+1, got, want)
			}
		}
	})
}

func headersOf(f *Forward) map[string]string {
	all := map[string]string{}
	for _, h := range f.Headers {
		all[h.Key] = string(h.Value)
	}
	return all
}

// A broker that takes less than others: the plain line is committed at once, and soon as
// much of the rest as it takes. It is told once.
func TestABrokerThatTakesLessMetadata(t *testing.T) {
	t.Parallel()
	const most = 60
	holding(t, func(r *rig, _ *held, keys []string) {
		refusals := 0
		r.client.commitAs = func(l CommitLine) CommitResult {
			if len(l.Metadata) > most {
				refusals++
				return CommitResult{Outcome: observe.Refused, Err: errBad, TooLarge: true}
			}
			return CommitResult{}
		}
		r.assign(0)
		r.fetch(0, keys[:1], 0)
		offsets := offsetsFrom(1, 400)
		for i := range offsets {
			offsets[i] *= 2 // a hole between each two, and every third is not finished
			r.fetch(0, keys[1:2], offsets[i])
			r.fetch(0, keys[:1], offsets[i]+1)
		}
		time.Sleep(commitEvery)
		synctest.Wait()
		if len(r.client.commits) != 1 || r.client.text(0) != "" {
			t.Errorf("commits %v, want the plain line at once", r.client.commits)
		}
		time.Sleep(10 * commitEvery)
		synctest.Wait()
		if n := len(r.client.text(0)); n == 0 || n > most {
			t.Errorf("%d bytes stored, want up to %d", n, most)
		}
		cut := find[observe.MetadataCut](r.events)
		if len(cut) != 1 || !cut[0].Refused || cut[0].TP != tp(0) || refusals == 0 || refusals > 8 {
			t.Errorf("%d refusals, events %+v", refusals, cut)
		}
		if count[observe.CommitAnswered](r.events) != len(r.client.commits) {
			t.Error("a refusal of metadata shows as one of the line")
		}
	})
}
