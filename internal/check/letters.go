package check

import (
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// hopsMax is how often a record is dead-lettered at most.
const hopsMax = 5

// series are the dead letters of one key from one source partition in one topic.
type series struct {
	dest string
	tp   observe.TopicPartition
	key  string
}

// order holds that dead letters of a series are in one partition, and there in the order
// of their sources. A further copy of a record counts for nothing, and neither does one of
// a record that some call completed: the members need not agree what becomes of it.
func (d *letters) order(completed map[place]bool) {
	last, seen := map[series]*history.Event{}, map[copied]bool{}
	for i := range d.f.events {
		e := &d.f.events[i]
		of := copied{placeOf(e), e.Dest}
		if e.Kind != history.DeadLetterObserved || e.Key == nil || completed[of.place] || seen[of] {
			continue
		}
		seen[of] = true
		s := series{e.Dest, e.TP(), string(e.Key)}
		if before := last[s]; before != nil {
			d.verdict.Compared++
			d.behind(before, e)
		}
		last[s] = e
	}
}

func (d *letters) behind(before, e *history.Event) {
	switch seqs := []uint64{before.Seq, e.Seq}; {
	case before.DestAt != e.DestAt:
		d.verdict.add(seqs, "%s offsets %d and %d have one key, and their copies are in partitions %d and %d of %s",
			e.TP(), before.Offset, e.Offset, before.DestAt, e.DestAt, e.Dest)
	case before.Offset > e.Offset:
		d.verdict.add(seqs, "%s offsets %d and %d have one key, and %s has the copy of the later one first", e.TP(), e.Offset, before.Offset, e.Dest)
	}
}

// hops holds that a copy counts one dead letter more than its source, and no more than
// there may be.
func (d *letters) hops() {
	sources := map[place]int{}
	for i := range d.f.events {
		if e := &d.f.events[i]; e.Kind == history.RecordObserved {
			sources[placeOf(e)] = e.Hops
		}
	}
	for i := range d.f.events {
		e := &d.f.events[i]
		before, known := sources[placeOf(e)]
		if e.Kind != history.DeadLetterObserved || e.Hops == 0 || !known {
			continue
		}
		d.verdict.Compared++
		switch {
		case e.Hops != before+1:
			d.verdict.add([]uint64{e.Seq}, "%s offset %d: the copy in %s counts %d dead letters, and the record %d", e.TP(), e.Offset, e.Dest, e.Hops, before)
		case e.Hops > hopsMax:
			d.verdict.add([]uint64{e.Seq}, "%s offset %d: the copy in %s is the dead letter %d of its record", e.TP(), e.Offset, e.Dest, e.Hops)
		}
	}
}
