package probe

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// lasts starts since while is true, and reports how long it has been so.
func lasts(now time.Time, since *time.Time, is bool) time.Duration {
	switch {
	case !is:
		*since = time.Time{}
	case since.IsZero():
		*since = now
	default:
		return now.Sub(*since)
	}
	return 0
}

// uncommitted is L2: the commit line is above what is committed, which does not move.
func (p *Probe) uncommitted(now time.Time, tp observe.TopicPartition, w *watched, s *runtime.PartitionStats, committed int64) {
	p.compared[L2]++
	if committed != w.committed {
		w.committed, w.behind = committed, time.Time{}
	}
	if d := lasts(now, &w.behind, s.Next > max(committed, 0)); d > intervalsMax*p.cfg.CommitInterval {
		p.found(now, L2, tp.String(), "the line is %d, and %d has been committed for %v", s.Next, committed, d)
	}
}

// stalled is L3: the runtime holds work outside of quarantined lanes, and nothing has come
// of any for too long. Lanes that wait for a time or are stopped hold none.
func (p *Probe) stalled(now time.Time, stats runtime.Stats) {
	var results strings.Builder
	works := false
	for i := range stats.Partitions {
		s := &stats.Partitions[i]
		fmt.Fprintf(&results, "%s/%d %d %d %d", s.Topic, s.Partition, s.Next, s.Ahead-s.Buffered, s.Restarts)
		for j := range s.Lanes {
			l := &s.Lanes[j]
			works = works || l.State == "active" && l.Queued > 0
			fmt.Fprintf(&results, " %d:%d/%d", l.Index, l.Head, l.Attempt)
		}
	}
	if works {
		p.compared[L3]++
	}
	if results.String() != p.results {
		p.results, p.resulted = results.String(), time.Time{}
	}
	if d := lasts(now, &p.resulted, works); d > p.cfg.Stall {
		p.found(now, L3, "the runtime", "it holds work and has returned no result for %v", d)
	}
}

// paused is L6: a pause has one reason at least that is live. A reason that waits for a
// time has a wake-up, and it has not passed.
func (p *Probe) paused(now time.Time, tp observe.TopicPartition, w *watched, s *runtime.PartitionStats) {
	if len(s.PauseReasons) == 0 {
		w.dead = time.Time{}
		return
	}
	p.compared[L6]++
	live := slices.ContainsFunc(s.PauseReasons, func(reason string) bool { return alive(now, s, w.committed, reason) })
	if d := lasts(now, &w.dead, !live); d > p.cfg.CommitInterval+slack {
		p.found(now, L6, tp.String(), "paused for %v, and nothing ends that: %d records held, the next is due at %v", s.PauseReasons, s.Buffered, s.WaitingUntil)
	}
}

// alive reports whether something will end a pause for a reason.
func alive(now time.Time, s *runtime.PartitionStats, committed int64, reason string) bool {
	wakes := !s.WaitingUntil.IsZero() && now.Sub(s.WaitingUntil) < slack
	state := func(names ...string) bool {
		return slices.ContainsFunc(s.Lanes, func(l runtime.LaneStats) bool { return slices.Contains(names, l.State) })
	}
	switch reason {
	case "operator", "gap", "key-by": // somebody outside ends it
		return true
	case "delay", "retry":
		return wakes
	case "back-pressure":
		return wakes || s.InFlight > 0 || s.Forwarding > 0 || state("active")
	case "ahead":
		// What commits were refused for counts, too: the next one ends that, and L2 wants it.
		return wakes || s.InFlight > 0 || s.Forwarding > 0 || s.Next > max(committed, 0) || state("active", "stopped", "quarantined")
	case "stopped":
		return wakes || state("stopped", "quarantined")
	}
	return false
}

// starved is L6, too: a partition that has no reason to be paused, holds nothing and is
// behind, and does not move. Its fetching is paused, and nobody knows.
func (p *Probe) starved(now time.Time, tp observe.TopicPartition, w *watched, s *runtime.PartitionStats) {
	if s.Next != w.next {
		w.next, w.idle = s.Next, time.Time{}
	}
	hungry := len(s.PauseReasons) == 0 && s.Buffered == 0 && s.Forwarding == 0 && s.Lag > 0
	if hungry {
		p.compared[L6]++
	}
	if d := lasts(now, &w.idle, hungry); d > p.cfg.Stall {
		p.found(now, L6, tp.String(), "not paused, %d behind, and nothing has been fetched for %v", s.Lag, d)
	}
}
