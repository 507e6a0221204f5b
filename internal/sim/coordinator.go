package sim

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinator does what a group's coordinator does and kfake's does not. Without it a
// group whose members are killed or cut off in a rebalance stands still for ever.
//
// A member that is silent is taken out: kfake watches no session while a new member waits
// in a join, nor when the join's answer finds its connection closed.
//
// A member that joins again does not lose its session while it waits for the others, which
// kfake lets go on (K16), unless the member's own heartbeats come, which a fault may hold
// up. Heartbeats in its name keep the session; faults pass them by.
//
// A rebalance ends in time: kfake begins the wait for its members anew with each join,
// and waits for one too many once a member left while it waited for its assignment. So
// when a rebalance takes too long, joins are put off until the wait is over.
type coordinator struct {
	w     *world
	since time.Time          // since when the group waits for joins; zero: it does not
	block *kfake.FaultHandle // keeps joins from the group; nil: none

	mu    sync.Mutex
	last  map[string]time.Time // guarded by mu: when something of a member came, by its id
	waits map[string]int32     // guarded by mu: members that wait in a join, and the generation that it ends; noGeneration: not known yet
}

// noGeneration is none of a group.
const noGeneration = -1

// joins says that a member waits in a join from now on, or that it was answered.
func (c *coordinator) joins(member string, waits bool) {
	if member == "" { // it has no session yet
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if waits {
		c.waits[member] = noGeneration
	} else {
		delete(c.waits, member)
	}
}

// waiting are the members that wait in a join for the end of the present generation.
func (c *coordinator) waiting(info *kfake.GroupInfo) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for id, generation := range c.waits {
		switch generation {
		case noGeneration:
			c.waits[id] = info.Epoch
		case info.Epoch:
		default: // the answer found its connection closed
			delete(c.waits, id)
			continue
		}
		if info.State == "PreparingRebalance" {
			ids = append(ids, id)
		}
	}
	return ids
}

// keepTag marks heartbeats that are not a member's own.
const keepTag = 4711

// kept reports whether a request is a heartbeat of keep.
func kept(req kmsg.Request) bool {
	own := false
	if beat, ok := req.(*kmsg.HeartbeatRequest); ok {
		beat.UnknownTags.Each(func(tag uint32, _ []byte) { own = own || tag == keepTag })
	}
	return own
}

// keep keeps the sessions of members.
func (c *coordinator) keep(cl *kgo.Client, generation int32, ids []string) {
	for _, id := range ids {
		req := kmsg.NewPtrHeartbeatRequest()
		req.Group, req.MemberID, req.Generation = group, id, generation
		req.UnknownTags.Set(keepTag, nil)
		_, _ = c.ask(cl, req) // there is another one in the next second
	}
}

// ask sends a request. It looks for the group's broker by itself: faults of FindCoordinator
// are for members.
func (c *coordinator) ask(cl *kgo.Client, req kmsg.Request) (kmsg.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.w.plan.Group.Session))
	defer cancel()
	return cl.Broker(int(c.w.kafka.CoordinatorFor(group))).Request(ctx, req)
}

// heard says that something of a member came.
func (c *coordinator) heard(member string) {
	if member == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last[member] = time.Now()
}

// run looks after the group until over is closed.
func (c *coordinator) run(over <-chan struct{}) {
	cl := c.w.client()
	if cl == nil {
		return
	}
	defer cl.Close()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-over:
			return
		case <-ticker.C:
		}
		if info := c.w.kafka.GroupInfo(group); info != nil {
			c.hurry(info)
			c.keep(cl, info.Epoch, c.waiting(info))
			c.expel(cl, c.silent(info))
		}
	}
}

// hurry ends a rebalance that takes too long.
func (c *coordinator) hurry(info *kfake.GroupInfo) {
	switch {
	case info.State != "PreparingRebalance":
		c.since = time.Time{}
		if c.block != nil {
			c.block.Remove()
			c.block = nil
		}
	case c.since.IsZero():
		c.since = time.Now()
	case c.block == nil && time.Since(c.since) > 2*time.Duration(c.w.plan.Group.Rebalance):
		c.block = c.w.kafka.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.JoinGroup}, Group: group, TopLevel: true, Err: kerr.CoordinatorLoadInProgress, Count: -1,
		})
	}
}

// silent are the members that have been so for a session and a rebalance.
func (c *coordinator) silent(info *kfake.GroupInfo) []string {
	g := &c.w.plan.Group
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for i := range info.Members {
		id := info.Members[i].MemberID
		switch at, ok := c.last[id]; {
		case !ok: // its request was not seen: from now on
			c.last[id] = time.Now()
		case time.Since(at) > time.Duration(g.Session+g.Rebalance):
			ids = append(ids, id)
		}
	}
	return ids
}

func (c *coordinator) expel(cl *kgo.Client, ids []string) {
	for _, id := range ids {
		_, _ = c.ask(cl, leaving(id)) // there is another one in the next second
	}
}

// leaving takes a member out of the group.
func leaving(id string) *kmsg.LeaveGroupRequest {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	m := kmsg.NewLeaveGroupRequestMember()
	m.MemberID = id
	req.Members = append(req.Members, m)
	return req
}
