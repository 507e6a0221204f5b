//go:build synctests

package scenarios

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime/observe"
)

// commits answers the group's next n commits with an error.
func (w *world) commits(err *kerr.Error, n int) *kfake.FaultHandle {
	return w.c.Broker().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: group, Err: err, Count: n})
}

// The group has forgotten this member: everything is lost on the first such answer, no
// old line is sent under a new generation, and the client is rebuilt (A1).
func TestACommitThatTheGroupRefusesFencesEverything(t *testing.T) {
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

// The line is kept, and sent again while the partition is still ours.
func TestACommitThatIsNotTakenIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{
		kerr.RebalanceInProgress, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.RequestTimedOut,
	} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5}, func(w *world) {
				a := w.start("a", working())
				var fault *kfake.FaultHandle
				ends := w.steady(100, map[int]func(){50: func() { fault = w.commits(refusal, 3) }})
				w.drained(time.Minute, ends)
				time.Sleep(3 * commitEvery) // the broker may have it by now and have said otherwise
				if fault.Hits() != 3 || count[observe.Lost](a) != 0 {
					t.Errorf("%d refusals, %d lost; want 3 and none", fault.Hits(), count[observe.Lost](a))
				}
			})
		})
	}
}

// The broker may have stored a commit whose answer never came.
func TestACommitWhoseAnswerIsLostIsSentAgain(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5}, func(w *world) {
		a := w.start("a", working())
		var lost atomic.Int64
		ends := w.steady(100, map[int]func(){50: func() {
			w.c.Broker().ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
				if lost.Add(1) > 3 {
					w.c.Broker().DropControl()
					return nil, nil, false
				}
				w.c.Broker().KeepControl()
				return nil, errors.New("the connection is cut"), true
			})
		}})
		w.drained(time.Minute, ends)
		if lost.Load() == 0 || count[observe.Lost](a) != 0 {
			t.Errorf("%d commits were lost and %d partitions; want some and none", lost.Load(), count[observe.Lost](a))
		}
	})
}

func TestTheCoordinatorMoves(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, []string{check.S1, check.S2, check.S3, check.S4, check.S5}, func(w *world) {
		w.start("a", working())
		broker := w.c.Broker()
		leaders := func() [4]int32 {
			var all [4]int32
			for p := range all {
				all[p] = broker.LeaderFor("orders", int32(p))
			}
			return all
		}
		move := func() { // at random, so until it has
			coordinator, led := broker.CoordinatorFor(group), leaders()
			for try := 0; broker.CoordinatorFor(group) == coordinator; try++ {
				if try == 100 {
					t.Fatalf("the coordinator stays at %d", coordinator)
				}
				broker.RehashCoordinators()
			}
			for leaders() == led {
				broker.ShufflePartitionLeaders()
			}
		}
		ends := w.steady(150, map[int]func(){30: move, 60: move, 90: move})
		w.drained(2*time.Minute, ends)
	})
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
