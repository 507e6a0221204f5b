package sim

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// expel takes a member out of its group, as an admin can. Without a Lag it hears so from
// its next request. It is not done in a rebalance: kfake leaves the join of a member that
// it takes out without an answer.
//
// With a Lag the member is told to join again, and is taken out while its join is under way,
// which takes so long that others get its partitions. What kgo does then is to join as
// another member, and to say nothing (A1).
func (n *nemesis) expel(f *injected, node *node) {
	id, ok := node.memberID.Load().(string)
	if !ok {
		return
	}
	if f.Lag == 0 {
		if info := n.w.kafka.GroupInfo(group); info != nil && info.State == "Stable" {
			n.takeOut(f, id)
		}
		return
	}
	var taken atomic.Bool
	over := make(chan struct{})
	again := n.w.kafka.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Heartbeat}, Group: group, TopLevel: true, Err: kerr.RebalanceInProgress, Count: 2, // kgo's heartbeat, and the member's own
		When: func(req kmsg.Request) bool {
			beat, ok := req.(*kmsg.HeartbeatRequest)
			return ok && beat.MemberID == id && members(req)
		},
	})
	n.w.kafka.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if taken.Load() || isClosed(over) {
			n.w.kafka.DropControl()
			return nil, nil, false
		}
		if join, ok := req.(*kmsg.JoinGroupRequest); ok && join.MemberID == id && n.sleeping.CompareAndSwap(false, true) {
			taken.Store(true)
			n.takeOut(f, id)
			n.w.kafka.SleepControl(func() { sleep(time.Duration(f.Lag), over) })
			n.rested.Store(time.Now().UnixNano())
			n.sleeping.Store(false)
		}
		return nil, nil, false
	})
	f.end = func() {
		close(over)
		again.Remove()
	}
}

// sleep sleeps until over is closed.
func sleep(d time.Duration, over <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-over:
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// takeOut lets an admin remove a member. Where no answer comes it may have been done.
func (n *nemesis) takeOut(f *injected, id string) {
	n.w.background.Go(func() {
		cl := n.w.client()
		if cl == nil {
			return
		}
		defer cl.Close()
		asked := n.w.observer.Expelling(f.of)
		resp, err := n.w.coordinator.ask(cl, leaving(id))
		leave, ok := resp.(*kmsg.LeaveGroupResponse)
		answered := err == nil && ok
		done := answered && leave.ErrorCode == 0 && (len(leave.Members) != 1 || leave.Members[0].ErrorCode == 0)
		if answered {
			n.w.observer.Expelled(f.of, asked, done)
		}
		if !answered || done {
			f.hits.Add(1)
		}
	})
}
