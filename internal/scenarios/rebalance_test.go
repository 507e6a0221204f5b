//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
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

// steady produces to four partitions, a record each every 10 ms, while f runs.
func (w *world) steady(rounds int, at map[int]func()) map[string][]int64 {
	w.t.Helper()
	for i := range rounds {
		var recs []*actors.Record
		for p := range int32(4) {
			recs = append(recs, &actors.Record{Topic: "orders", Partition: p, Key: []byte(fmt.Sprint("key-", i%13))})
		}
		w.produceRecords(recs...)
		if f := at[i]; f != nil {
			f()
		}
		time.Sleep(10 * time.Millisecond)
	}
	n := int64(rounds)
	return map[string][]int64{"orders": {n, n, n, n}}
}

// working takes 25 ms for a record: with four lanes it keeps up.
func working() runtime.Topic {
	return runtime.Topic{
		Name: "orders", VirtualPartitions: lanes(4),
		Behavior: handle(func(ctx context.Context, _ *actors.Record) error {
			select {
			case <-time.After(25 * time.Millisecond):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}),
	}
}

var safety = []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S6, check.S7}

func TestMembersJoinAndLeave(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		a := w.start("a", working())
		var b *node
		ends := w.steady(200, map[int]func(){
			20: func() { b = w.start("b", working()) },
			90: func() {
				if _, err := b.stop(); err != nil {
					t.Errorf("b did not leave cleanly: %v", err)
				}
			},
			140: func() { w.start("c", working()) },
		})
		w.drained(time.Minute, ends)
		if got := count[observe.RevokeEnded](a); got == 0 {
			t.Error("nothing was revoked")
		}
	})
}

func TestPartitionsThatStayAreWorkedWhileOthersDrain(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S4, check.S7}, func(w *world) {
		var seen tape
		topic := runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if string(rec.Value) == "slow" {
					time.Sleep(6 * time.Second)
				}
				seen.add("%d:%s", rec.Partition, rec.Value)
				return nil
			}),
		}
		a := w.start("a", topic)
		for p := range int32(2) {
			w.produce("orders", p, laneKey(0, 2), "slow")
		}
		w.start("b", topic)
		for len(find[observe.RevokeBegan](a)) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		revoked := find[observe.RevokeBegan](a)[0].TP.Partition
		kept := 1 - revoked
		w.produce("orders", kept, laneKey(1, 2), "kept")
		// kgo gives up the fetch that is under way when an assignment changes. If the next
		// one meets the connection that closes for it, it waits 250 ms, give or take 20%.
		time.Sleep(300 * time.Millisecond)
		w.c.Settle()
		if got := seen.lines(); len(got) == 0 || got[len(got)-1] != fmt.Sprintf("%d:kept", kept) {
			t.Errorf("while %d drained the kept partition saw %v", revoked, got)
		}
		if len(find[observe.RevokeEnded](a)) != 0 {
			t.Fatal("the drain is over already: nothing was shown")
		}
		w.drained(time.Minute, map[string][]int64{"orders": {1 + int64(revoked), 2 - int64(revoked)}})
	})
}

func TestAKilledMembersWorkIsTakenOver(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S6}, func(w *world) {
		w.start("a", working())
		b := w.start("b", working())
		time.Sleep(10 * time.Second)
		if len(b.owned()) != 2 {
			t.Fatalf("b has %v, want two partitions", b.owned())
		}
		ends := w.steady(100, map[int]func(){50: b.kill})
		w.drained(2*time.Minute, ends)
	})
}

// A frozen member's session runs out: another one takes over, and the thawed one starts
// nothing of what it had, and its commits change nothing.
func TestScenario009AFrozenMemberStartsNothing(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		w.start("a", working())
		b := w.start("b", working())
		time.Sleep(10 * time.Second)
		ends := w.steady(100, map[int]func(){50: func() { b.freeze(2 * sessionFor) }})
		time.Sleep(2*sessionFor + 10*time.Second)
		w.drained(2*time.Minute, ends)
		lost := find[observe.Lost](b)
		if len(lost) != 2 {
			t.Fatalf("b lost %v, want its two partitions", lost)
		}
		if len(b.owned()) == 0 {
			t.Error("b did not come back")
		}
	})
}

// The group drops a member while it joins: kgo joins again as another one, without a word
// (A1).
func TestAMemberThrownOutWithoutBeingToldNeitherRewindsNorStarts(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		a := w.start("a", working())
		ends := w.steady(150, map[int]func(){50: func() {
			first := w.c.Broker().GroupInfo(group).Members[0].MemberID
			thrown := w.c.Broker().Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.JoinGroup}, Group: group, TopLevel: true, Err: kerr.UnknownMemberID,
				When: func(req kmsg.Request) bool {
					join, ok := req.(*kmsg.JoinGroupRequest)
					return ok && join.MemberID == first
				},
			})
			w.start("b", working())
			time.Sleep(2 * heartbeatFor)
			if thrown.Hits() == 0 {
				t.Error("nobody was thrown out: nothing was shown")
			}
		}})
		w.drained(2*time.Minute, ends)
		// kgo lets go of the partitions that the others get before it says who it is now.
		if lost, revoked := count[observe.Lost](a), count[observe.RevokeEnded](a); lost == 0 || lost+revoked < 4 {
			t.Errorf("a lost %d partitions and had %d revoked, want its four", lost, revoked)
		}
		if count[observe.Rejoined](a) != 1 {
			t.Errorf("a joined anew %d times, want once", count[observe.Rejoined](a))
		}
	})
}

// expel takes a member, the only one, out of its group behind its back.
func (w *world) expel() {
	w.t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = w.c.Broker().GroupInfo(group).Members[0].MemberID
	req.Members = append(req.Members, m)
	if resp, err := req.RequestWith(context.Background(), w.c.Client()); err != nil || resp.Members[0].ErrorCode != 0 {
		w.t.Errorf("expel: %+v, %v", resp, err)
	}
}

func TestAMemberThatIsExpelledLosesEverythingAndComesBack(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		a := w.start("a", working())
		ends := w.steady(100, map[int]func(){50: func() { w.expel() }})
		w.drained(2*time.Minute, ends)
		if got := count[observe.Lost](a); got != 4 {
			t.Errorf("a lost %d partitions, want its four", got)
		}
	})
}

func TestScenario013AStaticMemberRestarts(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S9, check.S14}, func(w *world) {
		static := func(id string) func(*runtime.Config) { return func(cfg *runtime.Config) { cfg.InstanceID = id } }
		a := w.startWith("a", static("one"), working())
		b := w.startWith("b", static("two"), working())
		time.Sleep(10 * time.Second)
		revoked := count[observe.RevokeEnded](a)
		ends := w.steady(100, map[int]func(){50: func() {
			if _, err := b.stop(); err != nil {
				t.Errorf("b: %v", err)
			}
			w.startWith("b", static("two"), working())
		}})
		w.drained(time.Minute, ends)
		if got := count[observe.RevokeEnded](a); got != revoked {
			t.Errorf("a was revoked %d partitions by b's restart", got-revoked)
		}
	})
}

func TestScenario014TwoMembersWithOneInstanceID(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S4, check.S9}, func(w *world) {
		same := func(cfg *runtime.Config) { cfg.InstanceID = "one" }
		a := w.startWith("a", same, working())
		w.startWith("b", same, working())
		ends := w.steady(50, nil)
		if err := a.run(); !errors.Is(err, runtime.ErrFencedInstance) {
			t.Errorf("Run of a returned %v, want %v", err, runtime.ErrFencedInstance)
		}
		w.drained(time.Minute, ends)
	})
}
