package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/runtime/observe"
)

var _ Committer = (*Client)(nil)

// Commit stores commit lines by a raw request with the group's member id and generation
// of this moment, also while a join is pending. It returns within the commit timeout
// or ctx, with a result for each offset, in order, and tries nothing again that the
// broker refused.
//
// A Result is Refused only where the broker certainly did not store it: it said so, or
// the request never left. Fenced is set when the group does not know this member, or
// knows it by another id than the one that the partitions were assigned to.
// ILLEGAL_GENERATION during a join of this member is a plain refusal: the group has
// moved on with it, and it has not heard yet. STALE_MEMBER_EPOCH says the same under
// KIP-848. FENCED_INSTANCE_ID ends Run, unless this member joins or has joined anew: a
// static one replaces itself by that.
func (c *Client) Commit(ctx context.Context, offsets []Offset) []Result {
	m := c.member()
	if m == nil {
		return all(offsets, Result{Outcome: observe.Refused, Err: errNotJoined})
	}
	m.mu.Lock()
	over, want := m.over, m.id
	m.mu.Unlock()
	if over {
		return all(offsets, Result{Outcome: observe.Refused, Err: errNotJoined})
	}
	if id, _ := m.cl.GroupMetadata(); want == "" || id != want {
		return all(offsets, Result{Outcome: observe.Refused, Err: errExpelled, Fenced: true})
	}
	return m.commit(ctx, offsets)
}

func all(offsets []Offset, r Result) []Result {
	results := make([]Result, len(offsets))
	for i := range results {
		results[i] = r
	}
	return results
}

// commit sends one request. One is under way at a time: how often a request was sent is
// counted for the whole client, and of two at once each would look sent twice, so
// that no refusal of either would be certain.
func (m *member) commit(ctx context.Context, offsets []Offset) []Result {
	ctx, cancel := context.WithTimeout(ctx, m.c.opts.CommitTimeout)
	defer cancel()
	// Before the wait: what is asked for in one generation must not be stored in the next,
	// when the partition may have been another member's in between.
	id, generation := m.cl.GroupMetadata()
	select {
	case m.committing <- struct{}{}:
		defer func() { <-m.committing }()
	case <-ctx.Done():
		return all(offsets, Result{Outcome: observe.Refused, Err: context.Cause(ctx)})
	}
	req := m.commitRequest(id, generation, offsets)
	before, moving := m.lease.commits.Load(), m.lease.rebalancing()
	resp, err := m.request(ctx, req)
	sent := m.lease.commits.Load() - before
	if err != nil {
		r := Result{Outcome: observe.Unknown, Err: typed(err)}
		if sent == 0 && !errors.Is(err, errPending) {
			r.Outcome = observe.Refused
		}
		return all(offsets, r)
	}
	id2, generation2 := m.cl.GroupMetadata()
	moving = moving || m.lease.rebalancing() || generation2 != generation
	if !moving && mayBeItsJoin(resp) {
		moving = m.joins(ctx, generation)
	}
	codes := map[observe.TopicPartition]int16{}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			codes[observe.TopicPartition{Topic: m.topicName(t.Topic, t.TopicID), Partition: p.Partition}] = p.ErrorCode
		}
	}
	results := make([]Result, len(offsets))
	for i, o := range offsets {
		code, ok := codes[o.TP]
		if !ok {
			results[i] = Result{Outcome: observe.Unknown, Err: errNoAnswer}
			continue
		}
		results[i] = outcome(kerr.ErrorForCode(code), sent > 1, moving && id == id2)
		if errors.Is(results[i].Err, ErrFencedInstance) && !moving && id == id2 {
			m.end(results[i].Err, true)
		}
		if errors.Is(results[i].Err, kerr.StaleMemberEpoch) {
			m.cl.ForceRebalance() // a heartbeat at once, which brings the epoch; it does not block
		}
	}
	return results
}

