//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
)

// transaction writes n records to orders/0 and ends as it is told.
func (w *world) transaction(client *kgo.Client, end kgo.TransactionEndTry, n int) {
	w.t.Helper()
	w.open(client, n)(end)
}

// open writes n records in a transaction, and returns what ends it.
func (w *world) open(client *kgo.Client, n int) func(kgo.TransactionEndTry) {
	w.t.Helper()
	ctx := context.Background()
	if err := client.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	var recs []*kgo.Record
	for i := range n {
		recs = append(recs, &kgo.Record{Topic: "orders", Key: []byte(fmt.Sprint("key-", i)), Value: []byte("v")})
	}
	if err := client.ProduceSync(ctx, recs...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	w.consumes("orders")
	return func(end kgo.TransactionEndTry) {
		if err := client.EndTransaction(ctx, end); err != nil {
			w.t.Fatal(err)
		}
		w.hit(map[kgo.TransactionEndTry]string{kgo.TryCommit: "committed", kgo.TryAbort: "aborted"}[end])
		for _, r := range recs {
			sent := w.producer.Sent("orders", fmt.Sprint("t", r.Offset), r.Key)
			if end == kgo.TryCommit {
				sent.Acked(r.Partition, r.Offset)
			} else {
				sent.Failed(errNotYet)
			}
		}
	}
}

func (w *world) transactional(opts ...kgo.Opt) *kgo.Client {
	return w.c.Client(append(opts, kgo.TransactionalID("tx"), kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
}

func TestScenario024AbortedTransactions(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S11, check.S12, check.Poll}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(3),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { seen.add("%d", rec.Offset); return nil }),
		})
		client := w.transactional()
		w.transaction(client, kgo.TryCommit, 2) // 0 1, marker 2
		w.transaction(client, kgo.TryAbort, 2)  // 3 4, marker 5
		w.transaction(client, kgo.TryCommit, 1) // 6, marker 7
		w.transaction(client, kgo.TryAbort, 1)  // 8, marker 9
		w.drained(5*time.Second, map[string][]int64{"orders": {10}})
		if got := len(seen.lines()); got != 3 {
			t.Errorf("the behavior saw %v, want 0, 1 and 6", seen.lines())
		}
		if s := n.partition("orders", 0); s.Lag != 0 || s.Next != 10 {
			t.Errorf("lag %d behind the line %d, want 0 behind 10", s.Lag, s.Next)
		}
	})
}

// The second record is blocked, with markers all around it (parallel-consumer #329).
func TestScenario023MarkersAroundABlockedRecord(t *testing.T) {
	t.Parallel()
	for markers := 1; markers <= 3; markers++ {
		t.Run(fmt.Sprint("markers ", markers), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S11, check.S12, check.Poll}, func(w *world) {
				open := make(chan struct{})
				client := w.transactional()
				w.transaction(client, kgo.TryCommit, 1) // 0, marker 1
				for range markers - 1 {
					w.transaction(client, kgo.TryAbort, 1)
				}
				blocked := int64(2 * markers)
				w.transaction(client, kgo.TryCommit, 1) // the blocked one
				w.transaction(client, kgo.TryCommit, 1)
				w.start("a", runtime.Topic{
					Name: "orders", VirtualPartitions: lanes(3),
					Behavior: handle(func(_ context.Context, rec *actors.Record) error {
						if rec.Offset == blocked {
							<-open
						}
						return nil
					}),
				})
				time.Sleep(2 * commitEvery)
				w.wantCommitted("orders", 0, blocked)
				close(open)
				w.drained(5*time.Second, map[string][]int64{"orders": {blocked + 4}})
			})
		})
	}
}

func TestScenario025AnOpenTransaction(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		n := w.start("a", runtime.Topic{
			Name:     "orders",
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { seen.add("%d", rec.Offset); return nil }),
		})
		w.produce("orders", 0, "k", "before")
		end := w.open(w.transactional(kgo.TransactionTimeout(15*time.Minute)), 1)
		w.produce("orders", 0, "k", "behind")
		for range 10 {
			time.Sleep(time.Minute)
			n.wantProbe("/livez", http.StatusOK)
			n.wantProbe("/readyz", http.StatusOK)
		}
		w.wantCommitted("orders", 0, 1)
		if s := n.partition("orders", 0); s.Lag != 0 {
			t.Errorf("lag %d before the last stable offset, want 0", s.Lag)
		}
		end(kgo.TryCommit)
		w.drained(10*time.Second, map[string][]int64{"orders": {4}})
		seen.want(t, "0", "1", "2")
	})
}

func TestScenario026CompactionHoles(t *testing.T) {
	t.Parallel()
	scenario(t, nil, []string{check.S1, check.S2}, func(w *world) {
		if err := w.c.Broker().CreateTopic("orders", 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		for i := range 10 { // one batch each
			w.produce("orders", 0, fmt.Sprint("key-", i%3), "v")
		}
		w.c.Broker().Compact()
		held := w.c.Records("orders")
		if len(held) == 10 {
			t.Fatal("nothing was compacted away: nothing is shown")
		}
		at := int64(0)
		for _, r := range held { // what lies between is gone
			w.observer.Removed(tp("orders", 0), at, r.Offset)
			if r.Offset > at {
				w.hit("hole")
			}
			at = r.Offset + 1
		}
		open := make(chan struct{})
		w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(3),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if rec.Offset == held[1].Offset {
					<-open
				}
				return nil
			}),
		})
		time.Sleep(2 * commitEvery)
		w.wantCommitted("orders", 0, held[1].Offset)
		close(open)
		w.drained(5*time.Second, map[string][]int64{"orders": {10}})
	})
}
