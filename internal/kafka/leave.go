package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/failpoint"
)

// Leave leaves the group by a raw request, which waits for no join that is pending, of
// this member or another, and then ends Run as Stop does. The caller has drained,
// committed and fenced: from the call on the handler hears nothing more. A static
// member leaves only with Options.LeaveOnShutdown; otherwise Leave is Stop.
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
	if id == "" || (c.opts.InstanceID != "" && !c.opts.LeaveOnShutdown) {
		return nil
	}
	// kgo does not look at ctx while the request waits behind another one, whose connection
	// is being opened say.
	left := make(chan error, 1)
	if err := c.hit(failpoint.Leave); err != nil {
		return fmt.Errorf("leave group: %w", err)
	}
	go func() { left <- m.leave(ctx, id) }() // ends with the kgo client at the latest
	select {
	case err := <-left:
		return err
	case <-ctx.Done():
		return fmt.Errorf("leave group: %w", context.Cause(ctx))
	}
}

// leave takes a member out of the group. One that is out already is fine.
func (m *member) leave(ctx context.Context, id string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = m.c.opts.Group, id
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = id
	if m.c.opts.InstanceID != "" {
		member.InstanceID = &m.c.opts.InstanceID
	}
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return fmt.Errorf("leave group: %w", err)
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	for i := range resp.Members {
		if err == nil {
			err = kerr.ErrorForCode(resp.Members[i].ErrorCode)
		}
	}
	if err != nil && !errors.Is(err, kerr.UnknownMemberID) {
		return fmt.Errorf("leave group: %w", typed(err))
	}
	return nil
}

// leavePrevious takes the member out that this one replaces: the group would wait for it
// until its session ends. It knew nothing of that when it was dropped, so nothing of
// this is waited for either.
func (m *member) leavePrevious() {
	ctx, cancel := context.WithTimeout(m.ctx, m.c.opts.CommitTimeout)
	defer cancel()
	if err := m.leave(ctx, m.before); err != nil && m.ctx.Err() == nil {
		m.c.warn("the member before could not be taken out of the group, which waits for its session to end", err)
	}
}
