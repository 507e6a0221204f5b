package demo

import (
	"testing"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
)

// The table counts a record that two members finish once, as the report does.
func TestTableCountsRecordsOnce(t *testing.T) {
	t.Parallel()
	h, counts := history.New(), &counters{}
	a, b := &journal{h, "a", counts}, &journal{h, "b", counts}
	vp := actors.VirtualPartition{Topic: "t"}
	handle := func(j *journal, id, result string) {
		rec := &actors.Record{Headers: []actors.Header{{Key: headerID, Value: []byte(id)}}, Attempt: 1}
		j.leave(j.enter(vp, rec), result)
	}
	handle(a, "r1", history.ResultError)
	handle(a, "r1", history.ResultOK)
	handle(b, "r1", history.ResultOK)
	handle(b, "r2", history.ResultOK)
	if got := counts.finished.Load(); got != 2 {
		t.Errorf("%d records finished, want 2", got)
	}
	if got := counts.failed.Load(); got != 1 {
		t.Errorf("%d calls failed, want 1", got)
	}
}
