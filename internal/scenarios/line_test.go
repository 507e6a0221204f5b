//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/supervision"
)

var errNotYet = errors.New("not yet")

// spread are the lanes of the records 0 to 9.
var spread = []int{0, 1, 2, 1, 0, 2, 1, 0, 2, 1}

func (w *world) produceSpread() {
	w.t.Helper()
	var recs []*actors.Record
	for _, lane := range spread {
		recs = append(recs, &actors.Record{Topic: "orders", Key: []byte(laneKey(lane, 3))})
	}
	w.produceRecords(recs...)
}

// Finished are {0,1,2,4,5,7}, and the broker holds 3: the record 3 has failed and holds 6
// and 9 of its lane, and 8 is under way.
func TestCommitLineStaysAtTheFirstUnfinishedRecord(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3, check.S5, check.S6}, func(w *world) {
		open := make(chan struct{})
		w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(3), Retry: runtime.Retry{Backoff: supervision.Backoff{Min: time.Hour, Max: time.Hour}},
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				switch {
				case rec.Offset == 3 && rec.Attempt == 1:
					return actors.RetryAfter(time.Minute, errNotYet)
				case rec.Offset == 8:
					<-open
				}
				return nil
			}),
		})
		w.produceSpread()
		time.Sleep(commitEvery)
		w.wantCommitted("orders", 0, 3)
		time.Sleep(58 * time.Second)
		w.wantCommitted("orders", 0, 3)
		time.Sleep(time.Second + commitEvery) // the retry, and the next commit
		w.wantCommitted("orders", 0, 8)
		close(open)
		time.Sleep(commitEvery)
		w.wantCommitted("orders", 0, 10)
	})
}

func TestFailureRerunsItsOwnLaneFromTheFailingRecord(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5}, func(w *world) {
		var seen [3]tape
		w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(3),
			Behavior: func(vp actors.VirtualPartition) actors.Behavior {
				return handle(func(_ context.Context, rec *actors.Record) error {
					seen[vp.Index].add("%d/%d", rec.Offset, rec.Attempt)
					if rec.Offset == 3 && rec.Attempt == 1 {
						panic("once")
					}
					return nil
				})(vp)
			},
		})
		w.produceSpread()
		time.Sleep(2 * time.Second)
		w.wantCommitted("orders", 0, 10)
		seen[0].want(t, "0/1", "4/1", "7/1")
		seen[1].want(t, "1/1", "3/1", "3/2", "6/1", "9/1")
		seen[2].want(t, "2/1", "5/1", "8/1")
	})
}

// What was finished above the line before a rebuild is not run again.
func TestRebuildKeepsWhatWasFinishedAboveTheLine(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S6}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(3),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				seen.add("%d/%d", rec.Offset, rec.Attempt)
				if rec.Offset == 3 && rec.Attempt < 3 {
					return actors.RetryAfter(10*time.Second, errNotYet)
				}
				return nil
			}),
		})
		w.produceSpread()
		time.Sleep(2 * time.Second)
		if err := n.rt.RestartPartition("orders", 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		w.wantCommitted("orders", 0, 10)
		got := seen.lines()
		slices.Sort(got)
		want := []string{"0/1", "1/1", "2/1", "3/1", "3/2", "3/3", "4/1", "5/1", "6/1", "7/1", "8/1", "9/1"}
		if !slices.Equal(got, want) {
			t.Errorf("deliveries %q, want %q", got, want)
		}
	})
}
