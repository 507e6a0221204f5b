package link

import "sync"

// Gate lets pass, or holds up until it is opened. The zero value is open.
type Gate struct {
	mu     sync.Mutex
	closed chan struct{} // guarded by mu; nil, or closed itself: the gate is open
}

// Hold closes the gate. What it returns opens it again; of several that hold it, the
// last one counts.
func (g *Gate) Hold() func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	closed := make(chan struct{})
	g.closed = closed
	return sync.OnceFunc(func() { close(closed) })
}

// Held reports whether the gate is closed.
func (g *Gate) Held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.closed:
		return false
	default:
		return g.closed != nil
	}
}

// Wait waits until the gate is open, or either channel is closed.
func (g *Gate) Wait(stop, end <-chan struct{}) {
	for waited := (chan struct{})(nil); ; {
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		if closed == waited {
			return
		}
		waited = closed
		select {
		case <-closed:
		case <-stop:
		case <-end:
		}
	}
}
