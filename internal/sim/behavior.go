package sim

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-go/troupe/actors"
)

var (
	errFails = errors.New("sim: the call fails: " + canaryError)
	errStart = errors.New("sim: the behavior does not start: " + canaryError)
)

// deliveries counts calls per record over all members, so that what fails a few times
// succeeds in the end wherever it is delivered.
type deliveries struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

func (d *deliveries) next(id string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts[id]++
	return d.counts[id]
}

// behavior does to each record what the plan says.
type behavior struct {
	node  *node
	topic *Topic
	vp    actors.VirtualPartition
}

// Start fails now and then.
func (b *behavior) Start(_ context.Context, vp actors.VirtualPartition) error {
	id := vp.String()
	n := b.node.w.deliveries.next(id)
	if draw(b.node.w.plan.Seed, id, n)%1000 < uint64(b.topic.Calls.Starts) { //nolint:gosec // a plan's are small
		return errStart
	}
	return nil
}

// Receive takes its time and has its outcome. A process that is frozen meanwhile goes on
// when it thaws, and of one that was killed nothing comes.
func (b *behavior) Receive(ctx context.Context, rec *actors.Record) error {
	id := b.idOf(rec)
	n := b.node.w.deliveries.next(id)
	b.take(ctx, id, n)
	if !b.node.alive() {
		return errDead
	}
	return b.outcome(ctx, id, n)
}

// idOf is what a record is known by: its value's first word. A dead letter is known by
// where it is, unless those of its topic come round.
func (b *behavior) idOf(rec *actors.Record) string {
	if strings.HasPrefix(rec.Topic, lettersOf) && !b.topic.Loop {
		return fmt.Sprintf("%s/%d/%d", rec.Topic, rec.Partition, rec.Offset)
	}
	name, _, _ := strings.Cut(string(rec.Value), " ")
	return rec.Topic + "/" + name
}

// take spends the call's time.
func (b *behavior) take(ctx context.Context, id string, n int) {
	c := &b.topic.Calls
	kind := int(draw(b.node.w.plan.Seed, "time "+id, 0) % 1000)   //nolint:gosec // below 1000
	share := float64(draw(b.node.w.plan.Seed, id, n)%1000) / 1000 // of the longest
	switch {
	case kind < c.Tail && n <= 2:
		time.Sleep(time.Duration(share * float64(c.TailMax)))
	case kind < c.Tail+c.Slow:
		timer := time.NewTimer(time.Duration(share * float64(200*time.Millisecond)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	case kind < c.Tail+c.Slow+c.Quick:
		time.Sleep(time.Duration(share * float64(5*time.Millisecond)))
	}
}

// outcome is what the nth delivery of a record comes to.
func (b *behavior) outcome(ctx context.Context, id string, n int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c := &b.topic.Calls
	h := draw(b.node.w.plan.Seed, "outcome "+id, 0)
	kind, times := int(h%1000), 1+int(h/1000%3) //nolint:gosec // small
	wait := time.Duration(h/3000%5000) * time.Millisecond
	for _, k := range []struct {
		of    int
		until int // the last delivery that it concerns
		do    func() error
	}{
		{c.Error, times, func() error { return errFails }},
		{c.Retry, min(times, 2), func() error { return actors.RetryAfter(wait, errFails) }},
		{c.Snooze, 1, func() error { return actors.Snooze(wait) }},
		{c.Discard, b.endless(1), func() error { return actors.Discard(errFails) }},
		{c.Panic, min(times, 2), func() error { panic(errFails) }},
		{c.Goexit, 1, func() error { goruntime.Goexit(); return nil }},
		{c.Poison, b.endless(5), func() error { return errFails }},
	} {
		if kind -= k.of; kind < 0 {
			if n <= k.until {
				return k.do()
			}
			return nil
		}
	}
	return nil
}

// endless is without end where there are dead letters.
func (b *behavior) endless(otherwise int) int {
	if b.topic.DeadLetters {
		return 1 << 30
	}
	return otherwise
}

// draw is a number that follows from the seed, the record and n.
func draw(seed uint64, id string, n int) uint64 {
	h := xxhash.NewWithSeed(seed + uint64(n)*0x9e3779b97f4a7c15) //nolint:gosec // mixes
	_, _ = h.WriteString(id)                                     // which returns no error
	return h.Sum64()
}
