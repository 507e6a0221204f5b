package engine

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// What an operator or a gap said of a partition is true of its next machine too.
func TestPausesOutliveARebuild(t *testing.T) {
	t.Parallel()
	for name, pause := range map[string]func(r *rig){
		core.Operator.String(): func(r *rig) {
			if err := r.e.PausePartition(tp(0)); err != nil {
				r.t.Error(err)
			}
		},
		core.GapStop.String(): func(r *rig) { r.e.Gapped(tp(0), r.epoch, 1, 10, true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(topic *Topic) {
				topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
			}, func(r *rig) {
				r.assign(0)
				pause(r)
				synctest.Wait()
				r.panics(0)
				time.Sleep(time.Minute)
				synctest.Wait()
				stats := r.e.Stats()
				if got := reasons(stats[0].Core.Reasons); !slices.Equal(got, []string{name}) {
					t.Errorf("reasons after the rebuild: got %q, want %q", got, name)
				}
				if !r.client.isPaused(0) {
					t.Error("the client fetches it")
				}
			})
		})
	}
}

// Behind a gap the partition goes on at the start of the log, with what it holds.
func TestRestartPartitionGoesOnBehindAGap(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d", rec.Offset)
			return nil
		})
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1)
		r.e.Gapped(tp(0), r.epoch, 1, 10, true)
		synctest.Wait()
		if !r.client.isPaused(0) {
			t.Error("it is fetched at the gap")
		}
		if err := r.e.RestartPartition(tp(0)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if want := []string{"t/0 gen 1 to 10"}; !slices.Equal(r.client.seeks, want) {
			t.Errorf("seeks: got %q, want %q", r.client.seeks, want)
		}
		r.fetch(0, []string{"k"}, 10)
		time.Sleep(commitEvery)
		synctest.Wait()
		j.want(t, "0", "1", "10")
		r.wantCommitted(0, 11)
		if r.client.isPaused(0) || count[observe.Escalated](r.events) > 0 {
			t.Error("it is paused, or was rebuilt")
		}
	})
}

func reasons(set core.ReasonSet) []string {
	var names []string
	for r := range set.All {
		names = append(names, r.String())
	}
	return names
}

func (c *table) isPaused(p int32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused[tp(p)]
}

// A partition that is revoked while it waits for its rebuild ended cleanly when the next
// owner does nothing again: the line is acknowledged, and with it what is finished above.
func TestARevokeOfAPartitionThatWaitsForItsRebuild(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refused  bool  // the commit before the rebuild
		finished int64 // by another lane
		panics   bool  // the partition's actor, instead of an escalation
		drained  bool
	}{
		"nothing is left":          {finished: 0, drained: true},
		"finished above the line":  {finished: 2, drained: true},
		"the commit is refused":    {finished: 0, refused: true},
		"what it had is forgotten": {finished: 2, panics: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(topic *Topic) {
				topic.Core.Lanes = 2
				topic.Supervision.Decide = func(supervision.Failure) supervision.Directive { return supervision.Escalate }
				topic.Supervision.Backoff.Min = time.Minute
				topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
					if rec.Offset == c.finished || rec.Offset == 0 {
						return nil
					}
					time.Sleep(10 * time.Millisecond)
					return errBad
				})
			}, func(r *rig) {
				keys := laneKeys(2)
				r.client.commitAs = func(CommitLine) CommitResult {
					if c.refused {
						return CommitResult{Outcome: observe.Refused, Err: errBad}
					}
					return CommitResult{}
				}
				r.assign(0)
				r.fetch(0, []string{keys[0], keys[0], keys[1]}, upTo(c.finished+2)...)
				if c.panics {
					r.panics(0)
				}
				time.Sleep(time.Second)
				begun := time.Now()
				r.e.Revoked([]observe.TopicPartition{tp(0)})
				ended := find[observe.RevokeEnded](r.events)
				if len(ended) != 1 || ended[0].Drained != c.drained {
					t.Errorf("ended: %+v, want once, drained %t", ended, c.drained)
				}
				if took := time.Since(begun); took != 0 {
					t.Errorf("the revoke took %v, want no time", took)
				}
			})
		})
	}
}

// The drain of a revoke has found nothing to wait for; others of the same revoke go on.
func TestADrainEndsTheWaitForARebuild(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Supervision.Decide = func(supervision.Failure) supervision.Directive { return supervision.Escalate }
		topic.Supervision.Backoff.Min = 2 * time.Second
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			if rec.Partition == 1 {
				time.Sleep(5 * time.Second)
				return nil
			}
			return errBad
		})
	}, func(r *rig) {
		r.assignBoth()
		r.fetch(0, []string{"k"}, 0)
		r.fetch(1, []string{"k"}, 0)
		time.Sleep(time.Second)
		r.e.Revoked([]observe.TopicPartition{tp(0), tp(1)})
		if len(r.client.seeks) > 0 {
			t.Errorf("it was begun again: %q", r.client.seeks)
		}
	})
}
