//go:build kafka

package conformance

import (
	"context"
	"net"
	"sync"
	"testing"
)

// proxy stands between a member and the broker. While it is silent it keeps connections
// and passes nothing on, as a network that drops packets does.
type proxy struct {
	listener net.Listener

	mu     sync.Mutex
	silent bool // guarded by mu
	closed bool // guarded by mu
	conns  map[net.Conn]bool
	heard  *sync.Cond // silent or closed changed
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, conns: map[net.Conn]bool{}}
	p.heard = sync.NewCond(&p.mu)
	var wg sync.WaitGroup
	wg.Go(func() { p.serve(&wg) })
	t.Cleanup(func() {
		p.close()
		wg.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) serve(wg *sync.WaitGroup) {
	for {
		from, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		to, err := new(net.Dialer).DialContext(context.Background(), "tcp", broker())
		if err != nil || !p.keep(from, to) {
			_ = from.Close()
			continue
		}
		wg.Go(func() { p.pass(from, to) })
		wg.Go(func() { p.pass(to, from) })
	}
}

func (p *proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.closed {
			_ = c.Close()
		}
		p.conns[c] = true
	}
	return !p.closed
}

// pass copies until one side ends, and ends the other.
func (p *proxy) pass(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !p.speaks() {
			return
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// speaks waits while the proxy is silent. It reports false once it is closed.
func (p *proxy) speaks() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.silent && !p.closed {
		p.heard.Wait()
	}
	return !p.closed
}

// hush makes the proxy silent, or ends that.
func (p *proxy) hush(silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.silent = silent
	p.heard.Broadcast()
}

// close ends all connections and refuses new ones, as a broker that is down does.
func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.heard.Broadcast()
	for c := range p.conns {
		_ = c.Close()
	}
}

// dialVia connects to one address whatever is asked for.
func dialVia(address string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}
