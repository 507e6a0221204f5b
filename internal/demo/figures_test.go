package demo

import (
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/history"
)

// A delayed record that falls due between two members is told apart from one that its
// member had all along, whoever the next member is.
func TestLatenessBetweenMembersIsToldApart(t *testing.T) {
	t.Parallel()
	var s script
	enter := func(member string, offset, due, wall int64) {
		s.add(history.Event{Kind: history.Acked, Topic: "t", Offset: offset, ID: recordName(offset), Due: due})
		s.add(history.Event{Kind: history.Enter, Incarnation: member, Topic: "t", ID: recordName(offset), Wall: wall})
	}
	enter("a", 0, 100, 101)
	enter("a", 1, 200, 202)
	enter("b", 2, 300, 400) // due before b began
	enter("b", 3, 390, 410)
	enter("b", 4, 500, 503)
	s.add(history.Event{Kind: history.Disturbance, Incarnation: "a", Topic: "t"}) // late, and about a
	enter("b", 5, 600, 604)
	s.add(history.Event{Kind: history.Disturbance, Incarnation: "b", Topic: "t"})
	enter("b", 6, 700, 800) // again b, and again due before it began
	s.enter("b", 6)         // a redelivery has no lateness

	f := figuresOf(s.events, "t")
	if got, want := f.lateness, []time.Duration{1, 2, 3, 4}; !equal(got, want) {
		t.Errorf("lateness %v, want %v", got, want)
	}
	if got, want := f.moved, []time.Duration{20, 100, 100}; !equal(got, want) {
		t.Errorf("between members %v, want %v", got, want)
	}
	if got := percentile(f.lateness, 0.5); got != 3 {
		t.Errorf("p50 %v, want 3ns", got)
	}
	if got := percentile(f.lateness, 1); got != 4 {
		t.Errorf("max %v, want 4ns", got)
	}
}

func equal(a, b []time.Duration) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestFiguresCountRecordsOnce(t *testing.T) {
	t.Parallel()
	var s script
	s.add(history.Event{Kind: history.Sent, Topic: "t", ID: "r0", Wall: int64(time.Second)})
	healthy(&s)
	again := s.enter("b", 0)
	s.leave(again, history.ResultOK, 1)
	f := figuresOf(s.events, "t")
	if f.finished["t"] != 2 || f.repeated != 1 || f.retried != maxAttempts || f.byMember["b"] != 1 {
		t.Errorf("finished %d, repeated %d, failed %d, by b %d; want 2, 1, %d, 1",
			f.finished["t"], f.repeated, f.retried, f.byMember["b"], maxAttempts)
	}
	if !f.began.Equal(time.Unix(1, 0)) {
		t.Errorf("began %v", f.began)
	}
}
