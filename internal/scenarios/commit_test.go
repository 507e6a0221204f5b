//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// commits answers the group's next n commits with an error.
func (w *world) commits(err *kerr.Error, n int) *kfake.FaultHandle {
	return w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: group, Err: err, Count: n})
}

// The group has forgotten this member: everything is lost on the first such answer, no
// old line is sent under a new generation, and the client is rebuilt (A1).
func TestScenario007ACommitThatTheGroupRefuses(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.IllegalGeneration, kerr.UnknownMemberID} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:4"}, safety, func(w *world) {
				a := w.start("a", working())
				var fault *kfake.FaultHandle
				ends := w.steady(100, map[int]func(){50: func() { fault = w.commits(refusal, 1) }})
				w.drained(2*time.Minute, ends)
				if fault.Hits() != 1 || count[observe.Lost](a) != 4 || count[observe.Rejoined](a) != 1 {
					t.Errorf("%d refusals, %d lost, %d rejoins; want 1, 4 and 1", fault.Hits(), count[observe.Lost](a), count[observe.Rejoined](a))
				}
			})
		})
	}
}

// The group does not know this member's instance any more: Run ends with its own error.
func TestScenario007ACommitOfAFencedInstance(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4}, func(w *world) {
		a := w.startWith("a", func(cfg *runtime.Config) { cfg.InstanceID = "one" }, working())
		w.steady(50, map[int]func(){30: func() { w.commits(kerr.FencedInstanceID, 1) }})
		if err := a.run(); !errors.Is(err, runtime.ErrFencedInstance) {
			t.Errorf("Run returned %v, want %v", err, runtime.ErrFencedInstance)
		}
		w.startWith("b", func(cfg *runtime.Config) { cfg.InstanceID = "one" }, working())
		w.drained(time.Minute, map[string][]int64{"orders": {50, 50, 50, 50}})
	})
}

// The line is kept, and sent again while the partition is still ours.
func TestScenario008ACommitDuringARebalance(t *testing.T) {
	t.Parallel()
	commitIsSentAgain(t, kerr.RebalanceInProgress)
}

func TestACommitThatIsNotTakenIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			commitIsSentAgain(t, refusal)
		})
	}
}

func commitIsSentAgain(t *testing.T, refusal *kerr.Error) {
	t.Helper()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5}, func(w *world) {
		a := w.start("a", working())
		var fault *kfake.FaultHandle
		ends := w.steady(100, map[int]func(){50: func() { fault = w.commits(refusal, -1) }})
		// No record comes any more that would move the line: the very commit is sent again.
		time.Sleep(3 * commitEvery)
		if n := a.partition("orders", 0).Next; n != 100 || fault.Hits() == 0 {
			t.Errorf("the line is %d after %d refusals, want 100 and some", n, fault.Hits())
		}
		fault.Remove()
		w.drained(time.Minute, ends)
		if got := count[observe.Lost](a); got != 0 {
			t.Errorf("%d partitions were lost", got)
		}
	})
}

// The broker has stored a commit, and its answer never comes: the same line is sent again.
func TestScenario039TheAnswerOfACommitIsLost(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S14}, func(w *world) {
		a := w.start("a", working())
		var s storedAndCut
		ends := w.steady(100, map[int]func(){50: func() { s.inject(w) }})
		time.Sleep(3 * commitFor) // kgo gives up with the commit timeout, and the outcome is not known
		s.over.Store(true)
		w.drained(time.Minute, ends)
		time.Sleep(2 * commitFor) // now the last line is acknowledged as well
		unknown := map[int32]int64{}
		for _, c := range find[observe.CommitAnswered](a) {
			switch {
			case c.Outcome == observe.Unknown:
				unknown[c.TP.Partition] = c.Next
			case unknown[c.TP.Partition] <= c.Next:
				delete(unknown, c.TP.Partition)
			}
		}
		if count[observe.Lost](a) != 0 || len(unknown) > 0 || s.again.Load() == 0 || s.unknown(a) == 0 {
			t.Errorf("%d times the same line came again, %d outcomes were unknown, of which these were not sent again: %v; %d partitions were lost",
				s.again.Load(), s.unknown(a), unknown, count[observe.Lost](a))
		}
	})
}

