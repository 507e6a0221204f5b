package sim

import (
	"strings"

	"github.com/troupe-go/troupe/internal/history"
)

// Path is a path through the runtime that runs are to take now and then.
type Path struct {
	Name  string
	taken func(e *history.Event) bool
}

// Paths are those that a campaign counts, from the history alone.
func Paths() []Path {
	kind := func(k history.Kind) func(*history.Event) bool {
		return func(e *history.Event) bool { return e.Kind == k }
	}
	says := func(k history.Kind, text string) func(*history.Event) bool {
		return func(e *history.Event) bool { return e.Kind == k && strings.Contains(e.Text, text) }
	}
	result := func(k history.Kind, result string) func(*history.Event) bool {
		return func(e *history.Event) bool { return e.Kind == k && e.Result == result }
	}
	fault := func(text, result string) func(*history.Event) bool {
		return func(e *history.Event) bool {
			return e.Kind == history.Fault && e.Text == text && e.Result == result
		}
	}
	return append([]Path{
		{"frozen past the session and thawed", fault(thawedLate, history.ResultEnd)},
		{"a failpoint failed", fault(bites(FaultPointFails), history.ResultBegin)},
		{"a failpoint stalled", fault(bites(FaultPointStalls), history.ResultBegin)},
		{"a failpoint panicked", fault(bites(FaultPointPanics), history.ResultBegin)},
		{"revoke drained", result(history.RevokeEnded, history.ResultDrained)},
		{"revoke cut", result(history.RevokeEnded, history.ResultCut)},
		{"lease over", says(history.Lost, "within the session timeout")},
		{"thrown out by a commit", says(history.Lost, "commit: ")},
		{"expelled", kind(history.Expelled)},
		{"joined as another member", says(history.Lost, "kafka: the group dropped this member")},
		{"rejoined", kind(history.Rejoined)},
		{"commit refused", result(history.CommitAnswered, history.ResultRefused)},
		{"commit unknown", result(history.CommitAnswered, history.ResultUnknown)},
		{"commit refused on the wire", result(history.CommitOnWire, history.ResultRefused)},
		{"lane quarantined by a timeout", says(history.Quarantined, "timed out")},
		{"lane quarantined by a revoke", says(history.Quarantined, "revoked")},
		{"lane freed", kind(history.Freed)},
		{"lane forced", kind(history.Forced)},
		{"late result dropped", kind(history.LateDropped)},
		{"retry scheduled", kind(history.RetryScheduled)},
		{"lane restarted", kind(history.Restarted)},
		{"partition rebuilt", kind(history.Escalated)},
		{"paused: back-pressure", says(history.Paused, "back-pressure")},
		{"paused: ahead", says(history.Paused, "ahead")},
		{"paused: delay", says(history.Paused, "delay")},
		{"paused: operator", says(history.Paused, "operator")},
		{"timestamp capped", kind(history.SkewCapped)},
		{"gap", kind(history.Gap)},
		{"records removed", kind(history.Removed)},
		{"dead letter acknowledged", kind(history.Forwarded)},
		{"dead letter failed", kind(history.ForwardFailed)},
		{"send of unknown fate", kind(history.Unknown)},
		{"aborted transaction", says(history.Failed, "aborted")},
		{"killed", kind(history.Killed)},
		{"stop not drained", says(history.ShutdownEnded, "not drained")},
		{"panic or Goexit", result(history.Leave, history.ResultPanic)},
		{"snooze", result(history.Leave, history.ResultSnooze)},
		{"discard", result(history.Leave, history.ResultDiscard)},
	}, faultPaths()...)
}

// thawedLate is a freeze that outlasted the session, in the history.
const thawedLate = "freeze past the session"

// bites is a failpoint's fault when it breaks a step, in the history.
func bites(kind string) string { return kind + " now" }

// faultPaths are that faults of each kind began.
func faultPaths() []Path {
	var paths []Path
	for _, kind := range Kinds() {
		paths = append(paths, Path{"fault: " + kind, func(e *history.Event) bool {
			return e.Kind == history.Fault && e.Text == kind && e.Result == history.ResultBegin
		}})
	}
	return paths
}

// reached counts by path how often a history took it.
func reached(events []history.Event) map[string]int {
	counts := map[string]int{}
	paths := Paths()
	for i := range events {
		for _, p := range paths {
			if p.taken(&events[i]) {
				counts[p.Name]++
			}
		}
	}
	return counts
}
