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
// A member that is silent is taken out: kfake watches no session while a member waits in
// a join, nor when the join's answer finds its connection closed.
//
// A rebalance ends in time: kfake begins the wait for its members anew with each join,
// and waits for one too many once a member left while it waited for its assignment. So
// when a rebalance takes too long, joins are put off until the wait is over.
type coordinator struct {
	w     *world
	since time.Time          // since when the group waits for joins; zero: it does not
	block *kfake.FaultHandle // keeps joins from the group; nil: none

	mu   sync.Mutex
	last map[string]time.Time // guarded by mu: when something of a member came, by its id
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
		req := kmsg.NewPtrLeaveGroupRequest()
		req.Group = group
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id
		req.Members = append(req.Members, m)
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.w.plan.Group.Session))
		_, _ = req.RequestWith(ctx, cl) // in the next second again
		cancel()
	}
}
