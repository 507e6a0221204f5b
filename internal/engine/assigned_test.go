package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
)

// Records may come as soon as Assigned has returned, before the partition's actor, or
// even the group's, had a turn.
func TestRecordsThatComeRightBehindTheAssignment(t *testing.T) {
	t.Parallel()
	const partitions = 200
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		for p := range int32(partitions) {
			r.epoch++
			r.e.Assigned([]Assignment{{TP: tp(p), Epoch: r.epoch}})
			r.e.Fetched([]Batch{{TP: tp(p), Epoch: r.epoch, Records: []actors.Record{{Topic: "t", Partition: p, Attempt: 1}}}})
		}
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		for p := range int32(partitions) {
			r.wantCommitted(p, 1)
		}
	})
}
