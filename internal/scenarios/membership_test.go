//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// mixed are calls of all lengths; one in fifty is long and does not look at its context.
func mixed() runtime.Topic {
	return runtime.Topic{
		Name: "orders", VirtualPartitions: lanes(8),
		Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			d := time.Duration(rec.Offset%20) * time.Millisecond
			if rec.Offset%50 == 7 {
				d = time.Second
			}
			time.Sleep(d)
			return nil
		}),
	}
}

// spreadOver produces n records to each of some partitions, of keys of which few are hot.
func (w *world) spreadOver(partitions int32, n int) {
	w.t.Helper()
	var recs []*actors.Record
	for range n {
		for p := range partitions {
			key := fmt.Sprint("key-", int(1000*rand.Float64()*rand.Float64()*rand.Float64())) //nolint:gosec // a workload
			recs = append(recs, &actors.Record{Topic: "orders", Partition: p, Key: []byte(key)})
		}
	}
	w.produceRecords(recs...)
}

// twiceEach produces two records for each of four lanes, lane by lane.
func (w *world) twiceEach(partitions int32) {
	w.t.Helper()
	for _, value := range []string{"v", "behind"} {
		for p := range partitions {
			for lane := range 4 {
				w.produce("orders", p, laneKey(lane, 4), value)
			}
		}
	}
}

// A clean leave and a join repeat nothing, however often they come.
func TestScenario001AFourthMemberComesAndGoes(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:12"}, safety, func(w *world) {
		for _, name := range []string{"a", "b", "c"} {
			w.start(name, mixed())
		}
		produced, begun := int64(0), time.Now()
		for i := 0; time.Since(begun) < 10*time.Minute; i++ {
			d := w.start(fmt.Sprint("d", i), mixed())
			w.spreadOver(12, 4)
			produced += 4
			time.Sleep(time.Second + time.Duration(i%5)*500*time.Millisecond)
			w.spreadOver(12, 2)
			produced += 2
			if _, err := d.stop(); err != nil {
				t.Errorf("%s: %v", d.name, err)
			}
			time.Sleep(time.Second + time.Duration(i%3)*time.Second)
		}
		w.drained(time.Minute, map[string][]int64{"orders": slices.Repeat([]int64{produced}, 12)})
		w.wantNoDuplicates()
	})
}

// The commit of the revoke has what ended while it waited.
func TestScenario003CallsEndInsideTheDrain(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, safety, func(w *world) {
		topic := runtime.Topic{Name: "orders", VirtualPartitions: lanes(4), Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(drainFor - 2*time.Second)
			return nil
		})}
		a := w.start("a", topic)
		w.twiceEach(2)
		w.start("b", topic)
		w.drained(time.Minute, map[string][]int64{"orders": {8, 8}})
		w.wantNoDuplicates()
		ended := find[observe.RevokeEnded](a)
		if len(ended) != 1 || !ended[0].Drained {
			t.Errorf("revokes %+v, want one that drained", ended)
		}
	})
}

// Results come at the very instant at which the drain is over, from 64 lanes, again and
// again: each counts before the fence or not at all.
func TestScenario005ResultsAtTheFence(t *testing.T) {
	t.Parallel()
	const width, interleavings = 64, 10_000
	scenario(t, []string{"orders"}, safety, func(w *world) {
		var mu sync.Mutex
		revoked, over := make(chan struct{}), false // guarded by mu
		next := func() (<-chan struct{}, bool) {
			mu.Lock()
			defer mu.Unlock()
			return revoked, over
		}
		n := w.startWith("a", func(cfg *runtime.Config) {
			cfg.DrainTimeout = time.Second
			cfg.Hooks = append(cfg.Hooks, observe.HookFunc(func(_ time.Time, ev observe.Event) {
				if _, ok := ev.(observe.RevokeBegan); ok {
					mu.Lock()
					defer mu.Unlock()
					close(revoked)
					revoked = make(chan struct{})
				}
			}))
		}, runtime.Topic{Name: "orders", VirtualPartitions: lanes(width), Behavior: func(vp actors.VirtualPartition) actors.Behavior {
			return handle(func(context.Context, *actors.Record) error {
				began, done := next()
				if done {
					return nil
				}
				<-began
				time.Sleep(time.Second + time.Duration(vp.Index%8-4)*time.Nanosecond)
				w.hit("result at the fence")
				return nil
			})(vp)
		}})
		produced := int64(0)
		for w.counters.total()["result at the fence"] < interleavings {
			for lane := range width {
				w.produce("orders", 0, laneKey(lane, width), "v")
				produced++
			}
			w.c.Settle()
			w.c.Rebalance()
		}
		mu.Lock()
		over = true
		close(revoked)
		revoked = make(chan struct{})
		mu.Unlock()
		w.drained(time.Minute, map[string][]int64{"orders": {produced}})
		if got := count[observe.LateDropped](n) + count[observe.Quarantined](n); got == 0 {
			t.Error("no result came too late: the race went one way only")
		}
	})
}

