package core

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/troupe-go/troupe/supervision"
)

// everyType is all events and effects as *core.X, read from their declarations, so
// that a new one is missed until the model plays it.
func everyType(t *testing.T) []string {
	t.Helper()
	var all []string
	for file, method := range map[string]string{"event.go": "event", "effect.go": "effect"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^func \(\*(\w+)\) `+method+`\(\)`).FindAllStringSubmatch(string(text), -1)
		if len(found) < 10 {
			t.Fatalf("%s declares %d", file, len(found))
		}
		for _, f := range found {
			all = append(all, "*core."+f[1])
		}
	}
	return all
}

// everyOutcome is all ways in which a hand-over ends besides success, and all that a
// policy makes of them.
func everyOutcome() []string {
	var all []string
	for k := Error; k <= StartFailed; k++ {
		all = append(all, fmt.Sprintf("kind %d", k))
	}
	for _, d := range []supervision.Directive{supervision.Resume, supervision.Restart, supervision.Stop, supervision.Escalate} {
		all = append(all, fmt.Sprintf("directive %d", d))
	}
	return all
}
