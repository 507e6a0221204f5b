package runtimetest

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/link"
	"github.com/troupe-go/troupe/runtime"
)

// Rebalance takes every partition away from the members of the group of the runtime that
// was started last, as when members come and go, and returns when they have been given
// out anew. It takes a few seconds of the bubble's time: members hear of it with their
// next heartbeat, and drain.
func (c *Cluster) Rebalance() {
	c.tb.Helper()
	if len(c.members) == 0 {
		c.tb.Fatal("runtimetest: Rebalance is of the group of a runtime, and none was started")
	}
	group := c.members[len(c.members)-1].group
	taken, given := make(chan struct{}), make(chan struct{})
	// Each member is told to join again, and the leader's first assignment is emptied:
	// cooperative members let go of all they have and join once more.
	told := c.kafka.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Heartbeat}, Group: group, TopLevel: true, Err: kerr.RebalanceInProgress, Count: -1,
	})
	defer told.Remove()
	c.kafka.ControlKey(int16(kmsg.SyncGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		sync, ok := req.(*kmsg.SyncGroupRequest)
		if !ok || sync.Group != group || len(sync.GroupAssignment) == 0 {
			c.kafka.KeepControl()
			return nil, nil, false
		}
		select {
		case <-taken:
			close(given)
			c.kafka.DropControl()
		default:
			none := kmsg.NewConsumerMemberAssignment()
			for i := range sync.GroupAssignment {
				sync.GroupAssignment[i].MemberAssignment = none.AppendTo(nil)
			}
			close(taken)
			c.kafka.KeepControl()
		}
		return nil, nil, false
	})
	c.await("every partition to be taken away", taken)
	told.Remove()
	c.await("the partitions to be given out", given)
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	if _, err := c.kafka.WaitGroupStable(ctx, group, -1); err != nil {
		c.tb.Fatalf("runtimetest: the group is not stable after a rebalance: %v", err)
	}
	c.Settle()
}

func (c *Cluster) await(what string, done <-chan struct{}) {
	c.tb.Helper()
	timer := time.NewTimer(askFor)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		c.tb.Fatalf("runtimetest: waited %v for %s", askFor, what)
	}
}

// Kill ends the runtime as a SIGKILL would, as far as others can tell: its connections
// are cut at this instant, nothing that it does from now on reaches a broker, and no call
// of a behavior begins any more. The group takes its partitions back when the session
// times out. A call that is under way goes on; let it end by itself. Any goroutine may
// call it, one of the runtime's own as well.
func (c *Cluster) Kill(rt *runtime.Runtime) {
	c.tb.Helper()
	c.member(rt).link.Kill()
}

// Freeze holds up everything between the runtime and the brokers for d of the bubble's
// time, in both directions, as for a process that stands still; then what was held up
// goes on. It does not wait for that. The runtime's own goroutines and clock run on.
func (c *Cluster) Freeze(rt *runtime.Runtime, d time.Duration) {
	c.tb.Helper()
	release := c.member(rt).link.Hold()
	timer := time.AfterFunc(d, release)
	c.tb.Cleanup(func() {
		timer.Stop()
		release()
	})
}

// mortal makes behaviors whose calls do not begin once their process was killed.
func mortal(l *link.Link, f actors.Factory) actors.Factory {
	return func(vp actors.VirtualPartition) actors.Behavior {
		if b := f(vp); b != nil {
			return &mortalBehavior{b, l}
		}
		return nil
	}
}

type mortalBehavior struct {
	actors.Behavior

	link *link.Link
}

// Receive is the behavior's, while its process lives.
func (b *mortalBehavior) Receive(ctx context.Context, rec *actors.Record) error {
	if b.link.Killed() {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return b.Behavior.Receive(ctx, rec)
}

// Start is the behavior's, if it has one.
func (b *mortalBehavior) Start(ctx context.Context, vp actors.VirtualPartition) error {
	s, ok := b.Behavior.(actors.Starter)
	switch {
	case b.link.Killed():
		<-ctx.Done()
		return context.Cause(ctx)
	case ok:
		return s.Start(ctx, vp)
	}
	return nil
}

// Stop is the behavior's, if it has one.
func (b *mortalBehavior) Stop(ctx context.Context, cause error) error {
	if s, ok := b.Behavior.(actors.Stopper); ok && !b.link.Killed() {
		return s.Stop(ctx, cause)
	}
	return nil
}
