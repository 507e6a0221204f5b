package check

import (
	"math"
	"slices"
	"sort"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// Duplicates judges S9: a record that is finished again has a reason that the history
// tells, and is within the reason's bound. Finished is a call that returned nil, or a
// dead letter that the runtime says is acknowledged; of two copies of one dead letter,
// as after a produce that timed out and was applied, it is the acknowledgment that
// counts (scenario 89). Compared are the records that were finished under an assignment.
//
// Never allowed is a record below a line whose commit was accepted before the
// assignment that repeats it began. Above that line it is allowed
//
//   - when the first result did not count: the call had been taken away by then, so the
//     record was in flight (guarantees 1.7);
//   - when the line was held below it, by a record that the first assignment did not
//     finish: whether it had to travel in the commit's metadata is what S17 judges (1.6,
//     A12). That record may be gone from the log by then: it was fetched before;
//   - when the first assignment was lost, killed, or cut while a commit had no
//     acknowledgment, or while its process was frozen, so that it sent none, behind the
//     finish or in the revoke that the finish was in: the window that is not committed (1.6);
//   - when the partition's supervisor failed: it begins anew at the line that
//     the broker has, or may have.
//
// An assignment that an expulsion had overtaken comes before the one that it overlaps with,
// also where its member is told of it later.
//
// So the bound is 0 where every delivery ended within the drain and the final commit was
// acknowledged, and 0 where there was no handover at all, as through a broker bounce or
// the move of a coordinator or a leader.
func Duplicates(events []history.Event) Verdict { return duplicates(newFacts(events)) }

func duplicates(f *facts) Verdict {
	d := f.duplicity()
	d.verdict = Verdict{Check: S9}
	last := map[place]*finish{}
	for i := range d.finishes {
		x := &d.finishes[i]
		if x.a == nil {
			continue // nothing tells which assignment it belongs to
		}
		p := placeOf(x.e)
		if before := last[p]; before != nil {
			d.judge(p, before, x)
		} else {
			d.verdict.Compared++
		}
		last[p] = x
	}
	return d.verdict
}

// finish is the end of a record's work within an assignment.
type finish struct {
	e       *history.Event
	a       *assignment // nil: not known
	dropped bool        // its result did not count
}

type duplicity struct {
	verdict  Verdict
	f        *facts
	finishes []finish
	lines    map[*assignment]int64
	counted  map[*assignment][]int64 // offsets
	dirty    map[*assignment]bool
	accepted map[observe.TopicPartition][]*accepted
	commits  map[string][]commit // by incarnation
	renewals map[holding][]uint64
	resets   map[observe.TopicPartition][]uint64
}

func newDuplicity(f *facts) *duplicity {
	d := &duplicity{
		f: f, finishes: finishesOf(f),
		lines: map[*assignment]int64{}, counted: map[*assignment][]int64{}, dirty: map[*assignment]bool{},
		accepted: acceptedOf(f), commits: map[string][]commit{},
		renewals: f.renewals(), resets: map[observe.TopicPartition][]uint64{},
	}
	for _, c := range f.commits() {
		d.commits[c.sent.Incarnation] = append(d.commits[c.sent.Incarnation], c)
	}
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.Reset {
			d.resets[e.TP()] = append(d.resets[e.TP()], e.Seq)
		}
	}
	for i := range d.finishes {
		if x := &d.finishes[i]; x.a != nil && !x.dropped && !d.forgotten(x) {
			d.counted[x.a] = append(d.counted[x.a], x.e.Offset)
		}
	}
	return d
}

// forgotten reports whether the partition's supervisor failed behind x, in its assignment,
// when no commit above it had been accepted: then the record holds the line again.
func (d *duplicity) forgotten(x *finish) bool {
	renewals := d.renewals[x.a.holding]
	i := sort.Search(len(renewals), func(i int) bool { return renewals[i] > x.e.Seq })
	if i == len(renewals) || renewals[i] > x.a.end {
		return false
	}
	_, kept := above(d.accepted[x.a.tp], x.e.Offset, renewals[i])
	return !kept
}

// finishesOf lists every end of a record's work, in order. A result counts unless the
// runtime says that it dropped it, took the call away while it ran, or was over by then.
func finishesOf(f *facts) []finish {
	as := f.assignments()
	type call struct {
		lane
		offset int64
	}
	var all []finish
	latest := map[call]int{}   // the index of the last that a Leave made, plus one
	taken := map[call]uint64{} // when a call was last quarantined
	for i := range f.events {
		e := &f.events[i]
		c := call{laneOf(e), e.Offset}
		switch {
		case e.Kind == history.Leave && e.Result == history.ResultOK:
			x := finish{e: e}
			if enter := f.event(e.Ref); enter != nil {
				x.a, _ = as.of(enter)
			}
			x.dropped = taken[c] > e.Ref || x.a != nil && e.Seq > x.a.end
			all = append(all, x)
			latest[c] = len(all)
		case e.Kind == history.Quarantined:
			taken[c] = e.Seq
		case e.Kind == history.LateDropped && latest[c] > 0:
			all[latest[c]-1].dropped = true
		case e.Kind == history.Forwarded:
			all = append(all, finish{e: e, a: as.known(e)})
		default:
		}
	}
	return all
}

func (d *duplicity) judge(p place, first, again *finish) {
	if first.dropped || again.dropped && again.e.Ref < first.e.Seq {
		return // one of them counts for nothing, and ran when the other began
	}
	if between(d.resets[p.tp], first.e.Seq, again.e.Seq) {
		return // an admin has moved the group
	}
	var why string
	var seqs []uint64
	for _, o := range orders(first.a, again.a) {
		if why, seqs = d.inOrder(p, first, again, o[0], o[1]); why == "" {
			return
		}
	}
	d.verdict.add(seqs, "%s offset %d was finished by %s, epoch %d, and again by %s, epoch %d: %s",
		p.tp, p.offset, first.e.Incarnation, first.a.epoch, again.e.Incarnation, again.a.epoch, why)
}

