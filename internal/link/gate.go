package link

import "sync"

// Gate lets pass, or holds up until it is opened. The zero value is open.
type Gate struct {
	mu     sync.Mutex
	held   int           // guarded by mu: by how many
	closed chan struct{} // guarded by mu; closed itself when the last one lets go
}

// Hold closes the gate. What it returns lets go of it; it opens when all have that hold it.
func (g *Gate) Hold() func() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == 0 {
		g.closed = make(chan struct{})
	}
	g.held++
	return sync.OnceFunc(g.letGo)
}

func (g *Gate) letGo() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held--; g.held == 0 {
		close(g.closed)
	}
}

// Held reports whether the gate is closed.
func (g *Gate) Held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held > 0
}

// Wait waits until the gate is open, or either channel is closed.
func (g *Gate) Wait(stop, end <-chan struct{}) {
	for {
		g.mu.Lock()
		held, closed := g.held > 0, g.closed
		g.mu.Unlock()
		if !held {
			return
		}
		select {
		case <-closed: // and perhaps again
		case <-stop:
			return
		case <-end:
			return
		}
	}
}
