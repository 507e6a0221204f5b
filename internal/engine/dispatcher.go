package engine

import "sync"

// dispatcher runs mailboxes on goroutines that it uses again, and with them their
// grown stacks: Proto.Actor's own starts a goroutine for every run of a mailbox, a
// third of the CPU at small hand-overs.
//
// Each of its goroutines ends when stop closes its channel.
type dispatcher struct {
	mu      sync.Mutex
	idle    []chan func() // guarded by mu
	stopped bool          // guarded by mu
}

// throughput is how many messages a mailbox handles before it yields.
const throughput = 300

func newDispatcher() *dispatcher { return &dispatcher{} }

// Throughput is how many messages a mailbox handles before it yields.
func (*dispatcher) Throughput() int { return throughput }

// Schedule runs fn soon, on a goroutine of its own.
func (d *dispatcher) Schedule(fn func()) {
	d.mu.Lock()
	if n := len(d.idle); n > 0 {
		ch := d.idle[n-1]
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		ch <- fn // capacity 1, and nobody else holds an idle channel
		return
	}
	d.mu.Unlock()
	go d.run(fn)
}

func (d *dispatcher) run(fn func()) {
	ch := make(chan func(), 1)
	for ok := true; ok; fn, ok = <-ch {
		fn()
		d.mu.Lock()
		if d.stopped {
			d.mu.Unlock()
			return
		}
		d.idle = append(d.idle, ch)
		d.mu.Unlock()
	}
}

// stop ends idle goroutines now and busy ones after what they run.
func (d *dispatcher) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	for _, ch := range d.idle {
		close(ch)
	}
	d.idle = nil
}