// storedAndCut stores commits and cuts the connection instead of answering.
type storedAndCut struct {
	inner atomic.Bool // the request under way is the one that stores
	over  atomic.Bool // answers pass again
	again atomic.Int64
	last  map[int32]int64 // the broker's goroutine's: what was stored last, and not answered
}

// unknown is how many commits a member was not answered, for all that its client tried.
func (*storedAndCut) unknown(n *node) int {
	unknown := 0
	for _, c := range find[observe.CommitAnswered](n) {
		if c.Outcome == observe.Unknown {
			unknown++
		}
	}
	return unknown
}

func (s *storedAndCut) inject(w *world) {
	broker, client := w.c.Broker(), w.c.Client()
	broker.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		commit, ok := req.(*kmsg.OffsetCommitRequest)
		if !ok || s.inner.Load() {
			return nil, nil, false
		}
		s.repeats(commit)
		if s.over.Load() {
			return nil, nil, false
		}
		stored := false
		broker.SleepControl(func() {
			s.inner.Store(true)
			defer s.inner.Store(false)
			resp, err := commit.RequestWith(context.Background(), client)
			stored = err == nil && resp.Topics[0].Partitions[0].ErrorCode == 0
		})
		if !stored {
			return nil, nil, false
		}
		w.hit("stored, and the answer cut")
		return nil, errors.New("the connection is cut"), true
	})
}

// repeats counts a commit that has the line whose answer was cut.
func (s *storedAndCut) repeats(commit *kmsg.OffsetCommitRequest) {
	lines, same := map[int32]int64{}, false
	for i := range commit.Topics {
		for _, p := range commit.Topics[i].Partitions {
			before, sent := s.last[p.Partition]
			lines[p.Partition], same = p.Offset, same || sent && before == p.Offset
		}
	}
	if same {
		s.again.Add(1)
	}
	s.last = lines
}

// The coordinator moves, and a leader with it, every two seconds: nothing is revoked, and
// nothing is repeated.
func TestScenario042TheCoordinatorMoves(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5}, func(w *world) {
		a := w.start("a", working())
		moves := map[int]func(){}
		for i := 100; i < 2000; i += 200 {
			moves[i] = w.move
		}
		ends := w.steady(2000, moves)
		w.drained(2*time.Minute, ends)
		if got := count[observe.RevokeEnded](a) + count[observe.Lost](a); got != 0 {
			t.Errorf("a lost %d partitions to moves", got)
		}
		w.wantNoDuplicates()
	})
}

// move gives the group another coordinator and the partitions other leaders: the broker
// chooses at random, so until it has.
func (w *world) move() {
	w.t.Helper()
	broker := w.c.Broker()
	leaders := func() [4]int32 {
		var all [4]int32
		for p := range all {
			all[p] = broker.LeaderFor("orders", int32(p))
		}
		return all
	}
	coordinator, led := broker.CoordinatorFor(group), leaders()
	for try := 0; broker.CoordinatorFor(group) == coordinator; try++ {
		if try == 100 {
			w.t.Fatalf("the coordinator stays at %d", coordinator)
		}
		broker.RehashCoordinators()
	}
	w.hit("coordinator moved")
	for leaders() == led {
		broker.ShufflePartitionLeaders()
	}
	w.hit("leaders moved")
}

// A stop tries its last commit again while there is time.
func TestALastCommitIsTriedAgainAtTheStop(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S4}, func(w *world) {
		a := w.start("a", working())
		w.steady(20, nil)
		time.Sleep(time.Second)
		w.steady(20, nil)
		fault := w.commits(kerr.RebalanceInProgress, 3)
		if _, err := a.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
		if fault.Hits() == 0 {
			t.Error("no commit was refused: nothing was shown")
		}
		w.heal(map[string][]int64{"orders": {40, 40, 40, 40}})
	})
}