// A member that commits what another one has: the broker takes it, since its generation is
// right, and the checker says whose it was not, and nothing of all other commits.
func TestScenario006ACommitByAnotherMember(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S3, check.S4}, func(w *world) {
		a := w.start("a", working())
		w.start("b", working())
		time.Sleep(4 * heartbeatFor)
		wire := w.witness()
		for p := range int32(2) {
			w.produce("orders", p, "k", numbers(0, 5)...)
		}
		w.drained(time.Minute, map[string][]int64{"orders": {5, 5}})
		seen := wire.since(0)
		info := w.c.Broker().GroupInfo(group)
		owned := a.owned()[0]
		foreign := int32(owned[len(owned)-1] - '0')
		stranger := slices.IndexFunc(info.Members, func(m kfake.GroupMember) bool { return !assigns(t, m, foreign) })
		req := kmsg.NewPtrOffsetCommitRequest()
		req.Group, req.Generation, req.MemberID = group, info.Epoch, info.Members[stranger].MemberID
		topic, partition := kmsg.NewOffsetCommitRequestTopic(), kmsg.NewOffsetCommitRequestTopicPartition()
		partition.Partition, partition.Offset = foreign, 5
		topic.Topic, topic.TopicID, topic.Partitions = "orders", w.c.Broker().TopicInfo("orders").TopicID, append(topic.Partitions, partition)
		req.Topics = append(req.Topics, topic)
		resp, err := req.RequestWith(context.Background(), w.c.Client())
		if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
			t.Fatalf("the broker answered %+v, %v", resp, err)
		}
		w.hit("foreign commit taken")
		by := wire.since(len(seen))
		if len(seen) < 2 || len(by) != 1 {
			t.Fatalf("%d commits of the runtimes were seen on the wire and %d others, want some of each partition and 1", len(seen), len(by))
		}
		own, all := w.onWire(seen, info), w.onWire(append(seen, by...), info)
		if v := check.Owner(own); v.Found != 0 || v.Compared != len(seen) {
			t.Errorf("of what the owners committed the checker says: %v, want none of %d", v, len(seen))
		}
		if v := check.Owner(all); v.Found != 1 {
			t.Errorf("the checker says: %v, want one violation", v)
		}
	})
}

// The other side of it: a member that is taken out of its group behind its back has work
// finished that no commit covers. Nothing of that is committed any more, neither in its old
// name nor in the one under which it joins again.
func TestScenario006AMemberCommitsNothingInAnotherName(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		a := w.start("a", working())
		wire := w.witness()
		var before int
		refused := w.commits(kerr.CoordinatorLoadInProgress, -1)
		old := w.c.Broker().GroupInfo(group).Members[0].MemberID
		ends := w.steady(300, map[int]func(){
			150: func() {
				if hit := refused.Hits(); hit == 0 {
					t.Error("no commit was refused: there is nothing to give away")
				}
				before = len(wire.since(0))
				w.expel()
				w.hit("expelled")
				refused.Remove()
			},
		})
		w.drained(time.Minute, ends)
		if got := count[observe.Lost](a); got != 4 {
			t.Errorf("a lost %d partitions, want its four", got)
		}
		after, first := wire.since(before), map[int32]int64{}
		for _, c := range after {
			if c.member == old {
				continue // the broker refuses it, and that is how a hears that it is out
			}
			if _, ok := first[c.partition]; !ok {
				first[c.partition] = c.next
			}
		}
		// Behind the loss each partition begins where the broker was: at its start.
		began := map[int32]bool{}
		for _, e := range find[observe.Assigned](a) {
			if e.Epoch > 4 && e.Start == 0 {
				began[e.TP.Partition] = true
			}
		}
		if len(first) != 4 || len(began) != 4 {
			t.Errorf("of %d partitions something was committed in the new name, and %d began at the broker's line; want 4", len(first), len(began))
		}
	})
}

