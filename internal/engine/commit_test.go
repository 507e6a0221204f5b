package engine

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// A partition is lost at the moment in which a commit of it has passed the fence: the loss
// is not told of before the commit is.
func TestACommitIsNotToldOfAfterTheLoss(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		var once sync.Once
		r.events.before = func(ev observe.Event) {
			if _, ok := ev.(observe.CommitSent); ok {
				once.Do(func() {
					go r.e.Lost([]observe.TopicPartition{tp(0)}, actors.ErrLost)
					time.Sleep(10 * time.Millisecond) // the loss goes on as far as it can
				})
			}
		}
		r.assign(0)
		r.fetch(0, laneKeys(3), 0, 1, 2)
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		sent := slices.IndexFunc(r.events.all, func(ev observe.Event) bool { _, ok := ev.(observe.CommitSent); return ok })
		lost := slices.IndexFunc(r.events.all, func(ev observe.Event) bool { _, ok := ev.(observe.Lost); return ok })
		if sent < 0 || lost < sent {
			t.Errorf("the commit is event %d and the loss event %d, want the commit first", sent, lost)
		}
	})
}
