package kafka

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
)

// convert copies kgo's records into one slab of ours, with one for all headers, and
// sets the markers of transactions apart. Keys and values are not copied.
func convert(in []*kgo.Record) (records []actors.Record, control []int64) { //nolint:nonamedreturns // tells the two apart
	headers, markers := 0, 0
	for _, r := range in {
		headers += len(r.Headers)
		if r.Attrs.IsControl() {
			markers++
		}
	}
	var slab []actors.Header
	if headers > 0 {
		slab = make([]actors.Header, 0, headers)
	}
	if markers > 0 {
		control = make([]int64, 0, markers)
	}
	if len(in) > markers {
		records = make([]actors.Record, 0, len(in)-markers)
	}
	for _, r := range in {
		if r.Attrs.IsControl() {
			control = append(control, r.Offset)
			continue
		}
		records = append(records, actors.Record{
			Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
			Key: r.Key, Value: r.Value, Timestamp: timestamp(r), Attempt: 1,
		})
		if len(r.Headers) > 0 {
			first := len(slab)
			for i := range r.Headers {
				slab = append(slab, actors.Header(r.Headers[i]))
			}
			records[len(records)-1].Headers = slab[first:len(slab):len(slab)]
		}
	}
	return records, control
}

// timestamp is zero for a record that has none, which producers write as -1.
func timestamp(r *kgo.Record) time.Time {
	if r.Timestamp.UnixMilli() == -1 {
		return time.Time{}
	}
	return r.Timestamp
}
