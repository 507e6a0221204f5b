//go:build synctests

package kafka

import (
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// filling is a client whose handler says PauseSoon at each batch of partition 0, as a
// buffer that fills with it, and what to do then is the test's.
func (r *rig) filling(full func(n *node)) *node {
	r.t.Helper()
	var n *node
	n = r.node(func(_ *Options, rec *recorder) {
		rec.on = func(got note) {
			if got.what == "fetched" && got.batch.TP == tp(0) {
				n.PauseSoon(tp(0))
				full(n)
			}
		}
	})
	n.run()
	n.joined(0, 1)
	return n
}

// isPaused reports whether kgo was told not to fetch the partition.
func (n *node) isPaused(partition int32) bool {
	return slices.Contains(n.member().cl.PauseFetchPartitions(nil)[testTopic], partition)
}

// state is a copy of what the member knows of the partition.
func (n *node) state(partition int32) standing {
	m := n.member()
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.parts[tp(partition)]
	return standing{p.applied, p.slow, p.full}
}

type standing struct{ applied, slow, full bool }

// resumeAfter has the owner be through with the partition in d.
func resumeAfter(d time.Duration) func(n *node) {
	return func(n *node) { time.AfterFunc(d, func() { n.Resume(tp(0)) }) }
}

func TestAPartitionThatIsRelievedWithinABreathIsNotPaused(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.filling(resumeAfter(breath - time.Millisecond))
		for i := range 5 {
			r.produce(0, numbers(i, i+1)...)
			if n.isPaused(0) {
				r.t.Error("it is paused")
			}
			time.Sleep(breath)
			if n.isPaused(0) || n.state(0).slow {
				r.t.Error("it passes for a slow one")
			}
		}
		n.fetches(0, "0:0=0", "0:1=1", "0:2=2", "0:3=3", "0:4=4")
	}, kfake.SeedTopics(2, testTopic))
}

// Nothing is polled for a breath, of no partition, and then the full one is paused and
// the others go on.
func TestAPartitionThatIsNotRelievedIsPausedAfterABreath(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.filling(func(*node) {})
		r.produce(0, "full")
		n.fetches(0, "0:0=full")
		began := n.state(0)
		if began.applied || !began.full {
			r.t.Errorf("before a breath is over: %+v, want full and not paused", began)
		}
		produced := time.Now()
		r.produce(1, "other")
		eventually(r.t, "the other partition's record", func() bool { return len(n.values(tp(1))) == 1 })
		if took := time.Since(produced); took > 2*breath {
			r.t.Errorf("the other partition waited %v, want a breath at most", took)
		}
		if !n.isPaused(0) || !n.state(0).slow {
			r.t.Errorf("after a breath: %+v, want paused and slow", n.state(0))
		}
		r.produce(0, "behind")
		time.Sleep(time.Minute)
		n.fetches(0, "0:0=full")
		n.Resume(tp(0))
		n.fetches(0, "0:0=full", "0:1=behind")
	}, kfake.SeedTopics(2, testTopic))
}

// A slow one is paused at once, until a pause of it was short.
func TestASlowPartitionIsPausedAtOnceAndBecomesQuickAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.filling(func(*node) {})
		r.produce(0, "0")
		n.fetches(0, "0:0=0")
		time.Sleep(2 * breath)
		n.Resume(tp(0)) // long after it was full: it stays slow
		if !n.state(0).slow {
			r.t.Fatal("it is not slow")
		}
		r.produce(0, "1")
		n.fetches(0, "0:0=0", "0:1=1")
		if !n.isPaused(0) {
			r.t.Error("a slow one is not paused at once")
		}
		time.Sleep(2 * breath)
		n.Resume(tp(0))
		if !n.state(0).slow {
			r.t.Error("a pause longer than a breath made it quick")
		}
		n.PauseSoon(tp(0))
		time.Sleep(breath / 2)
		n.Resume(tp(0))
		if s := n.state(0); s.slow || s.applied {
			r.t.Errorf("after a short pause: %+v, want quick and not paused", s)
		}
		n.PauseSoon(tp(0))
		if n.isPaused(0) {
			r.t.Error("a quick one is paused at once")
		}
		n.Resume(tp(0))
	}, kfake.SeedTopics(2, testTopic))
}

func TestPauseSoonOfAPartitionThatIsNotAssignedIsNothing(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.node()
		n.PauseSoon(tp(0)) // before Run
		n.run()
		n.joined(0)
		n.PauseSoon(tp(7))
		r.produce(0, "v")
		n.fetches(0, "0:0=v")
	})
}

// A revoke, a stop and the end of a poll's time wait for no breath.
func TestABreathHoldsUpNoStop(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.filling(func(*node) {})
		r.produce(0, "v")
		n.fetches(0, "0:0=v")
		began := time.Now()
		n.Stop()
		if err := n.ended(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > breath {
			r.t.Errorf("the stop took %v", took)
		}
	}, kfake.SeedTopics(2, testTopic))
}
