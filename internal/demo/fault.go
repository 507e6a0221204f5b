package demo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The faults that a run can be given, to see that the verdict notices. They change what
// goes over the wire between the broker and the runtime's client; the producer and the
// observer have clean connections.
const (
	faultDrop   = "drop"   // a record is missing from what is fetched
	faultSwap   = "swap"   // two records of one key changed places
	faultEarly  = "early"  // delayed records look older than they are, as to a clock that runs ahead
	faultCommit = "commit" // commits of a partition are too far
)

const (
	dropOffset  = 7   // of the first partition of the orders
	commitAhead = 200 // records, in the first partition of the orders
	earlyBy     = delay / 2
)

// Faults are the names of the faults there are.
func Faults() []string { return []string{faultDrop, faultSwap, faultEarly, faultCommit} }

// wire relays the connections of the runtime's client and tampers with the frames.
type wire struct {
	fault  string
	names  names
	topics map[[16]byte]string
	relays sync.WaitGroup

	mu      sync.Mutex
	hits    int                 // guarded by mu
	err     error               // guarded by mu: the first; a fault that cannot be put is no fault
	swapped map[batchPlace]bool // guarded by mu
	conns   map[io.Closer]bool  // guarded by mu
}

// batchPlace is where a batch begins.
type batchPlace struct {
	partition int32
	offset    int64
}

func newWire(ctx context.Context, fault string, c *cluster) (*wire, error) {
	if !slices.Contains(Faults(), fault) {
		return nil, fmt.Errorf("no fault %q: want one of %s", fault, strings.Join(Faults(), ", "))
	}
	topics, err := c.topicIDs(ctx)
	if err != nil {
		return nil, err
	}
	return &wire{
		fault: fault, names: c.names, topics: topics,
		swapped: map[batchPlace]bool{}, conns: map[io.Closer]bool{},
	}, nil
}

// option is the only thing that the client is told: where to connect.
func (w *wire) option() kgo.Opt { return kgo.Dialer(w.dial) }

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	broker, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, inner := net.Pipe()
	l := &link{wire: w, open: map[int32]request{}}
	w.mu.Lock()
	w.conns[broker], w.conns[inner] = true, true
	w.mu.Unlock()
	w.relays.Go(func() { w.relay(broker, inner, l.request) })
	w.relays.Go(func() { w.relay(inner, broker, l.response) })
	return client, nil
}

// relay copies frames until either side is closed, and then closes both.
func (w *wire) relay(to, from net.Conn, tamper func([]byte) ([]byte, error)) {
	defer w.drop(to, from)
	var size [4]byte
	for {
		if _, err := io.ReadFull(from, size[:]); err != nil {
			return
		}
		frame := make([]byte, binary.BigEndian.Uint32(size[:]))
		if _, err := io.ReadFull(from, frame); err != nil {
			return
		}
		frame, err := tamper(frame)
		if err != nil {
			w.note(err)
			return
		}
		out := binary.BigEndian.AppendUint32(nil, uint32(len(frame))) //nolint:gosec // a frame
		if _, err := to.Write(append(out, frame...)); err != nil {
			return
		}
	}
}

func (w *wire) drop(conns ...net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		_ = c.Close() // twice, from both sides
		delete(w.conns, c)
	}
}

func (w *wire) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = fmt.Errorf("fault %s: %w", w.fault, err)
	}
}

func (w *wire) hit() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hits++
}

// close ends all relays. It tells how often the fault was put, and whether it could be. A
// nil wire is that of a run without a fault.
func (w *wire) close() (int, error) {
	if w == nil {
		return 0, nil
	}
	w.mu.Lock()
	for c := range w.conns {
		_ = c.Close() // the relay notices
	}
	w.mu.Unlock()
	w.relays.Wait()
	return w.hits, w.err
}

// topic is a topic's name in a message that may carry its id alone.
func (w *wire) topic(name string, id [16]byte) string {
	if name != "" {
		return name
	}
	return w.topics[id]
}

// link is one connection.
type link struct {
	wire *wire

	mu   sync.Mutex
	open map[int32]request // guarded by mu: not answered yet, by correlation id
}

type request struct{ key, version int16 }

var errFrame = errors.New("not a frame of Kafka's protocol")

// request sees what the client sends: key, version, correlation id, client id, tags,
// body.
func (l *link) request(frame []byte) ([]byte, error) {
	r := kbin.Reader{Src: frame}
	key, version, correlation := r.Int16(), r.Int16(), r.Int32()
	r.NullableString()
	if !r.Ok() {
		return nil, errFrame
	}
	l.mu.Lock()
	l.open[correlation] = request{key, version}
	l.mu.Unlock()
	req := kmsg.NewPtrOffsetCommitRequest()
	if l.wire.fault != faultCommit || key != req.Key() {
		return frame, nil
	}
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	head := frame[:len(frame)-len(r.Src)]
	if err := req.ReadFrom(r.Src); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	l.wire.commit(req)
	return req.AppendTo(slices.Clone(head)), nil
}

// response sees what the broker answers: correlation id, tags, body.
func (l *link) response(frame []byte) ([]byte, error) {
	r := kbin.Reader{Src: frame}
	correlation := r.Int32()
	l.mu.Lock()
	req, ok := l.open[correlation]
	delete(l.open, correlation)
	l.mu.Unlock()
	if !ok || !r.Ok() {
		return nil, errFrame
	}
	resp := kmsg.NewPtrFetchResponse()
	if req.key != resp.Key() {
		return frame, nil
	}
	resp.SetVersion(req.version)
	if resp.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	head := frame[:len(frame)-len(r.Src)]
	if err := resp.ReadFrom(r.Src); err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	if err := l.wire.fetched(resp); err != nil {
		return nil, fmt.Errorf("fetch: %w", err)
	}
	return resp.AppendTo(slices.Clone(head)), nil
}
