package check

import (
	"slices"
	"strings"

	"github.com/troupe-go/troupe/internal/history"
)

// Secrets judges S15: no canary, which stands for a secret or for what records hold, is in
// what a runtime logs or shows. Compared are the lines, if there is a canary.
func Secrets(events []history.Event) Verdict { return secrets(newFacts(events)) }

func secrets(f *facts) Verdict {
	v := Verdict{Check: S15}
	var canaries []string
	for i := range f.events {
		if e := &f.events[i]; e.Kind == history.Canary && e.Text != "" && !slices.Contains(canaries, e.Text) {
			canaries = append(canaries, e.Text)
		}
	}
	for i := range f.events {
		e := &f.events[i]
		if e.Kind != history.Logged || len(canaries) == 0 {
			continue
		}
		v.Compared++
		for _, c := range canaries {
			if strings.Contains(e.Text, c) {
				v.add([]uint64{e.Seq}, "%s shows %q: %s", e.Incarnation, c, strings.TrimSpace(e.Text))
			}
		}
	}
	return v
}
