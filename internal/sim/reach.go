package sim

import (
	"strings"

	"github.com/troupe-go/troupe/internal/history"
)

// Path is a path through the runtime that runs are to take now and then.
type Path struct {
	Name  string
	kind  history.Kind                // of the events that are asked about
	taken func(e *history.Event) bool // whether one of them took it
}

// Paths are those that a campaign counts, from the history alone.
func Paths() []Path {
	kind := func(name string, k history.Kind) Path {
		return Path{name, k, func(*history.Event) bool { return true }}
	}
	says := func(name string, k history.Kind, text string) Path {
		return Path{name, k, func(e *history.Event) bool { return strings.Contains(e.Text, text) }}
	}
	result := func(name string, k history.Kind, result string) Path {
		return Path{name, k, func(e *history.Event) bool { return e.Result == result }}
	}
	return append([]Path{
		fault("frozen past the session and thawed", thawedLate, history.ResultEnd),
		fault("a failpoint failed", bites(FaultPointFails), history.ResultBegin),
		fault("a failpoint stalled", bites(FaultPointStalls), history.ResultBegin),
		fault("a failpoint panicked", bites(FaultPointPanics), history.ResultBegin),
		result("revoke drained", history.RevokeEnded, history.ResultDrained),
		result("revoke cut", history.RevokeEnded, history.ResultCut),
		says("lease over", history.Lost, "within the session timeout"),
		says("thrown out by a commit", history.Lost, "commit: "),
		kind("expelled", history.Expelled),
		says("joined as another member", history.Lost, "kafka: the group dropped this member"),
		kind("rejoined", history.Rejoined),
		result("commit refused", history.CommitAnswered, history.ResultRefused),
		result("commit unknown", history.CommitAnswered, history.ResultUnknown),
		result("commit refused on the wire", history.CommitOnWire, history.ResultRefused),
		says("lane quarantined by a timeout", history.Quarantined, "timed out"),
		says("lane quarantined by a revoke", history.Quarantined, "revoked"),
		kind("lane freed", history.Freed),
		kind("lane forced", history.Forced),
		kind("late result dropped", history.LateDropped),
		kind("retry scheduled", history.RetryScheduled),
		kind("lane restarted", history.Restarted),
		kind("partition rebuilt", history.Escalated),
		says("paused: back-pressure", history.Paused, "back-pressure"),
		says("paused: ahead", history.Paused, "ahead"),
		says("paused: delay", history.Paused, "delay"),
		says("paused: operator", history.Paused, "operator"),
		kind("timestamp capped", history.SkewCapped),
		kind("no room for all that travels", history.MetadataCut),
		kind("gap", history.Gap),
		kind("records removed", history.Removed),
		kind("dead letter acknowledged", history.Forwarded),
		kind("dead letter failed", history.ForwardFailed),
		{"dead letter made smaller", history.Forwarded, func(e *history.Event) bool { return e.Count > 0 }},
		{"dead letter that loops", history.Halted, func(*history.Event) bool { return true }},
		{"dead letter of a dead letter", history.Forwarded, func(e *history.Event) bool { return strings.HasPrefix(e.Topic, lettersOf) }},
		kind("send of unknown fate", history.Unknown),
		says("aborted transaction", history.Failed, "aborted"),
		kind("killed", history.Killed),
		says("stop not drained", history.ShutdownEnded, "not drained"),
		result("panic or Goexit", history.Leave, history.ResultPanic),
		result("snooze", history.Leave, history.ResultSnooze),
		result("discard", history.Leave, history.ResultDiscard),
	}, faultPaths()...)
}

// thawedLate is a freeze that outlasted the session, in the history.
const thawedLate = "freeze past the session"

// bites is a failpoint's fault when it breaks a step, in the history.
func bites(kind string) string { return kind + " now" }

// fault is a path that begins, or ends, with a fault.
func fault(name, text, result string) Path {
	return Path{name, history.Fault, func(e *history.Event) bool { return e.Text == text && e.Result == result }}
}

// faultPaths are that faults of each kind began.
func faultPaths() []Path {
	var paths []Path
	for _, kind := range Kinds() {
		paths = append(paths, fault("fault: "+kind, kind, history.ResultBegin))
	}
	return paths
}

// reached counts by path how often a history took it.
func reached(events []history.Event) map[string]int {
	counts := map[string]int{}
	paths := map[history.Kind][]Path{}
	for _, p := range Paths() {
		paths[p.kind] = append(paths[p.kind], p)
	}
	for i := range events {
		for _, p := range paths[events[i].Kind] {
			if p.taken(&events[i]) {
				counts[p.Name]++
			}
		}
	}
	return counts
}
