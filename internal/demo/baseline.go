package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
)

// baseline is what the runtime is compared with: a bare loop for each partition of the
// orders, which takes the same records at the same time and handles one after the
// other. A record that fails is tried again in place, since nothing may overtake it.
type baseline struct {
	topic   string
	clients []*kgo.Client
	handled atomic.Int64

	mu       sync.Mutex
	finished []time.Time // guarded by mu
}

func newBaseline(c *cluster) (*baseline, error) {
	b := &baseline{topic: c.names.orders}
	for partition := range c.names.inputs()[b.topic] {
		client, err := c.connect(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			b.topic: {partition: kgo.NewOffset().AtStart()},
		}))
		if err != nil {
			b.close()
			return nil, err
		}
		b.clients = append(b.clients, client)
	}
	return b, nil
}

func (b *baseline) close() {
	for _, c := range b.clients {
		c.Close()
	}
}

// run goes on until ctx ends.
func (b *baseline) run(ctx context.Context) {
	defer b.close()
	var loops sync.WaitGroup
	for _, client := range b.clients {
		loops.Go(func() {
			for ctx.Err() == nil {
				client.PollFetches(ctx).EachRecord(func(r *kgo.Record) { b.handle(ctx, r) })
			}
		})
	}
	loops.Wait()
}

func (b *baseline) handle(ctx context.Context, r *kgo.Record) {
	backoff := retries()
	for attempt := 1; attempt <= maxAttempts && ctx.Err() == nil; attempt++ {
		err := recovered(ctx, r.Value, attempt)
		if _, discard := errors.AsType[*actors.DiscardError](err); err == nil || discard {
			break
		}
		_ = wait(ctx, backoff.Min) // ctx is looked at above
	}
	if ctx.Err() != nil {
		return
	}
	b.handled.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.finished = append(b.finished, time.Now())
}

func recovered(ctx context.Context, value []byte, attempt int) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return handle(ctx, value, attempt)
}

// by counts what was finished until then.
func (b *baseline) by(until time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, at := range b.finished {
		if !at.After(until) {
			n++
		}
	}
	return n
}
