package check

import (
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// DeadLetters judges S10. Where a dead letter topic was read to its ends, each
// acknowledgment that a runtime tells of has a copy there, but where the test says that it
// removed the record, and the copy with it. A copy is of a record that
// exists, and holds what that holds: key, value, its own headers, its timestamp in a
// header. And no commit passes a record that only its copy finishes before the
// acknowledgment came; one that was refused does not count, nor one of an owner that fetched
// the log without the record. Copies of one key keep their order, and count how often their
// record was dead-lettered. Compared are acknowledgments
// and copies. Further copies of a record are allowed: a produce that timed out may have
// been applied (scenario 89).
func DeadLetters(events []history.Event) Verdict { return deadLetters(newFacts(events)) }

func deadLetters(f *facts) Verdict {
	d := &letters{Verdict{Check: S10}, f, topicsRead(f), map[copied]bool{}, sumsOf(f), issuedOf(f), map[held]bool{}}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.DeadLetterObserved {
			d.copies[copied{placeOf(e), e.Dest}] = true
			d.copy(e)
		}
	}
	handled := map[place]bool{}
	for i := range f.events {
		switch e := &f.events[i]; {
		case e.Kind == history.Enter:
			d.entered[held{placeOf(e), e.Incarnation}] = true
		case e.Kind == history.Leave && e.Result == history.ResultOK:
			handled[placeOf(e)] = true
		default:
		}
	}
	d.order(handled)
	d.hops()
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Forwarded {
			continue
		}
		d.verdict.Compared++
		if d.read[e.Dest] && !f.excuses().removed[e.TP()].has(e.Offset) && !d.copies[copied{placeOf(e), e.Dest}] {
			d.verdict.add([]uint64{e.Seq}, "%s offset %d: its dead letter was acknowledged, and %s holds no copy", e.TP(), e.Offset, e.Dest)
		}
		if handled[placeOf(e)] {
			continue
		}
		handled[placeOf(e)] = true // its first acknowledgment counts
		if at, ok := d.passed(placeOf(e), e.Seq); ok {
			d.verdict.add([]uint64{at, e.Seq}, "%s offset %d: a commit passed it before its dead letter was acknowledged", e.TP(), e.Offset)
		}
	}
	return d.verdict
}

// copied is a record in a dead letter topic.
type copied struct {
	place
	dest string
}

type letters struct {
	verdict Verdict
	f       *facts
	read    map[string]bool // topics
	copies  map[copied]bool
	sums    map[place]uint64 // of what the inputs hold
	issued  map[observe.TopicPartition][]*history.Event
	entered map[held]bool // by calls that began
}

// held is a record as an incarnation has it.
type held struct {
	place
	incarnation string
}

// passed is when the first commit above a record was sent, if that was before seq. One of an
// owner that fetched the log without the record does not count: the test had removed it, and
// the owner has nothing to wait for, while a member that was replaced and does not know it
// yet may still hold it.
func (d *letters) passed(p place, seq uint64) (uint64, bool) {
	for _, e := range d.issued[p.tp] {
		if e.Seq >= seq {
			break
		}
		if e.Offset > p.offset && !d.without(p, e) {
			return e.Seq, true
		}
	}
	return 0, false
}

// without reports whether the owner that sent a commit fetched fewer records than there were
// around one that the test removed, and never began it.
func (d *letters) without(p place, commit *history.Event) bool {
	t := termOf(commit)
	if !d.f.excuses().removed[p.tp].has(p.offset) || d.entered[held{p, t.incarnation}] {
		return false
	}
	short := false
	for _, batch := range d.f.fetched()[t] {
		if batch.Offset > p.offset || p.offset >= batch.To {
			continue
		}
		if within(d.f.existing()[p.tp], batch) <= batch.Count {
			return false
		}
		short = true
	}
	return short
}

func (d *letters) copy(e *history.Event) {
	p := placeOf(e)
	if d.read[e.Topic] && !d.f.exists(p) && !d.f.excuses().gone(p) {
		d.verdict.Compared++
		d.verdict.add([]uint64{e.Seq}, "%s offset %d: %s holds a copy of it, and there is no such record", p.tp, p.offset, e.Dest)
		return
	}
	sum := d.sums[p]
	if sum == 0 || e.Sum == 0 {
		return
	}
	d.verdict.Compared++
	if sum != e.Sum {
		d.verdict.add([]uint64{e.Seq}, "%s offset %d: the copy in %s differs from it", p.tp, p.offset, e.Dest)
	}
}

// topicsRead are the topics that were read to their ends.
func topicsRead(f *facts) map[string]bool {
	read := map[string]bool{}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.TopicRead {
			read[e.Topic] = true
		}
	}
	return read
}

// sumsOf are the checksums of what the final read found.
func sumsOf(f *facts) map[place]uint64 {
	sums := map[place]uint64{}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.RecordObserved && e.Sum != 0 {
			sums[placeOf(e)] = e.Sum
		}
	}
	return sums
}

// issuedOf are the commits that may have been stored, in the order in which they were sent.
func issuedOf(f *facts) map[observe.TopicPartition][]*history.Event {
	out := map[observe.TopicPartition][]*history.Event{}
	for _, c := range f.commits() {
		if c.result != history.ResultRefused {
			out[c.sent.TP()] = append(out[c.sent.TP()], c.sent)
		}
	}
	return out
}

// Phantoms judges S11, in topics that were read to their ends: what a behavior got is a
// record that a reader of committed records finds there, or that was acknowledged and is
// gone since, and it holds what that holds. A record that may have been removed before
// anybody looked is not judged. Compared are calls.
func Phantoms(events []history.Event) Verdict { return phantoms(newFacts(events)) }

func phantoms(f *facts) Verdict {
	v := Verdict{Check: S11}
	read, sums, excused := topicsRead(f), sumsOf(f), f.excuses()
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Enter || !read[e.Topic] {
			continue
		}
		p := placeOf(e)
		if !f.exists(p) && excused.gone(p) {
			continue
		}
		v.Compared++
		switch sum := sums[p]; {
		case !f.exists(p):
			v.add([]uint64{e.Seq}, "%s offset %d was delivered to %s, and there is no such record", p.tp, p.offset, e.Incarnation)
		case sum != 0 && e.Sum != 0 && sum != e.Sum:
			v.add([]uint64{e.Seq}, "%s offset %d was delivered to %s with another content", p.tp, p.offset, e.Incarnation)
		}
	}
	return v
}

// gone reports whether a record may have been at p and not be there any more.
func (x *excuses) gone(p place) bool {
	return x.removed[p.tp].has(p.offset) || p.offset < x.logStart[p.tp]
}
