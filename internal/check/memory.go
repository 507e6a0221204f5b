package check

import (
	"github.com/troupe-go/troupe/internal/history"
)

// Memory judges S14: what a partition holds stays within its limits, in records and bytes
// and past its line, but for two batches: one that is let in while there is room enters as
// a whole, and the next one may be on its way when the pause comes. How large they are is
// told by what was fetched before in that assignment, and for bytes by the sample. Compared
// are the samples that know a limit.
func Memory(events []history.Event) Verdict { return memory(newFacts(events)) }

// underWay is how many batches may enter a partition that is full.
const underWay = 2

func memory(f *facts) Verdict {
	v := Verdict{Check: S14}
	largest := map[holding]int{} // of the batches of an assignment, in records
	for i := range f.events {
		e := &f.events[i]
		switch e.Kind {
		case history.Assigned:
			delete(largest, holdingOf(e))
		case history.Fetched:
			largest[holdingOf(e)] = max(largest[holdingOf(e)], e.Count)
		case history.Sampled:
			v.held(e, underWay*largest[holdingOf(e)])
		default:
		}
	}
	return v
}

func (v *Verdict) held(e *history.Event, batches int) {
	s := e.Sample
	if s == nil || s.MaxBuffered == 0 && s.MaxBytes == 0 && s.MaxAhead == 0 {
		return
	}
	v.Compared++
	within := func(what string, have, most, more int64) {
		if most > 0 && have >= most+max(more, 1) {
			v.add([]uint64{e.Seq}, "%s: %s holds %d %s, at most %d and what was under way, %d", e.Incarnation, e.TP(), have, what, most, more)
		}
	}
	within("records", int64(s.Buffered), int64(s.MaxBuffered), int64(batches))
	within("bytes", s.Bytes, s.MaxBytes, underWay*s.BatchBytes)
	within("records past its line", int64(s.Ahead), int64(s.MaxAhead), int64(batches))
}
