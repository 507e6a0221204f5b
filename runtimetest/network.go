package runtimetest

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

var errKilled = errors.New("runtimetest: killed")

// link is the way of one process to the brokers: every byte passes it, in goroutines of
// its own, so that it can be held up and cut.
type link struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	wg   sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool // guarded by mu
	open  chan struct{}     // guarded by mu; closed: bytes pass
	cut   chan struct{}     // closed by kill
}

func newLink(dial func(context.Context, string, string) (net.Conn, error)) *link {
	l := &link{dial: dial, conns: map[net.Conn]bool{}, open: make(chan struct{}), cut: make(chan struct{})}
	close(l.open)
	return l
}

// passes waits while the link is held up, and reports whether it is not cut.
func (l *link) passes(ctx context.Context) bool {
	for waited := (chan struct{})(nil); ; {
		l.mu.Lock()
		open := l.open
		l.mu.Unlock()
		if open == waited {
			break
		}
		waited = open
		select {
		case <-open:
		case <-l.cut:
		case <-ctx.Done():
		}
	}
	return !l.killed() && ctx.Err() == nil
}

// dialFor is the timeout of kgo's own dialer.
const dialFor = 10 * time.Second

// Dial is for kgo.
func (l *link) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialFor)
	defer cancel()
	if !l.passes(ctx) {
		return nil, cmp.Or(ctx.Err(), errKilled)
	}
	broker, err := l.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	client, ours := net.Pipe()
	if !l.add(ours, broker) {
		return nil, errKilled
	}
	l.wg.Go(func() { l.pump(broker, ours) }) //nolint:contextcheck // a connection outlives its dialing
	l.wg.Go(func() { l.pump(ours, broker) }) //nolint:contextcheck // a connection outlives its dialing
	return client, nil
}

func (l *link) add(ends ...net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed() {
		shut(ends...)
		return false
	}
	for _, c := range ends {
		l.conns[c] = true
	}
	return true
}

// pump copies until either end is closed.
func (l *link) pump(to, from net.Conn) {
	defer l.drop(to, from)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if !l.passes(context.Background()) {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (l *link) drop(ends ...net.Conn) {
	shut(ends...)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range ends {
		delete(l.conns, c)
	}
}

// hold lets no byte pass, in either direction. What it returns lets them pass again.
func (l *link) hold() func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	open := make(chan struct{})
	l.open = open
	return sync.OnceFunc(func() { close(open) })
}

// kill cuts all connections for good.
func (l *link) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.killed() {
		return
	}
	close(l.cut)
	for c := range l.conns {
		shut(c)
	}
}

func (l *link) killed() bool {
	select {
	case <-l.cut:
		return true
	default:
		return false
	}
}

func shut(conns ...net.Conn) {
	for _, c := range conns {
		_ = c.Close()
	}
}
