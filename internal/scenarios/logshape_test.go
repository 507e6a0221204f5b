//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// noted is a topic of one lane whose behavior writes its offsets down.
func noted(seen *tape) runtime.Topic {
	return runtime.Topic{Name: "orders", Behavior: handle(func(_ context.Context, rec *actors.Record) error {
		seen.add("%d", rec.Offset)
		return nil
	})}
}

// worked runs a member until it has committed n records, and stops it.
func (w *world) worked(seen *tape, n int) {
	w.t.Helper()
	first := w.start("first", noted(seen))
	w.produce("orders", 0, "k", numbers(0, n)...)
	w.drained(time.Minute, map[string][]int64{"orders": {int64(n)}})
	if _, err := first.stop(); err != nil {
		w.t.Error(err)
	}
}

// setLine sets the committed offset as an operator does, while the group is empty.
func (w *world) setLine(at int64) {
	w.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset("orders", 0, at, -1)
	adm := kadm.NewClient(w.c.Client())
	if err := adm.CommitAllOffsets(context.Background(), group, offsets); err != nil {
		w.t.Fatal(err)
	}
	w.observer.Reset(tp("orders", 0), at)
	w.hit("line set")
}

// A record that is being retried is compacted away: its result counts all the same.
func TestScenario027CompactionOfARetriedRecord(t *testing.T) {
	t.Parallel()
	scenario(t, nil, []string{check.S1, check.S2, check.S5}, func(w *world) {
		if err := w.c.Broker().CreateTopic("orders", 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		var seen tape
		w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				seen.add("%d/%d", rec.Offset, rec.Attempt)
				if rec.Offset == 0 && rec.Attempt < 3 {
					return actors.RetryAfter(10*time.Second, errNotYet)
				}
				return nil
			}),
		})
		w.produce("orders", 0, laneKey(0, 2), "old")
		w.c.Settle()
		w.produce("orders", 0, laneKey(0, 2), "new")
		w.produce("orders", 0, laneKey(1, 2), "v", "v")
		time.Sleep(time.Second)
		w.c.Broker().Compact()
		held := w.c.Records("orders")
		if len(held) == 0 || held[0].Offset == 0 {
			t.Fatal("nothing was compacted away: nothing is shown")
		}
		w.hit("compacted under way")
		w.observer.Removed(tp("orders", 0), 0, held[0].Offset)
		w.drained(time.Minute, map[string][]int64{"orders": {4}})
		if got := seen.lines(); !slices.Contains(got, "0/3") || !slices.Contains(got, "1/1") {
			t.Errorf("deliveries %v, want the third of 0 and that of 1", got)
		}
	})
}

// Delayed records are deleted before they are due: those in memory are handed over at
// their time, the others are a gap.
func TestScenario029RetentionBeforeADelay(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"later"}, []string{check.S1, check.S2, check.S8}, func(w *world) {
		seen := newStamps()
		topic := delayed(3*time.Hour, handle(seen.receive))
		topic.Buffer.Records, topic.VirtualPartitions.Max = 5, 1
		n := w.start("a", topic)
		w.produce("later", 0, "k", numbers(0, 5)...)
		w.c.Settle()
		time.Sleep(10 * time.Second)
		w.produce("later", 0, "k", numbers(5, 20)...)
		time.Sleep(time.Hour)
		if err := w.c.Broker().DeleteRecords("later", 0, 15); err != nil {
			t.Fatal(err)
		}
		w.hit("records deleted")
		info := w.c.Broker().PartitionInfo("later", 0)
		w.observer.Log(tp("later", 0), info.LogStartOffset, info.HighWatermark)
		time.Sleep(3 * time.Hour)
		w.wantCommitted("later", 0, 5)
		gaps := find[observe.Gap](n)
		if len(gaps) != 1 || gaps[0].From != 5 || gaps[0].To != 15 {
			t.Fatalf("told of the gaps %+v, want [5, 15)", gaps)
		}
		if s := n.partition("later", 0); !slices.Contains(s.PauseReasons, "gap") {
			t.Errorf("paused for %v, want the gap", s.PauseReasons)
		}
		for o := range int64(5) {
			if got := seen.after(o); got != 3*time.Hour {
				t.Errorf("offset %d was handed over %v after its timestamp, want 3h", o, got)
			}
		}
		if err := n.rt.RestartPartition("later", 0); err != nil {
			t.Fatal(err)
		}
		w.drained(4*time.Hour, map[string][]int64{"later": {20}})
	})
}

