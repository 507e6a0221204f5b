//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
)

// More partitions than when the member joined: the new ones are found with the metadata,
// and consumed from their start.
func TestScenario021MorePartitions(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5}, func(w *world) {
		a := w.start("a", working())
		w.start("b", working())
		time.Sleep(4 * heartbeatFor)
		w.steady(20, nil)
		if _, err := kadm.NewClient(w.c.Client()).CreatePartitions(context.Background(), 4, "orders"); err != nil {
			t.Fatal(err)
		}
		w.counters.hitN("partitions added", int64(len(w.c.Broker().PartitionInfos("orders"))-4))
		client := w.c.Client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		for p := range int32(8) {
			w.produceBy(client, &kgo.Record{Topic: "orders", Partition: p, Key: []byte("k")})
		}
		w.drained(10*time.Minute, map[string][]int64{"orders": {21, 21, 21, 21, 1, 1, 1, 1}})
		if got := len(a.owned()); got != 4 {
			t.Errorf("a has %d partitions of 8", got)
		}
	})
}

// A topic is added to the config, and the members restart one after the other.
func TestScenario022ATopicIsAdded(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4", "refunds:2"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5}, func(w *world) {
		refunds := working()
		refunds.Name = "refunds"
		old := []*node{w.start("a", working()), w.start("b", working())}
		time.Sleep(4 * heartbeatFor)
		w.steady(20, nil)
		for p := range int32(2) {
			w.produce("refunds", p, "k", numbers(0, 5)...) // before anybody consumes it
		}
		for i, n := range old {
			if _, err := n.stop(); err != nil {
				t.Error(err)
			}
			w.start(fmt.Sprint("new", i), working(), refunds)
			w.steady(10, nil)
		}
		w.drained(time.Minute, map[string][]int64{"orders": {40, 40, 40, 40}, "refunds": {5, 5}})
		owned := strings.Join(append(w.nodes[2].owned(), w.nodes[3].owned()...), " ")
		if got := strings.Count(owned, "refunds"); got != 2 {
			t.Errorf("the new members have %s, want both partitions of refunds", owned)
		}
		w.wantNoDuplicates()
	})
}
