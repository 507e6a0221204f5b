package demo

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Count is one line of the verdict: how many violations, among how many comparisons.
type Count struct {
	Name     string
	Of       string // what was compared, for people
	Compared int
	Found    int
	First    string // the first violation
}

// ok is false for a count that compared nothing too: it says nothing.
func (c Count) ok() bool { return c.Found == 0 && c.Compared > 0 }

// Verdict is what is held against a run.
type Verdict []Count

// OK reports whether each count compared something and found nothing.
func (v Verdict) OK() bool {
	return len(v) > 0 && !slices.ContainsFunc(v, func(c Count) bool { return !c.ok() })
}

// Judge computes the verdict from a finished history: the producer's acknowledgments,
// the behaviors' journal, and what a separate client read. It is a pure function, and
// what the runtime says of itself has no part in it.
//
// Who a record is goes by the name that the producer gave it, and where it lies and when
// it is due by the producer's acknowledgment. So a record that changed on its way to the
// behavior is not taken for the one that belongs in its place.
func Judge(events []history.Event) Verdict {
	events = placed(events)
	commits := commitLine(events)
	return Verdict{
		counted(check.Loss(events), "lost", "acknowledged records"),
		order(events),
		counted(check.Delay(events), "early", "deliveries of delayed records"),
		commits,
		uncommitted(events),
	}
}

func counted(v check.Verdict, name, of string) Count {
	c := Count{Name: name, Of: of, Compared: v.Compared, Found: v.Found}
	if len(v.Violations) > 0 {
		c.First = v.Violations[0].What
	}
	return c
}

func (c *Count) add(format string, args ...any) {
	c.Found++
	if c.First == "" {
		c.First = fmt.Sprintf(format, args...)
	}
}

// placed is events with the partition, offset and due time that the producer knows, in
// what the journal and the observer say of a record. What they say of records that were
// never acknowledged is left out.
func placed(events []history.Event) []history.Event {
	acks := map[string]*history.Event{}
	for i := range events {
		if e := &events[i]; e.Kind == history.Acked {
			acks[e.ID] = e
		}
	}
	out := make([]history.Event, 0, len(events))
	for _, e := range events {
		switch e.Kind {
		case history.Enter, history.Leave, history.DeadLetterObserved:
			ack := acks[e.ID]
			if ack == nil {
				continue
			}
			e.Topic, e.Partition, e.Offset, e.Key = ack.Topic, ack.Partition, ack.Offset, ack.Key
			e.Due = 0
			if e.Kind == history.Enter {
				e.Due = ack.Due
			}
		default:
		}
		out = append(out, e)
	}
	return out
}

// span is when a record was handled first.
type span struct {
	offset  int64
	id      string
	began   uint64 // Seq of its first call
	settled uint64 // Seq at which a later record of its key may begin; 0: never
}

// order judges the order per key, whichever member handles it: no record begins before
// the one before it was finished or given up. Calls that repeat after a handover are
// not looked at.
func order(events []history.Event) Count {
	type keyed struct {
		tp  observe.TopicPartition
		key string
	}
	byKey := map[keyed][]*span{}
	byID := map[string]*span{}
	for i := range events {
		switch e := &events[i]; e.Kind {
		case history.Enter:
			if byID[e.ID] == nil {
				s := &span{offset: e.Offset, id: e.ID, began: e.Seq}
				byID[e.ID] = s
				k := keyed{e.TP(), string(e.Key)}
				byKey[k] = append(byKey[k], s)
			}
		case history.Leave:
			if s := byID[e.ID]; s != nil && s.settled == 0 && settles(e) {
				s.settled = e.Seq
			}
		default:
		}
	}
	c := Count{Name: "out of order per key", Of: "pairs of records with one key"}
	for k, spans := range byKey {
		slices.SortFunc(spans, func(a, b *span) int { return cmp.Compare(a.offset, b.offset) })
		for i := 1; i < len(spans); i++ {
			c.Compared++
			if a, b := spans[i-1], spans[i]; a.settled == 0 || b.began < a.settled {
				c.add("%s, key %s: %s began before %s was finished", k.tp, k.key, b.id, a.id)
			}
		}
	}
	return c
}

// settles reports whether the lane goes on after this end of a call: it is done, or goes
// to the dead letter topic.
func settles(leave *history.Event) bool {
	switch leave.Result {
	case history.ResultOK, history.ResultDiscard:
		return true
	case history.ResultUnknown: // interrupted
		return false
	}
	return leave.Attempt >= maxAttempts
}

// commitLine judges the committed offsets that were read: none passes a record that was
// not finished by then, or the end of the log.
func commitLine(events []history.Event) Count {
	c := counted(check.CommitLine(events), "commit line past unfinished", "committed offsets read while running")
	ends := endsOf(events)
	for i := range events {
		e := &events[i]
		if end, ok := ends[e.TP()]; ok && e.Kind == history.CommittedObserved && e.Offset > end {
			c.add("%s: committed offset %d passes the end of the log at %d", e.TP(), e.Offset, end)
		}
	}
	return c
}

// uncommitted judges the last committed offsets: after a clean stop each is the end of its
// log. A partition that nothing was written to is not compared.
func uncommitted(events []history.Event) Count {
	c := Count{Name: "uncommitted at the end", Of: "partitions"}
	last := map[observe.TopicPartition]int64{}
	for i := range events {
		if e := &events[i]; e.Kind == history.CommittedObserved {
			last[e.TP()] = e.Offset
		}
	}
	for tp, end := range endsOf(events) {
		if end == 0 {
			continue
		}
		c.Compared++
		if last[tp] < end {
			c.add("%s: committed up to %d of %d", tp, last[tp], end)
		}
	}
	return c
}

func endsOf(events []history.Event) map[observe.TopicPartition]int64 {
	ends := map[observe.TopicPartition]int64{}
	for i := range events {
		if e := &events[i]; e.Kind == history.LogObserved {
			ends[e.TP()] = e.To
		}
	}
	return ends
}
