//go:build synctests

package scenarios

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/probe"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtimetest"
)

// The probes are silent about a group that is well, and have something to look at.
func TestTheProbesOfAHealthyGroup(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2", "later"}, []string{check.S1, check.S2, check.S9, check.S14}, func(w *world) {
		n := w.start("a", slow("orders"), runtime.Topic{
			Name: "later", Delay: 20 * time.Second, Buffer: runtime.Buffer{Records: 5}, Behavior: handle(fine),
		})
		w.calm.Store(true)
		for i := range 60 {
			w.produce("orders", int32(i%2), "k", strconv.Itoa(i))
			w.produce("later", 0, "k", strconv.Itoa(i))
			time.Sleep(time.Second)
		}
		w.drained(5*time.Minute, map[string][]int64{"orders": {30, 30}, "later": {60}})
		_, _ = n.stop()
		got := n.watcher.Compared()
		for _, name := range []string{probe.L2, probe.L3, probe.L4, probe.L6} {
			if got[name] == 0 {
				t.Errorf("%s compared nothing: %v", name, got)
			}
		}
	})
}

// slow is a topic whose calls take one and a half seconds.
func slow(name string) runtime.Topic {
	return runtime.Topic{Name: name, Behavior: handle(func(context.Context, *actors.Record) error {
		time.Sleep(1500 * time.Millisecond)
		return nil
	})}
}

// What the probes are there for: a line that cannot be committed, and a call that does
// not return, where nobody expects that.
func TestTheProbesTell(t *testing.T) {
	t.Parallel()
	for want, trouble := range map[string]func(w *world, open chan struct{}){
		probe.L2: func(w *world, open chan struct{}) {
			close(open)
			w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: -1})
		},
		probe.L3: func(*world, chan struct{}) {},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, "orders")
				open := make(chan struct{})
				n := w.start("a", runtime.Topic{Name: "orders", Behavior: handle(func(context.Context, *actors.Record) error {
					<-open
					return nil
				})})
				trouble(w, open)
				w.calm.Store(true)
				w.produce("orders", 0, "k", "v")
				time.Sleep(3 * time.Minute)
				got := n.watcher.Findings()
				if len(got) != 1 || got[0].Probe != want {
					t.Errorf("found %v, want one of %s", got, want)
				}
				if want == probe.L3 {
					close(open)
				}
				_ = w.c.Stop(n.rt)
				w.close()
			})
		})
	}
}

// A runtime that has stopped leaves no goroutine behind (L7), and one that runs is seen.
func TestAStoppedRuntimeLeavesNoGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders:2")
		c.ProduceRecords(&actors.Record{Topic: "orders", Key: []byte("k")}, &actors.Record{Topic: "orders", Partition: 1, Key: []byte("k")})
		c.Settle()
		const kgo = "franz-go/pkg/kgo" // the cluster has a client, too
		clients := len(probe.Leaks()) - len(probe.Leaks(kgo))
		rt := c.Start(runtime.Config{Group: group, Topics: []runtime.Topic{{Name: "orders", Behavior: handle(fine)}}})
		time.Sleep(2 * commitEvery)
		c.Settle()
		if got := probe.Leaks(kgo); len(got) < 5 {
			t.Errorf("a runtime that runs has %d goroutines", len(got))
		}
		if err := c.Stop(rt); err != nil {
			t.Error(err)
		}
		c.Settle()
		if got := probe.Leaks(kgo); len(got) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(got, "\n\n"))
		}
		if got := len(probe.Leaks()); got > clients {
			t.Errorf("%d goroutines of Kafka clients, %d before the runtime", got, clients)
		}
	})
}
