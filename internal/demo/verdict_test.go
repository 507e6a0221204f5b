package demo

import (
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/internal/history"
)

// script is a history in the making. Records have one key, and lie in one partition at
// the offsets of their ids.
type script struct{ events []history.Event }

func (s *script) add(e history.Event) uint64 {
	e.Seq = uint64(len(s.events)) + 1
	if e.Wall == 0 {
		e.Wall = int64(e.Seq)
	}
	s.events = append(s.events, e)
	return e.Seq
}

func recordName(offset int64) string { return fmt.Sprintf("r%d", offset) }

func (s *script) acked(offsets ...int64) {
	for _, o := range offsets {
		s.add(history.Event{Kind: history.Acked, Topic: "t", Offset: o, ID: recordName(o), Key: []byte("k"), Due: 1})
	}
}

// enter is a call for the record that the behavior took for offset o.
func (s *script) enter(member string, o int64) uint64 {
	return s.add(history.Event{Kind: history.Enter, Incarnation: member, Topic: "t", ID: recordName(o), Attempt: 1})
}

func (s *script) leave(ref uint64, result string, attempt int) {
	e := s.events[ref-1]
	e.Kind, e.Ref, e.Result, e.Attempt, e.Wall = history.Leave, ref, result, attempt, 0
	s.add(e)
}

func (s *script) handled(o int64) { s.leave(s.enter("a", o), history.ResultOK, 1) }

func (s *script) deadLetter(o int64) {
	s.add(history.Event{Kind: history.DeadLetterObserved, Topic: "t", ID: recordName(o), Dest: "dlq"})
}

func (s *script) committed(o int64) {
	s.add(history.Event{Kind: history.CommittedObserved, Topic: "t", Offset: o})
}

func (s *script) log(end int64) {
	s.add(history.Event{Kind: history.LogObserved, Topic: "t", To: end})
}

// healthy is three records, two of them handled and one in the dead letter topic.
func healthy(s *script) {
	s.acked(0, 1, 2)
	s.handled(0)
	s.committed(1)
	for attempt := 1; attempt <= maxAttempts; attempt++ {
		s.leave(s.enter("a", 1), history.ResultError, attempt)
	}
	s.handled(2)
	s.deadLetter(1)
	s.committed(3)
	s.log(3)
}

