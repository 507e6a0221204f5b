package check

import (
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// commit is one that a runtime sent, with its answer. Without one, as after a crash, its
// outcome is unknown.
type commit struct {
	sent     *history.Event
	answered uint64 // Seq of the answer; never: none
	result   string
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
			all = append(all, commit{e, never, history.ResultUnknown})
		case history.CommitAnswered:
			if waiting := open[key]; len(waiting) > 0 {
				all[waiting[0]].answered, all[waiting[0]].result = e.Seq, e.Result
				open[key] = waiting[1:]
			}
		default:
		}
	}
	return all
}

// outstanding is the time in which the broker may apply a commit of unknown outcome
// late: from when it was sent until one that was sent after it is acknowledged.
type outstanding struct{ from, to uint64 }

// outstandings are by the partition and the line that may come back.
func outstandings(commits []commit) map[place][]outstanding {
	acknowledged := map[observe.TopicPartition][]*commit{} // ascending by when they were sent
	for i := range commits {
		if c := &commits[i]; c.result == history.ResultOK {
			acknowledged[c.sent.TP()] = append(acknowledged[c.sent.TP()], c)
		}
	}
	// From the back, the earliest acknowledgment of what was sent later.
	earliest := map[observe.TopicPartition][]uint64{}
	for tp, list := range acknowledged {
		at, least := make([]uint64, len(list)), uint64(never)
		for i := len(list) - 1; i >= 0; i-- {
			least = min(least, list[i].answered)
			at[i] = least
		}
		earliest[tp] = at
	}
	out := map[place][]outstanding{}
	next := map[observe.TopicPartition]int{}
	for i := range commits {
		c := &commits[i]
		tp := c.sent.TP()
		list := acknowledged[tp]
		for next[tp] < len(list) && list[next[tp]].sent.Seq <= c.sent.Seq {
			next[tp]++
		}
		if c.result != history.ResultUnknown {
			continue
		}
		to := uint64(never)
		if next[tp] < len(list) {
			to = earliest[tp][next[tp]]
		}
		p := placeOf(c.sent)
		out[p] = append(out[p], outstanding{c.sent.Seq, to})
	}
	return out
}