// A second rebalance begins while the first one's revoke still drains.
func TestScenario012RebalancesBackToBack(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		topic := runtime.Topic{Name: "orders", VirtualPartitions: lanes(4), Behavior: handle(func(context.Context, *actors.Record) error {
			time.Sleep(6 * time.Second)
			return nil
		})}
		a := w.start("a", topic)
		w.twiceEach(4)
		joined := make(chan struct{})
		go func() {
			defer close(joined)
			for len(find[observe.RevokeBegan](a)) == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			if len(find[observe.RevokeEnded](a)) == 0 {
				w.hit("join during a revoke")
			}
		}()
		b := w.start("b", topic)
		<-joined
		c := w.start("c", topic)
		w.drained(2*time.Minute, map[string][]int64{"orders": {8, 8, 8, 8}})
		for _, n := range []*node{a, b, c} {
			if len(n.owned()) == 0 {
				t.Errorf("%s has nothing", n.name)
			}
		}
		w.wantNoDuplicates()
	})
}

func TestScenario015AStaticMemberNeverReturns(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S6}, func(w *world) {
		static := func(id string) func(*runtime.Config) { return func(cfg *runtime.Config) { cfg.InstanceID = id } }
		a := w.startWith("a", static("one"), working())
		b := w.startWith("b", static("two"), working())
		time.Sleep(4 * heartbeatFor)
		ends := w.steady(50, map[int]func(){25: b.kill})
		time.Sleep(sessionFor - 10*time.Second)
		if got := len(a.owned()); got != 2 {
			t.Errorf("a has %d partitions before the session of b is over, want 2", got)
		}
		w.drained(time.Minute, ends)
		if got := len(a.owned()); got != 4 {
			t.Errorf("a has %d partitions, want all 4", got)
		}
	})
}

// fetchedLate starts a second member on a committed line while its committed offsets
// cannot be fetched.
func fetchedLate(t *testing.T, refusal *kerr.Error, away time.Duration) {
	t.Helper()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3, check.S4}, func(w *world) {
		var seen tape
		topic := runtime.Topic{Name: "orders", Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			seen.add("%d", rec.Offset)
			return nil
		})}
		first := w.start("first", topic)
		w.produce("orders", 0, "k", numbers(0, 5)...)
		w.drained(time.Minute, map[string][]int64{"orders": {5}})
		if _, err := first.stop(); err != nil {
			t.Error(err)
		}
		w.produce("orders", 0, "k", numbers(5, 8)...)
		fault := w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Group: group, Err: refusal, Count: -1})
		removed := time.AfterFunc(away, fault.Remove)
		defer removed.Stop()
		before := make(chan []string, 1)
		looked := time.AfterFunc(away-time.Second, func() { before <- seen.lines() })
		defer looked.Stop()
		w.start("a", topic)
		if got := <-before; !slices.Equal(got, numbers(0, 5)) {
			t.Errorf("before its line was known the second member was given %v", got[5:])
		}
		w.drained(2*time.Minute, map[string][]int64{"orders": {8}})
		seen.want(t, numbers(0, 8)...)
	})
}

func TestScenario016CommittedOffsetsCannotBeFetched(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			fetchedLate(t, refusal, time.Minute)
		})
	}
}

func TestScenario017CommittedOffsetsAreUnstable(t *testing.T) {
	t.Parallel()
	fetchedLate(t, kerr.UnstableOffsetCommit, 20*time.Second)
}

// A member is cut off while it drains, and another one joins, for which the group waits less
// long than for a silent member: it is thrown out, and what it still commits is refused.
func TestScenario018ARevokeOutlastsTheRebalance(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		patience := func(cfg *runtime.Config) { cfg.RebalanceTimeout = 20 * time.Second }
		a := w.startWith("a", patience, runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(4),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if string(rec.Value) == "slow" {
					time.Sleep(8 * time.Second)
				}
				return nil
			}),
		})
		w.steady(20, nil)
		for p := range int32(4) {
			w.produce("orders", p, "k", "slow")
		}
		w.startWith("b", patience, working())
		for len(find[observe.RevokeBegan](a)) == 0 {
			time.Sleep(time.Millisecond)
		}
		a.freeze(30 * time.Second)
		if n := len(find[observe.RevokeEnded](a)); n > 0 {
			t.Errorf("%d partitions were let go before a was cut off", n)
		}
		w.startWith("c", patience, working())
		w.drained(2*time.Minute, map[string][]int64{"orders": {21, 21, 21, 21}})
		time.Sleep(30 * time.Second)
		if got := count[observe.Lost](a); got != 2 {
			t.Errorf("a lost %d partitions, want the two that it kept", got)
		}
	})
}
