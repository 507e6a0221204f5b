//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strconv"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/supervision"
)

// trouble is a behavior that fails in every way on its records' first attempts.
func trouble(_ context.Context, rec *actors.Record) error {
	if rec.Attempt > 1 {
		return nil
	}
	switch rec.Offset % 23 {
	case 3:
		return errors.New("plain")
	case 7:
		panic("in the behavior")
	case 11:
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
				topic := runtime.Topic{
					Name: "orders", VirtualPartitions: lanes(n), Behavior: handle(trouble),
					Retry:       runtime.Retry{Backoff: supervision.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
					Supervision: supervision.Policy{Backoff: supervision.Backoff{Min: time.Millisecond, Max: 20 * time.Millisecond}},
				}
				a := w.start("a", topic)
				for i := range records {
					for p := range int32(partitions) {
						w.produce("orders", p, fmt.Sprint("key-", i%17), strconv.Itoa(i))
					}
					switch i {
					case 50:
						for lane := range int32(n) {
							_ = a.rt.RestartLane(actors.VirtualPartition{Topic: "orders", Partition: 1, Index: lane}, false)
						}
					case 100:
						w.c.Rebalance()
					case 150:
						w.start("b", topic)
					case 200:
						_ = a.rt.RestartPartition("orders", 0) // it may be b's
					case 250:
						if _, err := a.stop(); err != nil {
							t.Error(err)
						}
					}
					time.Sleep(5 * time.Millisecond)
				}
				w.drained(time.Minute, map[string][]int64{"orders": {records, records}})
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