// The committed offset lies beyond the log: nothing jumps, and an operator decides.
func TestScenario031CommittedBeyondTheEnd(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		w.worked(&seen, 5)
		w.close() // an operator's mistake is no commit of ours: nobody reads it
		w.setLine(100)
		n := w.start("a", noted(&seen))
		time.Sleep(10 * time.Second)
		w.produce("orders", 0, "k", "5")
		time.Sleep(time.Minute)
		seen.want(t, numbers(0, 5)...)
		gaps := find[observe.Gap](n)
		if len(gaps) != 1 || !gaps[0].Possible || gaps[0].From != 100 || gaps[0].To != 5 {
			t.Errorf("told of %+v, want that 100 is beyond the end 5", gaps)
		}
		if s := n.partition("orders", 0); !slices.Equal(s.PauseReasons, []string{"gap"}) {
			t.Errorf("paused for %v, want gap", s.PauseReasons)
		}
		if _, err := n.stop(); err != nil {
			t.Error(err)
		}
		w.setLine(5)
		w.start("b", noted(&seen))
		w.drained(time.Minute, map[string][]int64{"orders": {6}})
		seen.want(t, numbers(0, 6)...)
	})
}

// The group's offsets are gone: StartAt decides again.
func TestScenario032TheOffsetsAreDeleted(t *testing.T) {
	t.Parallel()
	for _, at := range []runtime.StartAt{runtime.Earliest, runtime.Latest} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
				var seen tape
				w.worked(&seen, 5)
				if _, err := kadm.NewClient(w.c.Client()).DeleteGroups(context.Background(), group); err != nil {
					t.Fatal(err)
				}
				if w.c.Broker().GroupInfo(group) == nil {
					w.hit("group deleted")
				}
				w.observer.Reset(tp("orders", 0), 0)
				topic := noted(&seen)
				topic.StartAt = at
				w.start("a", topic)
				w.produce("orders", 0, "k", "5")
				w.drained(time.Minute, map[string][]int64{"orders": {6}})
				want := numbers(0, 6)
				if at == runtime.Earliest {
					want = append(numbers(0, 5), want...)
				}
				seen.want(t, want...)
			})
		})
	}
}

// An operator sets the committed offset back: the records run again.
func TestScenario033TheLineIsSetBack(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S3}, func(w *world) {
		var seen tape
		w.worked(&seen, 5)
		w.setLine(2)
		w.start("a", noted(&seen))
		w.drained(time.Minute, map[string][]int64{"orders": {5}})
		seen.want(t, append(numbers(0, 5), numbers(2, 5)...)...)
	})
}

// Fetches and epoch lookups are answered that the leader's epoch is fenced or unknown.
func TestScenario035FencedLeaderEpochs(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S5}, func(w *world) {
				n := w.start("a", working())
				ends := w.steady(300, map[int]func(){
					50: func() {
						w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "orders", Err: refusal, Count: 20})
						w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetForLeaderEpoch}, Topic: "orders", Err: refusal, Count: 5})
					},
					100: func() { w.c.Broker().ShufflePartitionLeaders() },
				})
				w.drained(2*time.Minute, ends)
				w.wantNoDuplicates()
				if got := count[observe.Gap](n); got != 0 {
					t.Errorf("told of %d gaps, and there is none", got)
				}
			})
		})
	}
}

// deletedAtFive is a member that has read the five records of orders, which is deleted then.
func (w *world) deletedAtFive(seen *tape) *node {
	w.t.Helper()
	sessionless := func(cfg *runtime.Config) { cfg.KafkaOptions = []kgo.Opt{kgo.DisableFetchSessions()} }
	n := w.startWith("a", sessionless, noted(seen), runtime.Topic{Name: "others", Behavior: handle(fine)})
	w.produce("orders", 0, "k", numbers(0, 5)...)
	w.produce("others", 0, "k", "v")
	w.drained(time.Minute, map[string][]int64{"orders": {5}, "others": {1}})
	w.deleteTopic("orders")
	w.observer.Removed(tp("orders", 0), 0, 5)
	return n
}

