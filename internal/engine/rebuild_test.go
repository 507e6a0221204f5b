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
