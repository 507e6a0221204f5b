//go:build synctests

package kafka

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// transact writes one record in a transaction and ends it.
func (r *rig) transact(value string, commit bool) {
	r.t.Helper()
	cl := r.connect(kgo.TransactionalID("tx"))
	if err := cl.BeginTransaction(); err != nil {
		r.t.Fatal(err)
	}
	if err := cl.ProduceSync(context.Background(), &kgo.Record{Topic: testTopic, Value: []byte(value)}).FirstErr(); err != nil {
		r.t.Fatal(err)
	}
	if err := cl.EndTransaction(context.Background(), kgo.TransactionEndTry(commit)); err != nil {
		r.t.Fatal(err)
	}
}

func (n *node) markers(partition int32) []int64 {
	var out []int64
	for _, got := range n.all("fetched") {
		if got.batch.TP == tp(partition) {
			out = append(out, got.batch.Control...)
		}
	}
	return out
}

func TestTransactions(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.transact("a", true)
		r.transact("b", false)
		r.produce(0, "c")
		n := r.start()
		n.fetches(0, "0:0=a", "0:4=c")
		if got := n.markers(0); !slices.Equal(got, []int64{1, 3}) {
			r.t.Errorf("markers at %v, want 1 and 3", got)
		}
		last := n.all("fetched")[len(n.all("fetched"))-1].batch
		if last.LogEnd != 5 {
			r.t.Errorf("log end %d, want 5", last.LogEnd)
		}
	})
}

func TestReadUncommitted(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.transact("a", false)
		n := r.start(func(o *Options, _ *recorder) { o.ReadUncommitted = true })
		n.fetches(0, "0:0=a")
	})
}

// A batch beyond the limit stops its partition, loudly, and a seek skips it.
func TestBatchTooLarge(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		r.produce(0, strings.Repeat("x", 100_000))
		r.produce(0, "b")
		n := r.start(func(o *Options, _ *recorder) { o.MaxDecompressedBatch = 50_000 })
		eventually(r.t, "a gap", func() bool { return len(n.all("gapped")) > 0 })
		gap := n.all("gapped")[0].gap
		if gap.From != 1 || gap.To != 2 || !gap.Stopped || !gap.Possible {
			r.t.Errorf("gap %+v", gap)
		}
		wantErr(r.t, gap.Err, ErrBatchTooLarge)
		time.Sleep(30 * time.Second)
		n.fetches(0, "0:0=a")
		if len(n.all("gapped")) != 1 || len(n.warnings()) != 0 {
			r.t.Errorf("%d gaps and %d warnings, want one gap, which is warning enough", len(n.all("gapped")), len(n.warnings()))
		}
		n.Seek(tp(0), n.epochOf(tp(0)), 2, gap.To)
		n.fetches(0, "0:0=a", "2:2=b")
	})
}

// kgo keeps to itself that a position was refused that it thinks it has.
func TestSeekToWhereABatchStoppedIt(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, strings.Repeat("x", 100_000))
		n := r.start(func(o *Options, _ *recorder) { o.MaxDecompressedBatch = 50_000 })
		eventually(r.t, "a gap", func() bool { return len(n.all("gapped")) == 1 })
		n.Seek(tp(0), n.epochOf(tp(0)), 2, 0)
		eventually(r.t, "the same gap again", func() bool { return len(n.all("gapped")) == 2 })
		n.Seek(tp(0), n.epochOf(tp(0)), 4, 1)
		r.produce(0, "a")
		n.fetches(0, "4:1=a")
	})
}

func TestLeadersMove(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		for i := range 20 {
			r.cluster.ShufflePartitionLeaders()
			r.produce(0, numbers(i, i+1)...)
			time.Sleep(300 * time.Millisecond)
		}
		eventually(r.t, "all records", func() bool { return len(n.values(tp(0))) == 20 })
		for i, got := range n.values(tp(0)) {
			if want := "0:" + numbers(i, i+1)[0] + "=" + numbers(i, i+1)[0]; got != want {
				r.t.Errorf("record %d is %s, want %s", i, got, want)
			}
		}
		if got := n.warnings(); len(got) > 0 {
			r.t.Errorf("warned of what kgo mends: %v", got)
		}
		if len(n.all("gapped"))+len(n.all("lost")) > 0 {
			r.t.Errorf("gaps %v, losses %v", n.all("gapped"), n.all("lost"))
		}
	}, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094))
}

// A leader that is not found for long is warned about, and found.
func TestNoLeader(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition, Count: -1})
		r.produce(0, "a")
		time.Sleep(45 * time.Second)
		if got := len(n.warnings()); got < 1 || got > 2 {
			r.t.Errorf("%d warnings in 45 s", got)
		}
		if hits := h.Hits(); hits > 200 {
			r.t.Errorf("%d fetches in 45 s: a hot loop", hits)
		}
		h.Remove()
		n.fetches(0, "0:0=a")
	})
}

// The brokers answer nothing useful for less than the session: nothing is lost, and
// nothing comes twice.
func TestOutageWithinTheSession(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start()
		n.fetches(0, "0:0=a")
		h := r.cluster.Fault(kfake.Fault{Err: kerr.BrokerNotAvailable, Keys: []kmsg.Key{kmsg.Fetch, kmsg.Metadata}, Count: -1})
		r.produce(0, "b")
		time.Sleep(8 * time.Second)
		h.Remove()
		n.fetches(0, "0:0=a", "0:1=b")
		if len(n.all("lost"))+len(n.all("revoked")) > 0 {
			r.t.Error("lost partitions")
		}
	})
}

// kgo finds out that the log was cut off below its position, goes back there by itself
// and says so; kfake cuts no logs off.
func TestTruncatedLogStops(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b")
		n := r.start(goOn)
		n.fetches(0, "0:0=a", "0:1=b")
		loss := &kgo.ErrDataLoss{Topic: testTopic, ConsumedTo: 2, ResetTo: 1}
		n.member().hand(kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: testTopic, Partitions: []kgo.FetchPartition{
			{Records: []*kgo.Record{{Topic: testTopic, Offset: 2, Value: []byte("of the new log")}}},
			{Err: loss},
		}}}}})
		eventually(r.t, "a gap", func() bool { return len(n.all("gapped")) == 1 })
		gap := n.all("gapped")[0].gap
		if gap.From != 2 || gap.To != 1 || !gap.Stopped || !gap.Possible {
			r.t.Errorf("gap %+v", gap)
		}
		wantErr(r.t, gap.Err, ErrTruncated)
		r.produce(0, "c")
		time.Sleep(30 * time.Second)
		n.fetches(0, "0:0=a", "0:1=b")
		n.Seek(tp(0), n.epochOf(tp(0)), 2, gap.To)
		n.fetches(0, "0:0=a", "0:1=b", "2:1=b", "2:2=c")
	})
}