// produceAnew writes to the topic that was created again, which no check is told of.
func (w *world) produceAnew(n int) {
	w.t.Helper()
	client := w.c.Client(kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for range n {
		if err := client.ProduceSync(context.Background(), &kgo.Record{Topic: "orders", Key: []byte("k")}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// A topic is deleted and created again with the same name: the old line, which would hide
// the new records, is seen to be beyond the end, or its partition ends.
func TestScenario037ATopicIsCreatedAgain(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "others"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		n := w.deletedAtFive(&seen)
		time.Sleep(time.Minute)
		if err := w.c.Broker().CreateTopic("orders", 1, nil); err != nil {
			t.Fatal(err)
		}
		w.observer.Reset(tp("orders", 0), 0)
		time.Sleep(time.Minute)
		w.produceAnew(3)
		time.Sleep(10 * time.Minute)
		info := w.c.Broker().GroupInfo(group)
		line, held := info.Commits["orders"][0]
		again := len(seen.lines()) - 5
		if held && line.Offset != 5 && int(line.Offset) > again {
			t.Errorf("the line is %d and %d records of the new topic were delivered", line.Offset, again)
		}
		if again < 3 && len(find[observe.Gap](n)) == 0 && slices.Contains(n.owned(), "orders/0") {
			t.Errorf("%d of the new topic's records were delivered and nobody was told why", again)
		}
		w.topics = []string{"others"}
	})
}

// The same without a moment in between: the name is there all along, and only the id tells
// the topics apart. The new one is longer than the old line, so nothing of that is beyond its
// end, and what is below it would be passed.
func TestScenario037ATopicIsCreatedAgainAtOnce(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "others"}, []string{check.S1, check.S2}, func(w *world) {
		var seen tape
		n := w.deletedAtFive(&seen)
		if err := w.c.Broker().CreateTopic("orders", 1, nil); err != nil {
			t.Fatal(err)
		}
		w.produceAnew(8)
		time.Sleep(10 * time.Minute)
		if lost := find[observe.Lost](n); len(lost) != 1 || !errors.Is(lost[0].Cause, runtime.ErrTopicRecreated) {
			t.Errorf("lost %+v, want one partition, as its topic is another one", lost)
		}
		if line := w.c.Broker().GroupInfo(group).Commits["orders"][0].Offset; line > 5 || len(seen.lines()) != 5 {
			t.Errorf("the line is %d and %d records were delivered, want nothing of the new topic", line, len(seen.lines()))
		}
		w.topics = []string{"others"}
	})
}

// While commits fail, work goes on up to MaxAhead records past what is committed, and
// nothing is fenced; all of it is committed after.
func TestScenario040CommitsFailForTenMinutes(t *testing.T) {
	t.Parallel()
	const ahead = 300
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S14}, func(w *world) {
		orders := working()
		orders.Buffer.Records, orders.MaxAhead = 20, ahead
		n := w.start("a", orders)
		fault := w.commits(kerr.CoordinatorLoadInProgress, -1)
		begun := time.Now()
		for i := 0; time.Since(begun) < 10*time.Minute; i++ {
			for p := range int32(4) {
				w.produce("orders", p, fmt.Sprint("key-", i%13), "v")
			}
			time.Sleep(time.Second)
		}
		w.wantCommitted("orders", 0, 0)
		s := n.partition("orders", 0)
		if s.Next != ahead || s.Buffered != 0 || !slices.Equal(s.PauseReasons, []string{"ahead"}) || count[observe.Lost](n) != 0 {
			t.Errorf("the line is %d, %d records are buffered, paused for %v, %d partitions were lost; want work up to %d and a pause",
				s.Next, s.Buffered, s.PauseReasons, count[observe.Lost](n), ahead)
		}
		n.wantProbe("/livez", 200)
		fault.Remove()
		end := int64(w.produced / 4)
		w.drained(10*time.Second, map[string][]int64{"orders": {end, end, end, end}})
		w.wantNoDuplicates()
	})
}

