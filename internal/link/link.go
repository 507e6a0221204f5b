// Package link is the way of one process to the brokers of an in-memory cluster: every
// byte passes it, so that a test can hold it up, damage it and cut it.
package link

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// DialFunc opens a connection.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Link carries the connections of one process, in goroutines of its own.
type Link struct {
	// Latency is how long what a broker answers is on its way. It is set before the first
	// connection. With none a client that asks at once again, for as long as the answer is an
	// error, keeps the clock of a bubble from moving.
	Latency time.Duration

	// Refuses, unless it is nil, says to which addresses nothing connects. It is set before
	// the first connection.
	Refuses func(address string) bool

	dial DialFunc
	tap  func() (toBroker, toClient io.Writer)
	wg   sync.WaitGroup
	gate Gate
	cut  chan struct{} // closed by Kill

	mu    sync.Mutex
	conns map[*conn]bool // guarded by mu
	rules []*Rule        // guarded by mu
}

// conn is a connection: both ends of ours.
type conn struct {
	address        string
	client, broker net.Conn

	mu      sync.Mutex
	damaged map[bool]bool // guarded by mu; by direction: bytes are missing, so what follows makes no sense
	left    int           // guarded by mu: bytes until it is cut; below 0: no limit
}

// New makes the link of a process. tap, unless it is nil, is asked for each connection: its
// writers get what reaches the broker, before it does, and what the broker answers, once
// it has, whether that reaches the client or not.
func New(dial DialFunc, tap func() (toBroker, toClient io.Writer)) *Link {
	return &Link{dial: dial, tap: tap, cut: make(chan struct{}), conns: map[*conn]bool{}}
}

// passes waits while the link is held up, until end is closed, and reports whether it is
// not cut.
func (l *Link) passes(end <-chan struct{}) bool {
	l.gate.Wait(l.cut, end)
	return !l.Killed()
}

var errRefused = errors.New("link: connection refused")

// refused is how long a refusal takes, for the reason that unanswered has.
const refused = time.Millisecond

// dialFor is the timeout of kgo's own dialer.
const dialFor = 10 * time.Second

// unanswered is a dialing that nobody answers. It takes its time: kgo asks for a producer
// id again at once when a dialing fails at once, and in a bubble the clock would stand
// still meanwhile.
func unanswered(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

func refuse(ctx context.Context) error {
	timer := time.NewTimer(refused)
	defer timer.Stop()
	select {
	case <-timer.C:
		return errRefused
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Dial is for kgo.
func (l *Link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	if !l.passes(ctx.Done()) || ctx.Err() != nil {
		return nil, unanswered(ctx)
	}
	if l.Refuses != nil && l.Refuses(address) {
		return nil, refuse(ctx)
	}
	broker, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, ours := net.Pipe()
	c := &conn{address: address, client: ours, broker: broker, damaged: map[bool]bool{}, left: -1}
	if !l.add(c) {
		return nil, unanswered(ctx)
	}
	toBroker, toClient := io.Discard, io.Discard
	if l.tap != nil {
		toBroker, toClient = l.tap()
	}
	answers, over := make(chan []byte, underWay), make(chan struct{})
	l.wg.Go(func() { l.ask(c, toBroker) })
	l.wg.Go(func() { listen(c, toClient, answers, over) })
	l.wg.Go(func() { l.answer(c, answers, over) })
	return client, nil
}

func (l *Link) add(c *conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Killed() {
		c.shut()
		return false
	}
	l.conns[c] = true
	return true
}

// piece is how many bytes pass at once.
const piece = 16 << 10

// ask copies what goes to the broker until either end is closed.
func (l *Link) ask(c *conn, tap io.Writer) {
	defer l.drop(c)
	buf := make([]byte, piece)
	for {
		n, err := c.client.Read(buf)
		if n > 0 && !l.carry(c, true, tap, c.broker, buf[:n]) || err != nil {
			return
		}
	}
}

// underWay is how many pieces of a broker's answers wait for the link, as in the buffers of
// a socket.
const underWay = 64

// listen takes the broker's answers when it gives them: a tap that heard of each when the
// one before has passed would take an old answer for a new one. It ends with the connection.
func listen(c *conn, tap io.Writer, answers chan<- []byte, over <-chan struct{}) {
	defer close(answers)
	buf := make([]byte, piece)
	for {
		n, err := c.broker.Read(buf)
		if n > 0 {
			_, _ = tap.Write(buf[:n]) // a tap returns no error
			select {
			case answers <- bytes.Clone(buf[:n]):
			case <-over:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// answer brings the answers to the client until either end is closed.
func (l *Link) answer(c *conn, answers <-chan []byte, over chan<- struct{}) {
	defer l.drop(c)
	defer close(over)
	for b := range answers {
		if l.Latency > 0 {
			l.sleep(l.Latency)
		}
		if !l.carry(c, false, io.Discard, c.client, b) {
			return
		}
	}
}

// carry brings some bytes to the other end, and reports whether the connection goes on.
func (l *Link) carry(c *conn, out bool, tap, to io.Writer, b []byte) bool {
	if !l.passes(nil) {
		return false
	}
	whole := len(b)
	b, lost := l.damage(c, out, b)
	if lost {
		return true
	}
	if !l.passes(nil) { // a delay may have outlasted it
		return false
	}
	_, _ = tap.Write(b)
	_, err := to.Write(b)
	return err == nil && len(b) == whole
}

func (l *Link) drop(c *conn) {
	c.shut()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// Hold lets no byte pass, in either direction. What it returns lets them pass again, unless
// somebody else holds the link, too.
func (l *Link) Hold() func() { return l.gate.Hold() }

// Cut closes the connections to an address, or all if that is empty, and returns how many
// there were. New ones can be made.
func (l *Link) Cut(address string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for c := range l.conns {
		if address == "" || c.address == address {
			c.shut()
			n++
		}
	}
	return n
}

// Kill cuts all connections for good, at this instant.
func (l *Link) Kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.Killed() {
		return
	}
	close(l.cut)
	for c := range l.conns {
		c.shut()
	}
}

// Killed reports whether Kill was called.
func (l *Link) Killed() bool {
	select {
	case <-l.cut:
		return true
	default:
		return false
	}
}

// Done is closed by Kill.
func (l *Link) Done() <-chan struct{} { return l.cut }

// Wait waits until all connections have ended.
func (l *Link) Wait() { l.wg.Wait() }

func (c *conn) shut() {
	_ = c.client.Close()
	_ = c.broker.Close()
}
