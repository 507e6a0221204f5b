package check

import (
	"sort"

	"github.com/troupe-go/troupe/internal/history"
)

// commit is one that a runtime sent, with its answer. Without one, as after a crash, its
// outcome is unknown.
type commit struct {
	sent     *history.Event
	answered uint64 // Seq of the answer; never: none
	result   string
	resent   bool // its request was sent more than once, and one of them was answered
}

// commitsOf pairs what was sent with what was answered, in the order in which it was
// sent. Of equal commits under way the first is answered first.
func commitsOf(events []history.Event) []commit {
	type id struct {
		holding
		epoch uint64
		next  int64
	}
	var all []commit
	open := map[id][]int{}
	for i := range events {
		e := &events[i]
		key := id{holdingOf(e), e.Epoch, e.Offset}
		switch e.Kind {
		case history.CommitSent:
			open[key] = append(open[key], len(all))
			all = append(all, commit{e, never, history.ResultUnknown, false})
		case history.CommitAnswered:
			if waiting := open[key]; len(waiting) > 0 {
				all[waiting[0]].answered, all[waiting[0]].result = e.Seq, e.Result
				all[waiting[0]].resent = e.Text == history.Resent
				open[key] = waiting[1:]
			}
		default:
		}
	}
	return all
}

// outstanding is the time in which the broker may apply a commit of unknown outcome
// late: from when it was sent until the partition is assigned anew, since the broker
// refuses what comes from an older generation. An acknowledgment of a later one proves
// nothing: the two may have come over different connections. The same holds for an earlier
// request of a commit that was sent more than once.
type outstanding struct {
	from, to uint64
	next     *assignment // the one that ends it; nil: none does
}

// outstandings are by the partition and the line that may come back.
func outstandings(commits []commit, as *assignments) map[place][]outstanding {
	out := map[place][]outstanding{}
	for i := range commits {
		c := &commits[i]
		if c.result != history.ResultUnknown && !c.resent {
			continue
		}
		o := outstanding{from: c.sent.Seq, to: never}
		list := as.byTP[c.sent.TP()]
		if i := sort.Search(len(list), func(i int) bool { return list[i].begin > o.from }); i < len(list) {
			o.to, o.next = list[i].begin, list[i]
		}
		p := placeOf(c.sent)
		out[p] = append(out[p], o)
	}
	return out
}
