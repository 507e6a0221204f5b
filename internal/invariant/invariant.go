// Package invariant holds the assertions that stay on in production.
package invariant

import "fmt"

// Always panics with the formatted state when ok is false. A broken invariant is a
// bug of Troupe; the supervisor above rebuilds the state from what the broker holds.
func Always(ok bool, format string, args ...any) {
	if !ok {
		panic("invariant broken: " + fmt.Sprintf(format, args...))
	}
}
