//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// trouble is a behavior that fails in every way on its records' first attempts.
type trouble struct{ panics, exits atomic.Int64 }

func (tr *trouble) receive(_ context.Context, rec *actors.Record) error {
	if rec.Attempt > 1 {
		return nil
	}
	switch rec.Offset % 23 {
	case 3:
		return errors.New("plain")
	case 7:
		tr.panics.Add(1)
		panic("in the behavior")
	case 11:
		tr.exits.Add(1)
		goruntime.Goexit()
	case 15:
		return actors.RetryAfter(50*time.Millisecond, errNotYet)
	case 19:
		time.Sleep(30 * time.Millisecond)
	}
	return nil
}

func TestKeysKeepTheirOrder(t *testing.T) {
	t.Parallel()
	const partitions, records = 2, 300
	for _, n := range []int{1, 3, 64} {
		t.Run(fmt.Sprint("lanes ", n), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7}, func(w *world) {
				var tr trouble
				topic := runtime.Topic{
					Name: "orders", VirtualPartitions: lanes(n), Behavior: handle(tr.receive),
					Retry:       runtime.Retry{Backoff: supervision.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
					Supervision: supervision.Policy{Backoff: supervision.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
				}
				a := w.start("a", topic)
				var b *node
				for i := range records {
					for p := range int32(partitions) {
						w.produce("orders", p, fmt.Sprint("key-", i%17), strconv.Itoa(i))
					}
					switch i {
					case 50:
						for lane := range int32(n) {
							if err := a.rt.RestartLane(actors.VirtualPartition{Topic: "orders", Partition: 1, Index: lane}, false); err != nil {
								t.Error(err)
							}
						}
					case 100:
						w.c.Rebalance()
					case 150:
						b = w.start("b", topic)
					case 200:
						owner := a
						if slices.Contains(b.owned(), "orders/0") {
							owner = b
						}
						if err := owner.rt.RestartPartition("orders", 0); err != nil {
							t.Error(err)
						}
					case 250:
						if _, err := a.stop(); err != nil {
							t.Error(err)
						}
					}
					time.Sleep(5 * time.Millisecond)
				}
				w.drained(time.Minute, map[string][]int64{"orders": {records, records}})
				restarts, revokes := count[observe.Restarted](a)+count[observe.Restarted](b), count[observe.RevokeEnded](a)
				escalated := count[observe.Escalated](a) + count[observe.Escalated](b)
				if tr.panics.Load() == 0 || tr.exits.Load() == 0 || restarts == 0 || revokes == 0 || escalated == 0 {
					t.Errorf("%d panics, %d exits, %d restarts, %d revokes, %d rebuilds; want some of each",
						tr.panics.Load(), tr.exits.Load(), restarts, revokes, escalated)
				}
			})
		})
	}
}

func TestRecordsWithoutAKeyKeepTheirOrder(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(16),
			Behavior: func(vp actors.VirtualPartition) actors.Behavior {
				return handle(func(_ context.Context, rec *actors.Record) error {
					seen.add("lane %d: %d", vp.Index, rec.Offset)
					return nil
				})(vp)
			},
		})
		for range 3 {
			w.produceRecords(&actors.Record{Topic: "orders"})
		}
		time.Sleep(commitEvery)
		seen.want(t, "lane 0: 0", "lane 0: 1", "lane 0: 2")
		w.wantCommitted("orders", 0, 3)
	})
}
