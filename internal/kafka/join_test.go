//go:build synctests

package kafka

import (
	"testing"
)

func TestFetchAndCommit(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b", "c")
		n := r.start()
		n.fetches(0, "0:0=a", "0:1=b", "0:2=c")
		n.stores(0, 2)
		if got := r.line(0); got != 2 {
			t.Errorf("the group's line is %d, want 2", got)
		}
	})
}
