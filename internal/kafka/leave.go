package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/failpoint"
)

// Leave leaves the group, in a classic one by a raw request, which waits for no join that is
// pending, of this member or another, and then ends Run as Stop does. The caller has drained,
// committed and fenced: from the call on the handler hears nothing more. A static
// member leaves only with Options.LeaveOnShutdown; otherwise Leave is Stop, but for a
// word to the group under the protocol Consumer, see [member.farewell].
//
// It returns ctx's error, or the group's refusal; the client is stopped all the same.
func (c *Client) Leave(ctx context.Context) error {
	defer c.Stop()
	m := c.member()
	if m == nil {
		return nil
	}
	m.quiet(errStopped, false)
	id, _ := m.cl.GroupMetadata()
	stays := c.opts.InstanceID != "" && !c.opts.LeaveOnShutdown
	if id == "" || (stays && c.opts.Protocol == Classic) {
		return nil
	}
	// kgo does not look at ctx while the request waits behind another one, whose connection
	// is being opened say.
	left := make(chan error, 1)
	if err := c.steps.Hit(failpoint.Leave); err != nil {
		return fmt.Errorf("leave group: %w", err)
	}
	go func() { left <- m.farewell(ctx, id, stays) }() // ends with the kgo client at the latest
	select {
	case err := <-left:
		return err
	case <-ctx.Done():
		return fmt.Errorf("leave group: %w", context.Cause(ctx))
	}
}

// farewell leaves for good. Under KIP-848 kgo has to know: a heartbeat of its own behind the
// member's last one is refused, and kgo would join anew at once, as nobody that is there.
//
// kgo leaves without the instance id, which the group refuses a static member
// (INVALID_REQUEST). For one, all that counts of it is that kgo's heartbeats have ended.
func (m *member) farewell(ctx context.Context, id string, stays bool) error {
	if m.c.opts.Protocol == Classic {
		return m.leave(ctx, m.cl, id, stays)
	}
	err := m.cl.LeaveGroupContext(ctx)
	if m.c.opts.InstanceID != "" && ctx.Err() == nil {
		return m.leave(ctx, m.cl, id, stays)
	}
	if err != nil {
		return fmt.Errorf("leave group: %w", typed(err))
	}
	return nil
}

// leave takes a member out of the group. One that is out already is fine. A static member
// that stays away for a while is not taken out, but may be replaced.
func (m *member) leave(ctx context.Context, cl *kgo.Client, id string, stays bool) error {
	leave := m.leaveClassic
	if m.c.opts.Protocol == Consumer {
		leave = m.leaveConsumer
	}
	err := leave(ctx, cl, id, stays)
	switch {
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.GroupIDNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("leave group: %w", typed(err))
	}
	return nil
}

// What a heartbeat of KIP-848 carries instead of an epoch.
const (
	epochLeaves = -1
	epochStays  = -2 // a static member: it may be replaced by one with its instance id
)

// leaveConsumer leaves by a last heartbeat. A static member that stays has to say so:
// the group refuses its successor as long as it believes in the old process
// (UNRELEASED_INSTANCE_ID), and assigns its partitions to nobody else until its session
// ends.
func (m *member) leaveConsumer(ctx context.Context, cl *kgo.Client, id string, stays bool) error {
	req := kmsg.NewPtrConsumerGroupHeartbeatRequest()
	req.Group, req.MemberID, req.MemberEpoch, req.InstanceID = m.c.opts.Group, id, epochLeaves, m.c.opts.instance()
	if stays {
		req.MemberEpoch = epochStays
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (m *member) leaveClassic(ctx context.Context, cl *kgo.Client, id string, _ bool) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.c.opts.Group, id
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID, member.InstanceID = id, m.c.opts.instance()
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	for i := range resp.Members {
		if err == nil {
			err = kerr.ErrorForCode(resp.Members[i].ErrorCode)
		}
	}
	return err
}

// leavePrevious takes the member out that this one replaces: the group would wait for it
// until its session ends. It knew nothing of that when it was dropped, so nothing of
// this is waited for either.
//
// Under KIP-848 it is a heartbeat: sent by the new member's kgo client it would renew the
// lease of the new member, which the group has not heard.
func (m *member) leavePrevious() {
	ctx, cancel := context.WithTimeout(m.ctx, m.c.opts.CommitTimeout)
	defer cancel()
	cl := m.cl
	if m.c.opts.Protocol == Consumer {
		own, err := m.c.apart()
		if err != nil {
			m.c.warn(stillThere, err)
			return
		}
		defer own.Close()
		cl = own
	}
	if err := m.leave(ctx, cl, m.before, m.c.opts.InstanceID != ""); err != nil && m.ctx.Err() == nil {
		m.c.warn(stillThere, err)
	}
}

const stillThere = "the member before could not be taken out of the group, which waits for its session to end"
