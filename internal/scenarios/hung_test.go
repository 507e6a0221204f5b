//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// deaf ignores its context on records with the value "hang", until open is closed.
func (w *world) deaf(open <-chan struct{}, seen *tape, rec *actors.Record) error {
	seen.add("%d/%d", rec.Offset, rec.Attempt)
	if string(rec.Value) == "hang" && rec.Attempt == 1 {
		w.hit("hang")
		<-open
	}
	return nil
}

func TestScenario081ACallNeverReturns(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5, check.S6, check.S14, check.S16}, func(w *world) {
		open := make(chan struct{})
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2), Timeout: 5 * time.Second,
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { return w.deaf(open, &seen, rec) }),
		})
		w.produce("orders", 0, laneKey(0, 2), "hang", "behind")
		time.Sleep(5*time.Second - time.Nanosecond)
		w.c.Settle()
		if got := count[observe.Quarantined](n); got != 0 {
			t.Errorf("quarantined before its time")
		}
		time.Sleep(time.Nanosecond)
		w.c.Settle()
		q := find[observe.Quarantined](n)
		if len(q) != 1 || !errors.Is(q[0].Cause, actors.ErrTimeout) || q[0].Offset != 0 {
			t.Fatalf("quarantined: %+v, want offset 0 for its timeout", q)
		}
		w.produce("orders", 0, laneKey(1, 2), "fine", "fine")
		time.Sleep(time.Minute)
		seen.want(t, "0/1", "2/1", "3/1")
		if s := n.partition("orders", 0); s.Quarantined != 1 || s.Next != 0 || s.Lanes[0].State != "quarantined" {
			t.Errorf("stats: %+v, want lane 0 quarantined at 0", s)
		}
		close(open)
		time.Sleep(commitEvery)
		w.c.Settle()
		seen.want(t, "0/1", "2/1", "3/1", "0/2", "1/1") // the late result was dropped: it runs again
		if len(find[observe.Freed](n)) != 1 {
			t.Error("nobody was told that the lane is free")
		}
		w.wantCommitted("orders", 0, 4)
	})
}

func TestScenario002ARevokeWhileEveryLaneHangs(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:2"}, []string{check.S1, check.S2, check.S4, check.S7}, func(w *world) {
		open := make(chan struct{})
		var seen tape
		topic := runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				if string(rec.Value) == "hang" && len(seen.lines()) < 4 {
					seen.add("hangs")
					w.hit("hang")
					<-open
					return errors.New("late")
				}
				return nil
			}),
		}
		a := w.start("a", topic)
		for p := range int32(2) { // every lane
			for lane := range 2 {
				w.produce("orders", p, laneKey(lane, 2), "hang", "behind")
			}
		}
		w.c.Settle()
		b := w.start("b", topic)
		time.Sleep(2*heartbeatFor + drainFor + commitFor)
		w.c.Settle()
		if len(a.owned()) != 1 || len(b.owned()) != 1 {
			t.Fatalf("a has %v and b %v, want one each", a.owned(), b.owned())
		}
		began, ended := find[observe.RevokeBegan](a), find[observe.RevokeEnded](a)
		if len(began) != 1 || len(ended) != 1 || ended[0].Drained {
			t.Errorf("revokes: %+v %+v, want one that did not drain", began, ended)
		}
		if took := a.between(began[0], ended[0]); took < drainFor || took > drainFor+time.Second {
			t.Errorf("the revoke took %v, want the %v of the drain", took, drainFor)
		}
		close(open)
		w.drained(20*time.Second, map[string][]int64{"orders": {4, 4}})
	})
}

// between is how long after the event x the event y came.
func (n *node) between(x, y observe.Event) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	at := func(ev observe.Event) time.Time {
		return n.events[slices.IndexFunc(n.events, func(e timed) bool { return e.ev == ev })].at
	}
	return at(y).Sub(at(x))
}

func TestShutdownGivesUpOnAHungCallWithinItsBudget(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S2}, func(w *world) {
		open := make(chan struct{})
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { return w.deaf(open, &seen, rec) }),
		})
		w.produce("orders", 0, laneKey(1, 2), "fine")
		w.c.Settle() // two lanes write to one tape
		w.produce("orders", 0, laneKey(0, 2), "hang", "behind")
		w.c.Settle()
		took, err := n.stop()
		if !errors.Is(err, runtime.ErrNotDrained) || !strings.Contains(err.Error(), "orders/0/0") {
			t.Errorf("Run returned %v, want that orders/0/0 was not drained", err)
		}
		if took != shutdownFor-commitFor-time.Second {
			t.Errorf("the shutdown took %v, want the 19s of the drain", took)
		}
		w.wantCommitted("orders", 0, 1)
		close(open)
		w.c.Settle()
		seen.want(t, "0/1", "1/1") // nothing began behind the late call
		var again tape
		w.start("b", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error { again.add("%d", rec.Offset); return nil }),
		})
		time.Sleep(commitEvery)
		w.wantCommitted("orders", 0, 3)
		again.want(t, "1", "2")
	})
}

func TestScenario004ALateCallHoldsItsLane(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S6, check.S7}, func(w *world) {
		open := make(chan struct{})
		var seen tape
		n := w.start("a", runtime.Topic{
			Name: "orders", VirtualPartitions: lanes(2),
			Behavior: handle(func(_ context.Context, rec *actors.Record) error {
				seen.add("%d", rec.Offset)
				if len(seen.lines()) == 1 {
					w.hit("hang")
					<-open
				}
				return nil
			}),
		})
		w.produce("orders", 0, laneKey(0, 2), "hang")
		w.c.Settle()
		w.c.Rebalance() // revoked, and given back
		w.produce("orders", 0, laneKey(1, 2), "fine")
		time.Sleep(commitEvery)
		w.c.Settle()
		seen.want(t, "0", "1") // the lane of the late call is closed, the other is not
		if s := n.partition("orders", 0); s.Quarantined != 1 {
			t.Errorf("%d lanes are quarantined, want 1", s.Quarantined)
		}
		close(open)
		time.Sleep(commitEvery)
		w.wantCommitted("orders", 0, 2)
		seen.want(t, "0", "1", "0")
	})
}
