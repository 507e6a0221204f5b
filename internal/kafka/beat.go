package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/wallclock"
)

// beats sends heartbeats whose answers the member reads, as often as kgo sends its own: see
// [lease]. kgo's tell it of rebalances, and there are none while it joins.
func (m *member) beats() {
	ticker := time.NewTicker(m.c.opts.heartbeat())
	defer ticker.Stop()
	for {
		select {
		case <-m.ctx.Done():
			return
		case <-ticker.C:
		}
		m.beat()
	}
}

// beat sends one. The group answers REBALANCE_IN_PROGRESS as long as it has the member and
// waits for others, and no error when the join has ended and the member knows of it.
// ILLEGAL_GENERATION says that it does not: the join's answer is under way, or lost.
func (m *member) beat() {
	joining := m.lease.rebalancing() // at other times kgo's heartbeat learns as soon of an end
	id, generation := m.cl.GroupMetadata()
	m.mu.Lock()
	ours, other := m.id, m.isOther(id)
	m.mu.Unlock()
	sent := wallclock.Now(m.c.opts.Owner)
	if other {
		if joining {
			m.lease.end(sent) // kgo was told so, and joins anew without a word
		}
		return
	}
	if ours != id || id == "" {
		return // it has had no assignment yet
	}
	req := kmsg.NewPtrHeartbeatRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.c.opts.Group, id, generation, m.c.opts.instance()
	ctx, cancel := context.WithTimeout(m.ctx, m.c.opts.SessionTimeout/3)
	defer cancel()
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return // the next one may get through
	}
	switch err := kerr.ErrorForCode(resp.ErrorCode); {
	case err == nil, errors.Is(err, kerr.RebalanceInProgress):
		m.lease.extend(sent)
	case joining && errors.Is(err, kerr.UnknownMemberID):
		m.lease.end(sent)
	}
}
