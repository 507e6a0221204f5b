//go:build synctests

package scenarios

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// tape is what behaviors write down.
type tape struct {
	mu   sync.Mutex
	said []string
	at   []time.Time
}

func (p *tape) add(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said = append(p.said, fmt.Sprintf(format, args...))
	p.at = append(p.at, time.Now())
}

func (p *tape) lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.said)
}

// times are when lines were said, since the first one.
func (p *tape) times() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]time.Duration, len(p.at))
	for i := range p.at {
		out[i] = p.at[i].Sub(p.at[0])
	}
	return out
}

func (p *tape) want(t *testing.T, want ...string) {
	t.Helper()
	if got := p.lines(); !slices.Equal(got, want) {
		t.Errorf("the behaviors said:\n got %q\nwant %q", got, want)
	}
}

func handle(f func(ctx context.Context, rec *actors.Record) error) actors.Factory {
	return actors.Func(f)
}

func tp(topic string, partition int32) observe.TopicPartition {
	return observe.TopicPartition{Topic: topic, Partition: partition}
}

// laneKey is a key of lane i of n, by the mapping that package actors documents.
func laneKey(i, n int) string {
	for k := 0; ; k++ {
		key := fmt.Sprint("k", k)
		if hi, _ := bits.Mul64(xxhash.Sum64String(key), uint64(n)); int(hi) == i {
			return key
		}
	}
}

func lanes(n int) runtime.VirtualPartitions { return runtime.VirtualPartitions{Max: n} }

// numbers is from, from+1, … below to, as text.
func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}
