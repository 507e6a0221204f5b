//go:build synctests

package engine

import (
	"context"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// What a poll brings is handed over once the partitions have read what the one before did:
// not before a full one has said so. One that does not read holds it up for readPatience.
func TestAPollDoesNotRunAheadOfItsPartitions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ reading, waits time.Duration }{
		{0, 0},
		{30 * time.Millisecond, 30 * time.Millisecond},
		{time.Second, readPatience},
	} {
		inBubble(t, func(topic *Topic) {
			topic.Core.BufferRecords = 2
			topic.Behavior = actors.Func(func(ctx context.Context, _ *actors.Record) error {
				<-ctx.Done()
				return ctx.Err()
			})
		}, func(r *rig) {
			r.events.before = func(ev observe.Event) {
				if _, ok := ev.(observe.Paused); ok {
					time.Sleep(c.reading)
				}
			}
			r.assign(0)
			hand := func(offset int64) time.Duration {
				from := time.Now()
				b := Batch{TP: tp(0), Epoch: r.epoch, LogEnd: offset + 3}
				for i := range int64(3) {
					b.Records = append(b.Records, actors.Record{Topic: "t", Offset: offset + i, Attempt: 1, Timestamp: from})
				}
				r.e.Fetched([]Batch{b, {TP: tp(7), Epoch: r.epoch}})
				return time.Since(from)
			}
			if took := hand(0); took != 0 {
				t.Errorf("the first hand-over took %v", took)
			}
			if took := hand(3); took != c.waits {
				t.Errorf("behind a partition that reads for %v a hand-over took %v, want %v", c.reading, took, c.waits)
			}
			time.Sleep(2 * time.Second)
			if took := hand(6); took != 0 {
				t.Errorf("behind a partition that has read a hand-over took %v", took)
			}
			time.Sleep(2 * time.Second)
		})
	}
}