// The counts of a verdict, by their place.
const (
	lost = iota
	outOfOrder
	early
	past
	behind
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		events func(*script)
		found  [5]int
		ok     bool
	}{
		{"healthy", healthy, [5]int{}, true},
		{"lost: never handled", func(s *script) {
			healthy(s)
			s.acked(3)
		}, [5]int{lost: 1}, false},
		{"lost: handled, never finished", func(s *script) {
			healthy(s)
			s.acked(3)
			s.leave(s.enter("a", 3), history.ResultError, 1)
		}, [5]int{lost: 1}, false},
		{"lost: given up without a copy", func(s *script) {
			s.acked(0)
			s.leave(s.enter("a", 0), history.ResultDiscard, 1)
			healthy(s)
		}, [5]int{}, true}, // handled later all the same
		{"a record that was sent and not acknowledged may be missing", func(s *script) {
			healthy(s)
			s.add(history.Event{Kind: history.Unknown, Topic: "t", ID: "r9"})
		}, [5]int{}, true},
		{"order: the later record began first", func(s *script) {
			s.acked(0, 1)
			s.handled(1)
			s.handled(0)
			s.committed(2)
			s.log(2)
		}, [5]int{outOfOrder: 1}, false},
		{"order: the later record began before the earlier was finished", func(s *script) {
			s.acked(0, 1)
			first := s.enter("a", 0)
			second := s.enter("b", 1)
			s.leave(first, history.ResultOK, 1)
			s.leave(second, history.ResultOK, 1)
			s.committed(2)
			s.log(2)
		}, [5]int{outOfOrder: 1}, false},
		{"order: the later record began while the earlier waited for its retry", func(s *script) {
			s.acked(0, 1)
			s.leave(s.enter("a", 0), history.ResultPanic, 1)
			s.handled(1)
			s.leave(s.enter("a", 0), history.ResultOK, 2)
			s.committed(2)
			s.log(2)
		}, [5]int{outOfOrder: 1}, false},
		{"order: interrupted is not finished", func(s *script) {
			s.acked(0, 1)
			s.leave(s.enter("a", 0), history.ResultUnknown, maxAttempts)
			s.handled(1)
			s.handled(0)
			s.committed(2)
			s.log(2)
		}, [5]int{outOfOrder: 1}, false},
		{"order: what repeats after a handover is not out of order", func(s *script) {
			healthy(s)
			s.leave(s.enter("b", 0), history.ResultOK, 1)
			s.leave(s.enter("b", 2), history.ResultOK, 1)
		}, [5]int{}, true},
		{"early", func(s *script) {
			healthy(s)
			s.add(history.Event{Kind: history.Acked, Topic: "t", Offset: 3, ID: recordName(3), Key: []byte("k"), Due: 1000})
			s.handled(3)
			s.committed(4)
			s.log(4)
		}, [5]int{early: 1}, false},
		{"commit: past a record that was not finished yet", func(s *script) {
			s.acked(0, 1)
			s.handled(0)
			s.committed(2)
			s.handled(1)
			s.committed(2)
			s.log(2)
		}, [5]int{past: 1}, false},
		{"commit: past a record that had no copy yet", func(s *script) {
			s.acked(0, 1)
			s.leave(s.enter("a", 0), history.ResultDiscard, 1)
			s.committed(1)
			s.deadLetter(0)
			s.handled(1)
			s.committed(2)
			s.log(2)
		}, [5]int{past: 1}, false},
		{"commit: past a record that is acknowledged later", func(s *script) {
			s.acked(0)
			s.handled(0)
			s.committed(2)
			s.acked(1)
			s.handled(1)
			s.committed(2)
			s.log(2)
		}, [5]int{past: 1}, false},
		{"commit: past the end of the log", func(s *script) {
			healthy(s)
			s.committed(4)
		}, [5]int{past: 1}, false},
		{"uncommitted at the end", func(s *script) {
			healthy(s)
			s.acked(3)
			s.handled(3)
			s.log(4)
		}, [5]int{behind: 1}, false},
		{"a record in the place of another", func(s *script) {
			s.acked(0, 1)
			for _, o := range []int64{1, 0} { // offset 0 came with the content of record 1
				s.handled(o)
			}
			s.committed(2)
			s.log(2)
		}, [5]int{outOfOrder: 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s script
			c.events(&s)
			v := Judge(s.events)
			for i, want := range c.found {
				if got := v[i].Found; got != want {
					t.Errorf("%s: %d (%s), want %d", v[i].Name, got, v[i].First, want)
				}
				if (v[i].First != "") != (v[i].Found > 0) {
					t.Errorf("%s: %d found, the first %q", v[i].Name, v[i].Found, v[i].First)
				}
			}
			if v.OK() != c.ok {
				t.Errorf("OK is %v, want %v: %+v", v.OK(), c.ok, v)
			}
		})
	}
}

// Each of the counts can be the one that compared nothing.
func TestAVerdictThatComparedNothingIsNotOK(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		drop  func(*history.Event) bool
		empty []int
	}{
		{"nothing at all", func(*history.Event) bool { return true }, []int{lost, outOfOrder, early, past, behind}},
		{"no delayed record", func(e *history.Event) bool { e.Due = 0; return false }, []int{early}},
		{"no pair of one key", func(e *history.Event) bool { e.Key = []byte(e.ID); return false }, []int{outOfOrder}},
		{"no committed sample", func(e *history.Event) bool { return e.Kind == history.CommittedObserved }, []int{past}},
		{"no log", func(e *history.Event) bool { return e.Kind == history.LogObserved }, []int{behind}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var s script
			healthy(&s)
			var left []history.Event
			for _, e := range s.events {
				if !c.drop(&e) {
					left = append(left, e)
				}
			}
			v := Judge(left)
			if v.OK() {
				t.Errorf("OK: %+v", v)
			}
			for _, i := range c.empty {
				if v[i].Compared != 0 {
					t.Errorf("%s compared %d, want 0", v[i].Name, v[i].Compared)
				}
			}
		})
	}
	if (Verdict{}).OK() {
		t.Error("a verdict without counts is OK")
	}
}
