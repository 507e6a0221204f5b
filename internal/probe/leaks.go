package probe

import (
	"regexp"
	goruntime "runtime"
	"slices"
	"strings"
)

// ours are the packages whose goroutines have to be gone when a runtime has stopped.
var ours = []string{ //nolint:gochecknoglobals // a table
	"github.com/troupe-go/troupe/runtime.", "github.com/troupe-go/troupe/internal/engine.", "github.com/troupe-go/troupe/internal/kafka.",
	"github.com/twmb/franz-go/pkg/kgo.", "github.com/asynkron/protoactor-go/",
}

var bubbleOf = regexp.MustCompile(`synctest bubble \d+`)

// Leaks is L7: the stacks of goroutines of runtimes that are still there. Call it when all
// of them have stopped, behind a synctest.Wait; it looks at its own bubble alone, or, out
// of one, at what is in none. A stack that contains one of allowed is none: a call of a
// behavior that hangs outlives its runtime, and so may a client of the test's own.
func Leaks(allowed ...string) []string {
	all := strings.Split(stacks(), "\n\n")
	own := bubbleOf.FindString(header(all[0])) // the first is the caller
	var leaks []string
	for _, stack := range all[1:] {
		if bubbleOf.FindString(header(stack)) == own && containsAny(stack, ours) && !containsAny(stack, allowed) {
			leaks = append(leaks, stack)
		}
	}
	return leaks
}

func containsAny(s string, list []string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.Contains(s, x) })
}

func header(stack string) string {
	line, _, _ := strings.Cut(stack, "\n")
	return line
}

// stacks are those of all goroutines.
func stacks() string {
	for size := 1 << 20; ; size *= 2 {
		buf := make([]byte, size)
		if n := goruntime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}