// inOrder is what is wrong with a record that is finished again, and the events that show it.
// Of a member that does not know yet that it was replaced, again is the older one.
func (d *duplicity) inOrder(p place, first, again *finish, older, newer *assignment) (why string, seqs []uint64) { //nolint:nonamedreturns // tells them apart
	seqs = []uint64{first.e.Seq, again.e.Seq}
	from := newer.begin // what was committed before this counts
	if older == newer {
		renewals := d.renewals[older.holding]
		i := sort.Search(len(renewals), func(i int) bool { return renewals[i] > first.e.Seq })
		if i == len(renewals) || renewals[i] > again.e.Seq {
			return "within one assignment", seqs
		}
		from = renewals[i]
	}
	if at, ok := above(d.accepted[p.tp], p.offset, from); ok && !d.cameBack(newer, at) {
		return "a commit above it had been accepted", []uint64{first.e.Seq, at, again.e.Seq}
	}
	if older != newer && p.offset <= d.line(older) && !d.unclean(older) && !d.frozen(older, min(first.e.Seq, again.e.Seq)) && !between(d.renewals[older.holding], first.e.Seq, again.e.Seq) {
		return "nothing held the line and nothing disturbed the handover", seqs
	}
	return "", nil
}

// cameBack reports whether a, when it began, found a line that a commit of unknown outcome
// had brought back after the one that was accepted at seq (A5). Whoever had the partition
// in between has found it, too.
func (d *duplicity) cameBack(a *assignment, seq uint64) bool {
	for _, o := range d.f.outstanding()[place{a.tp, a.start}] {
		if o.from < a.begin && o.to > seq && (o.next == nil || o.next == a || o.next.start <= a.start) {
			return true
		}
	}
	return false
}

// line is how far an assignment came: the first record from its start on that it did not
// finish, or the end of all records.
func (d *duplicity) line(a *assignment) int64 {
	if line, ok := d.lines[a]; ok {
		return line
	}
	done := d.counted[a]
	slices.Sort(done)
	line := int64(math.MaxInt64)
	if !a.known {
		line = math.MinInt64
	}
	existing := d.f.had(a)
	i, _ := slices.BinarySearch(existing, a.start)
	for _, offset := range existing[i:] {
		for len(done) > 0 && done[0] < offset {
			done = done[1:]
		}
		if len(done) == 0 || done[0] != offset {
			line = min(line, offset)
			break
		}
	}
	d.lines[a] = line
	return line
}

// unclean reports whether the end of an assignment, which the history has to tell, left
// something that was finished without an acknowledged commit: it was lost, its process
// was killed, or it was cut when its last commit, or one of the process under way before
// it, had no acknowledgment.
func (d *duplicity) unclean(a *assignment) bool {
	if _, dead := d.f.assignments().killed[a.incarnation]; dead && a.how != drained || a.how == lost {
		return true
	}
	if a.how != cut {
		return false
	}
	dirty, ok := d.dirty[a]
	if ok {
		return dirty
	}
	last := history.ResultOK
	for _, c := range d.commits[a.incarnation] {
		if c.sent.Seq > a.end {
			break
		}
		dirty = dirty || c.answered > a.end
		if c.sent.Epoch == a.epoch && c.sent.TP() == a.tp {
			last = c.result
		}
	}
	d.dirty[a] = dirty || last != history.ResultOK
	return d.dirty[a]
}

// frozen reports whether the process of an assignment that was cut stood still behind a
// finish in it, or since its revoke began: then the revoke's time was over when it went on,
// also where a call ended in between.
func (d *duplicity) frozen(a *assignment, finished uint64) bool {
	if a.revoking != 0 {
		finished = min(finished, a.revoking)
	}
	return a.how == cut && d.f.assignments().frozen(a.incarnation, finished, a.end)
}

// between reports whether one of seqs, ascending, lies between two others.
func between(seqs []uint64, from, to uint64) bool {
	i := sort.Search(len(seqs), func(i int) bool { return seqs[i] > from })
	return i < len(seqs) && seqs[i] < to
}

// accepted are the commits that the broker took, as far as they rise, from the start or
// from an admin's reset on.
type accepted struct {
	since uint64
	seqs  []uint64
	next  []int64 // ascending
}

func acceptedOf(f *facts) map[observe.TopicPartition][]*accepted {
	out := map[observe.TopicPartition][]*accepted{}
	for i := range f.events {
		e := &f.events[i]
		took := (e.Kind == history.CommitAnswered || e.Kind == history.CommitOnWire) && e.Result == history.ResultOK
		if !took && e.Kind != history.Reset {
			continue
		}
		list := out[e.TP()]
		if len(list) == 0 || e.Kind == history.Reset {
			list = append(list, &accepted{since: e.Seq})
			out[e.TP()] = list
		}
		a := list[len(list)-1]
		if n := len(a.next); took && (n == 0 || e.Offset > a.next[n-1]) {
			a.seqs, a.next = append(a.seqs, e.Seq), append(a.next, e.Offset)
		}
	}
	return out
}

// above is when a line above offset was accepted first, if that was before seq.
func above(list []*accepted, offset int64, seq uint64) (uint64, bool) {
	s := sort.Search(len(list), func(i int) bool { return list[i].since >= seq }) - 1
	if s < 0 {
		return 0, false
	}
	a := list[s]
	i := sort.Search(len(a.next), func(i int) bool { return a.next[i] > offset })
	if i == len(a.next) || a.seqs[i] >= seq {
		return 0, false
	}
	return a.seqs[i], true
}
