package kafka

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
)

func TestConvert(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_000)
	in := []*kgo.Record{
		{Topic: "t", Partition: 3, Offset: 5, Key: nil, Value: nil, Timestamp: at},
		{Topic: "t", Partition: 3, Offset: 7, Key: []byte{}, Value: []byte{}, Timestamp: time.UnixMilli(-1), Headers: []kgo.RecordHeader{
			{Key: "a", Value: []byte("1")}, {Key: "a"},
		}},
		control(8),
		{Topic: "t", Partition: 3, Offset: 9, Key: []byte("k"), Value: []byte("v"), Timestamp: time.UnixMilli(0), Headers: []kgo.RecordHeader{{Key: "b"}}},
	}
	records, markers := convert(in)
	if len(records) != 3 || len(markers) != 1 || markers[0] != 8 {
		t.Fatalf("records %v, markers %v", records, markers)
	}
	if r := records[0]; r.Topic != "t" || r.Partition != 3 || r.Offset != 5 || r.Key != nil || r.Value != nil || r.Headers != nil || !r.Timestamp.Equal(at) || r.Attempt != 1 {
		t.Errorf("nils: %+v", r)
	}
	if r := records[1]; r.Key == nil || r.Value == nil || !r.Timestamp.IsZero() || len(r.Headers) != 2 || string(r.Headers[0].Value) != "1" || r.Headers[1].Value != nil {
		t.Errorf("empty, without a timestamp: %+v", r)
	}
	if r := records[2]; string(r.Key) != "k" || string(r.Value) != "v" || r.Timestamp.IsZero() || len(r.Headers) != 1 || r.Headers[0].Key != "b" {
		t.Errorf("at the epoch: %+v", r)
	}
	// Headers share one slab: growing one record's must not reach into the next one's.
	_ = append(records[1].Headers, actors.Header{Key: "x"})
	if records[2].Headers[0].Key != "b" {
		t.Error("headers of two records overlap")
	}
}

// control is a transaction marker as kgo hands it over.
func control(offset int64) *kgo.Record {
	return &kgo.Record{Topic: "t", Partition: 3, Offset: offset, Attrs: kgo.NewRecordAttrs(kgo.RecordAttrsOpts{Control: true})}
}

func batchOf(n, headers int) []*kgo.Record {
	out := make([]*kgo.Record, n)
	for i := range out {
		out[i] = &kgo.Record{Topic: "t", Offset: int64(i), Key: []byte("k"), Value: make([]byte, 100), Timestamp: time.UnixMilli(int64(i))}
		for range headers {
			out[i].Headers = append(out[i].Headers, kgo.RecordHeader{Key: "h", Value: []byte("v")})
		}
	}
	return out
}

func TestConvertAllocations(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts the process's
	in, plain := batchOf(500, 2), batchOf(500, 0)
	var sink []actors.Record
	if got := testing.AllocsPerRun(50, func() { sink, _ = convert(in) }); got > 2 {
		t.Errorf("%v allocations for a batch with headers, want one slab for records and one for headers", got)
	}
	if got := testing.AllocsPerRun(50, func() { sink, _ = convert(plain) }); got > 1 {
		t.Errorf("%v allocations for a batch, want one slab", got)
	}
	_ = sink
}

func BenchmarkConvert(b *testing.B) {
	for name, in := range map[string][]*kgo.Record{"plain": batchOf(500, 0), "headers": batchOf(500, 2)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = convert(in)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/record")
		})
	}
}