// The answer of one commit is late; the next one does not overtake it.
func TestScenario041TheAnswerOfACommitIsLate(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4}, func(w *world) {
		w.start("a", working())
		late := 0 // the control runs on the broker's goroutine alone
		w.c.Broker().ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
			if late++; late > 3 {
				w.c.Broker().DropControl()
				return nil, nil, false
			}
			w.c.Broker().KeepControl()
			w.c.Broker().SleepControl(func() { time.Sleep(3 * time.Second) })
			w.hit("late answer")
			return nil, nil, false
		})
		ends := w.steady(1000, nil)
		w.drained(time.Minute, ends)
	})
}

// The coordinator is not available while a member starts: not ready, and alive.
func TestScenario043NoCoordinatorAtTheStart(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:4"}, []string{check.S1, check.S2}, func(w *world) {
				keys := []kmsg.Key{kmsg.JoinGroup, kmsg.FindCoordinator}
				var handles []*kfake.FaultHandle
				for _, key := range keys {
					handles = append(handles, w.inject(kfake.Fault{Keys: []kmsg.Key{key}, Group: group, TopLevel: key == kmsg.JoinGroup, Err: refusal, Count: -1}))
				}
				n := w.prepare("a", nil, working())
				healed := time.AfterFunc(30*time.Second, func() {
					for _, h := range handles {
						h.Remove()
					}
				})
				defer healed.Stop()
				rt, err := runtime.New(w.c.Config(n.cfg))
				if err != nil {
					t.Fatal(err)
				}
				n.rt = rt
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error, 1)
				go func() { done <- rt.Run(ctx) }()
				time.Sleep(25 * time.Second)
				n.wantProbe("/livez", 200)
				n.wantProbe("/readyz", 503)
				w.drained(2*time.Minute, w.steady(20, nil))
				n.wantProbe("/readyz", 200)
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The group may not be used any more: Run ends, and says so, at once.
func TestScenario045TheGroupIsForbidden(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2}, func(w *world) {
		a := w.start("a", working())
		w.steady(50, nil)
		var handles []*kfake.FaultHandle
		for _, key := range []kmsg.Key{kmsg.Heartbeat, kmsg.JoinGroup, kmsg.OffsetCommit} {
			handles = append(handles, w.inject(kfake.Fault{
				Keys: []kmsg.Key{key}, Group: group, TopLevel: key != kmsg.OffsetCommit, Err: kerr.GroupAuthorizationFailed, Count: -1,
			}))
		}
		begun := time.Now()
		err := a.run()
		if !errors.Is(err, kerr.GroupAuthorizationFailed) || time.Since(begun) > time.Minute {
			t.Errorf("Run returned %v after %v, want that the group is forbidden within a minute", err, time.Since(begun))
		}
		if hits := sum(w.counters.total()); hits > 200 {
			t.Errorf("the broker refused %d requests: a hot loop", hits)
		}
		for _, h := range handles {
			h.Remove()
		}
		w.heal(map[string][]int64{"orders": {50, 50, 50, 50}})
	})
}

// One of three topics may not be read any more; the others go on, and it too when it may
// be read again.
func TestScenario046ATopicIsForbidden(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "others", "third"}, []string{check.S1, check.S2}, func(w *world) {
		topics := []runtime.Topic{{Name: "orders", Behavior: handle(fine)}, {Name: "others", Behavior: handle(fine)}, {Name: "third", Behavior: handle(fine)}}
		n := w.start("a", topics...)
		for _, topic := range topics {
			w.produce(topic.Name, 0, "k", "v")
		}
		w.drained(time.Minute, map[string][]int64{"orders": {1}, "others": {1}, "third": {1}})
		info := w.c.Broker().TopicInfo("orders")
		fault := w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, TopicID: info.TopicID, Err: kerr.TopicAuthorizationFailed, Count: -1})
		for range 30 {
			for _, topic := range topics {
				w.produce(topic.Name, 0, "k", "v")
			}
			time.Sleep(time.Second)
		}
		w.drained(5*time.Second, map[string][]int64{"others": {31}, "third": {31}})
		if s := n.partition("orders", 0); s.Next > 2 {
			t.Errorf("the forbidden topic is at %d", s.Next)
		}
		n.wantProbe("/livez", 200)
		fault.Remove()
		w.drained(2*time.Minute, map[string][]int64{"orders": {31}})
	})
}
