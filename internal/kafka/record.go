package kafka

import (
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
		records = make([]actors.Record, len(in)-markers)
	}
	next := 0
	for _, r := range in {
		if r.Attrs.IsControl() {
			control = append(control, r.Offset)
			r.Recycle()
			continue
		}
		to := &records[next] // filled in place: a copy of a record costs as much as the rest
		next++
		to.Topic, to.Partition, to.Offset = r.Topic, r.Partition, r.Offset
		to.Key, to.Value, to.Attempt = r.Key, r.Value, 1
		if !untimed(r) {
			to.Timestamp = r.Timestamp
		}
		if len(r.Headers) > 0 {
			first := len(slab)
			for i := range r.Headers {
				slab = append(slab, actors.Header(r.Headers[i]))
			}
			to.Headers = slab[first:len(slab):len(slab)]
		}
		r.Recycle()
	}
	return records, control
}

// untimed reports whether a record has no timestamp, which producers write as -1.
func untimed(r *kgo.Record) bool { return r.Timestamp.UnixMilli() == -1 }
