//go:build synctests

package kafka

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/runtime/observe"
)

// blocked is a network on which nothing answers any more: connections break, and dials
// hang until their own time is over.
type blocked struct {
	dial func(context.Context, string, string) (net.Conn, error)

	mu    sync.Mutex
	on    bool
	conns []net.Conn
}

func (b *blocked) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	b.mu.Lock()
	on := b.on
	b.mu.Unlock()
	if on {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	conn, err := b.dial(ctx, network, addr)
	if err == nil {
		b.mu.Lock()
		b.conns = append(b.conns, conn)
		b.mu.Unlock()
	}
	return conn, err
}

func (b *blocked) block() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on = true
	for _, c := range b.conns {
		_ = c.Close()
	}
}

// kgo does not look at the context of a request that waits behind another one, whose
// connection is being opened.
func TestCommitEndsInTimeBehindADialThatHangs(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		b := &blocked{dial: r.dial}
		n := r.start(func(o *Options, _ *recorder) { o.Extra = []kgo.Opt{kgo.Dialer(b.Dial)} })
		n.joined(0)
		b.block()
		time.Sleep(time.Second) // the heartbeat dials
		began := time.Now()
		got := n.commit(0, 1)
		if took, limit := time.Since(began), 3*time.Second+pendingGrace; took > limit {
			r.t.Errorf("took %v, want at most the commit timeout and a moment, %v", took, limit)
		}
		if got.Outcome == observe.OK || got.Fenced {
			r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
		}
	})
}
