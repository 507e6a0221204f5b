//go:build synctests

package kafka

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"
)

// bubble runs f with a cluster on a network in memory and a virtual clock. A goroutine
// that is left over fails the test.
func bubble(t *testing.T, f func(r *rig), opts ...kfake.Opt) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		f(newRig(t, network.DialContext, append([]kfake.Opt{kfake.ListenFn(network.Listen)}, opts...)...))
	})
}
