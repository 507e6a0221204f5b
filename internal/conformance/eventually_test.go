//go:build kafka

package conformance

import (
	"testing"
	"time"
)

const (
	patience  = 90 * time.Second
	pollEvery = 20 * time.Millisecond
)

// eventually polls until ok holds. It is how the tests wait, for whatever it is.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}
