package check

import "github.com/troupe-go/troupe/internal/history"

// Travels judges S17: what an owner finished above the commit line is not run again by the
// next one, after a handover that the first says was clean: every delivery had ended, and
// the last commit was acknowledged. Nor is it by the owners behind that one, as long as all
// handovers were. Compared are the records at or above the line where the next owner begins
// that the one before finished.
//
// Excepted is what the runtimes say did not travel: finished records for which a commit
// had no room, metadata that the next owner ignored, and what the supervisor of the partition
// forgot when it failed. So is a line that somebody moved in between: an admin, or an earlier
// commit of unknown outcome, which brings its own metadata along.
func Travels(events []history.Event) Verdict { return travels(newFacts(events)) }

func travels(f *facts) Verdict {
	t := &travel{d: f.duplicity(), verdict: Verdict{Check: S17}, cut: map[*assignment]int64{}, ignored: map[*assignment]bool{}}
	as := f.assignments()
	entered := map[*assignment]map[int64]uint64{}
	for i := range f.events {
		switch e := &f.events[i]; e.Kind {
		case history.Enter:
			if a, _ := as.of(e); a != nil {
				if entered[a] == nil {
					entered[a] = map[int64]uint64{}
				}
				entered[a][e.Offset] = e.Seq
			}
		case history.MetadataIgnored:
			t.ignored[as.known(e)] = true
		case history.MetadataCut:
			t.cutFrom(as.known(e), e.To)
		default:
		}
	}
	next := map[*assignment]*assignment{}
	for _, list := range as.byTP {
		for i := 1; i < len(list); i++ {
			if t.carries(list[i-1], list[i]) {
				next[list[i-1]] = list[i]
			}
		}
	}
	for i := range t.d.finishes {
		x := &t.d.finishes[i]
		if b := next[x.a]; !x.dropped && b != nil && t.told(x, x.a, b) {
			t.verdict.Compared++
		}
		for a, b := x.a, next[x.a]; !x.dropped && b != nil && t.told(x, a, b); a, b = b, next[b] {
			if seq, ok := entered[b][x.e.Offset]; ok {
				t.again(x, b, seq)
				break
			}
		}
	}
	return t.verdict
}

type travel struct {
	verdict Verdict
	d       *duplicity
	cut     map[*assignment]int64 // from here on its commits did not say what is finished
	ignored map[*assignment]bool  // it began without what came with the line
}

func (t *travel) cutFrom(a *assignment, from int64) {
	if before, ok := t.cut[a]; from >= 0 && (!ok || from < before) {
		t.cut[a] = from
	}
}

// carries reports whether b has to know what a finished.
func (t *travel) carries(a, b *assignment) bool {
	switch {
	case a.how != drained, t.d.unclean(a), a.end > b.begin, t.ignored[b]:
		return false
	case between(t.d.resets[a.tp], a.begin, b.begin), t.d.cameBack(b, a.begin):
		return false
	}
	return true
}

// told reports whether the last commit of a, before b began, said that a record is finished.
func (t *travel) told(x *finish, a, b *assignment) bool {
	from, cut := t.cut[a]
	return x.e.Offset >= b.start && (!cut || x.e.Offset < from) && !between(t.d.renewals[a.holding], x.e.Seq, a.end)
}

func (t *travel) again(x *finish, b *assignment, seq uint64) {
	t.verdict.add([]uint64{x.e.Seq, b.begin, seq}, "%s offset %d was finished by %s, epoch %d, above the line that it left, and ran again at %s, epoch %d",
		x.e.TP(), x.e.Offset, x.a.incarnation, x.a.epoch, b.incarnation, b.epoch)
}