// mayBeItsJoin reports whether a commit was refused as it is behind this member's own join,
// by which the group moves on, and by which a static member that joins anew replaces itself.
func mayBeItsJoin(resp *kmsg.OffsetCommitResponse) bool {
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if p.ErrorCode == kerr.IllegalGeneration.Code || p.ErrorCode == kerr.FencedInstanceID.Code {
				return true
			}
		}
	}
	return false
}

// joins looks once more, a moment later, whether this member joins a newer generation. The
// join that moved the group on may have reached the broker, and a commit behind it been
// refused, before kgo's goroutine that wrote it says that it has.
func (m *member) joins(ctx context.Context, generation int32) bool {
	timer := time.NewTimer(pendingGrace)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	_, now := m.cl.GroupMetadata()
	return m.lease.rebalancing() || now != generation
}

// errPending means that a request may yet leave.
var errPending = errors.New("kafka: the request waits for a connection")

// request sends a commit and waits for its answer until ctx ends. kgo does not look at
// ctx while a request waits behind another one, whose connection is being opened say.
func (m *member) request(ctx context.Context, req *kmsg.OffsetCommitRequest) (*kmsg.OffsetCommitResponse, error) {
	type answer struct {
		resp *kmsg.OffsetCommitResponse
		err  error
	}
	answered := make(chan answer, 1)
	go func() { // ends with the kgo client at the latest
		resp, err := req.RequestWith(ctx, m.cl)
		answered <- answer{resp, err}
	}()
	select {
	case a := <-answered:
		return a.resp, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answered: // kgo has looked at ctx after all: it knows more
		return a.resp, a.err
	case <-time.After(pendingGrace):
		return nil, fmt.Errorf("%w: %w", errPending, context.Cause(ctx))
	}
}

// pendingGrace is how long kgo may take to notice that a context has ended, or to say that
// it wrote a request.
const pendingGrace = 50 * time.Millisecond

// outcome reads the answer for one partition. again tells that kgo sent the request more
// than once: then an answer says nothing of the earlier ones. moving tells that this
// member is in the middle of a rebalance.
func outcome(err error, again, moving bool) Result {
	if err == nil {
		return Result{Outcome: observe.OK, Resent: again}
	}
	r := Result{Outcome: observe.Unknown, Err: typed(err), TooLarge: errors.Is(err, kerr.OffsetMetadataTooLarge)}
	switch {
	case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.FencedInstanceID), errors.Is(err, kerr.FencedMemberEpoch),
		errors.Is(err, kerr.IllegalGeneration) && !moving:
		r.Outcome, r.Fenced = observe.Refused, true
	case errors.Is(err, kerr.IllegalGeneration),
		errors.Is(err, kerr.RebalanceInProgress), errors.Is(err, kerr.StaleMemberEpoch),
		errors.Is(err, kerr.CoordinatorLoadInProgress),
		errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TopicAuthorizationFailed),
		errors.Is(err, kerr.OffsetMetadataTooLarge), errors.Is(err, kerr.InvalidCommitOffsetSize),
		errors.Is(err, kerr.InvalidGroupID), errors.Is(err, kerr.GroupIDNotFound),
		errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID),
		errors.Is(err, kerr.UnsupportedVersion), errors.Is(err, kerr.InvalidRequest):
		r.Outcome = observe.Refused
	}
	// The others, NOT_COORDINATOR and COORDINATOR_NOT_AVAILABLE among them, also come
	// when the offset was appended and its replication failed or was not awaited.
	if again && r.Outcome == observe.Refused {
		r.Outcome = observe.Unknown
	}
	return r
}

func (m *member) commitRequest(id string, generation int32, offsets []Offset) *kmsg.OffsetCommitRequest {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = m.c.opts.Group, id, generation, m.c.opts.instance()
	at := map[string]int{}
	for _, o := range offsets {
		i, ok := at[o.TP.Topic]
		if !ok {
			i = len(req.Topics)
			at[o.TP.Topic] = i
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = o.TP.Topic, m.topicID(o.TP.Topic)
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset = o.TP.Partition, o.Next
		p.Metadata = &o.Metadata
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
	}
	return req
}
