package sim

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// wire reads what passes between a member and the brokers: which commits the brokers took
// and refused, and which member id belongs to whom.
type wire struct {
	w    *world
	node *node
}

// tap is the link's, for one connection.
func (x *wire) tap() (toBroker, toClient io.Writer) { //nolint:nonamedreturns // tells them apart
	c := &wireConn{wire: x, asked: map[int32]kmsg.Request{}}
	return &frames{each: c.request}, &frames{each: c.response}
}

type wireConn struct {
	*wire

	mu    sync.Mutex
	asked map[int32]kmsg.Request // guarded by mu; by correlation id
}

// watched are the requests that matter, by their keys.
func watched(key int16) kmsg.Request {
	switch kmsg.Key(key) {
	case kmsg.OffsetCommit:
		return kmsg.NewPtrOffsetCommitRequest()
	case kmsg.JoinGroup:
		return kmsg.NewPtrJoinGroupRequest()
	case kmsg.Heartbeat:
		return kmsg.NewPtrHeartbeatRequest()
	default:
		return nil
	}
}

// requestHeader is key, version and correlation id.
const requestHeader = 8

func (c *wireConn) request(frame []byte) {
	if len(frame) < requestHeader+2 {
		return
	}
	req := watched(int16(binary.BigEndian.Uint16(frame))) //nolint:gosec // that is what it is
	if req == nil {
		return
	}
	req.SetVersion(int16(binary.BigEndian.Uint16(frame[2:])))       //nolint:gosec // as above
	correlation := int32(binary.BigEndian.Uint32(frame[4:]))        //nolint:gosec // as above
	client := int16(binary.BigEndian.Uint16(frame[requestHeader:])) //nolint:gosec // as above
	body := frame[requestHeader+2:]
	if client > 0 {
		body = body[client:]
	}
	if req.IsFlexible() {
		body = body[1:] // no tags: kgo sends none
	}
	if err := req.ReadFrom(body); err != nil {
		c.w.broken("wire: %T: %v", req, err)
		return
	}
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		c.w.coordinator.heard(req.MemberID)
	case *kmsg.JoinGroupRequest:
		c.w.coordinator.heard(req.MemberID)
		c.w.coordinator.joins(req.MemberID, true)
	case *kmsg.HeartbeatRequest:
		c.w.coordinator.heard(req.MemberID)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[correlation] = req
}

func (c *wireConn) response(frame []byte) {
	if len(frame) < 4 {
		return
	}
	correlation := int32(binary.BigEndian.Uint32(frame)) //nolint:gosec // that is what it is
	c.mu.Lock()
	req := c.asked[correlation]
	delete(c.asked, correlation)
	c.mu.Unlock()
	if req == nil {
		return
	}
	resp := req.ResponseKind()
	body := frame[4:]
	if resp.IsFlexible() {
		body = body[1:]
	}
	if err := resp.ReadFrom(body); err != nil {
		c.w.broken("wire: %T: %v", resp, err)
		return
	}
	switch req := req.(type) {
	case *kmsg.OffsetCommitRequest:
		c.committed(req, resp.(*kmsg.OffsetCommitResponse)) //nolint:errcheck,forcetypeassert // ResponseKind says so
	case *kmsg.JoinGroupRequest:
		c.w.coordinator.joins(req.MemberID, false)
		if join := resp.(*kmsg.JoinGroupResponse); join.ErrorCode == 0 { //nolint:errcheck,forcetypeassert // as above
			c.node.memberID.Store(join.MemberID)
			c.w.observer.MemberIs(c.node.name, join.MemberID, instanceOf(req))
		}
	}
}

func instanceOf(req *kmsg.JoinGroupRequest) string {
	if req.InstanceID == nil {
		return ""
	}
	return *req.InstanceID
}

func (c *wireConn) committed(req *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse) {
	type at struct {
		topic     string
		id        [16]byte
		partition int32
	}
	codes := map[at]int16{}
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			codes[at{t.Topic, t.TopicID, t.Partitions[j].Partition}] = t.Partitions[j].ErrorCode
		}
	}
	for i := range req.Topics {
		t := &req.Topics[i]
		name := t.Topic
		if name == "" {
			name = c.w.ids[t.TopicID]
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			answer := observe.OK
			if codes[at{t.Topic, t.TopicID, p.Partition}] != 0 {
				answer = observe.Refused
			}
			c.w.observer.CommitOnWire(history.WireCommit{
				TP: observe.TopicPartition{Topic: name, Partition: p.Partition}, Next: p.Offset, Member: req.MemberID, Answer: answer,
			})
		}
	}
}

// frames cuts a stream into Kafka's messages. Only those that may matter are kept: the
// beginning of the others is enough.
type frames struct {
	each func(frame []byte)

	size [4]byte
	have int    // of size
	left int    // of the frame
	buf  []byte // of the frame
}

// frameMax is the longest message that is read: commits and joins are short.
const frameMax = 64 << 10

// Write takes what passes.
func (f *frames) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if f.have < len(f.size) {
			took := copy(f.size[f.have:], b)
			f.have += took
			b = b[took:]
			if f.have == len(f.size) {
				f.left = int(binary.BigEndian.Uint32(f.size[:]))
				f.buf = f.buf[:0]
			}
			continue
		}
		took := min(f.left, len(b))
		if len(f.buf) < frameMax {
			f.buf = append(f.buf, b[:took]...)
		}
		f.left -= took
		b = b[took:]
		if f.left == 0 {
			f.each(f.buf)
			f.have = 0
		}
	}
	return n, nil
}
