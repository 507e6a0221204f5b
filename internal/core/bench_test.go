package core

import (
	"fmt"
	"testing"
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// testConfig is a machine without delay, retries at 1 s doubling to 8 s, and room for
// what tests need.
func testConfig() Config {
	return Config{
		Lanes:         3,
		MaxSkew:       time.Hour,
		MaxAttempts:   3,
		DeadLetter:    true,
		Retry:         supervision.Backoff{Min: time.Second, Max: 8 * time.Second},
		ForwardRetry:  supervision.Backoff{Min: time.Second, Max: 4 * time.Second},
		Supervision:   supervision.Policy{MaxRestarts: 3, Within: time.Minute, Backoff: supervision.Backoff{Min: 2 * time.Second, Max: 16 * time.Second}},
		BufferRecords: 100,
		BufferBytes:   10_000,
		MaxAhead:      200,
		MaxForwards:   2,
		HandOverMax:   4,
		HandOverTime:  100 * time.Millisecond,
		Doubt:         10 * time.Second,
	}
}

// conveyor runs a machine in its steady state: fetch, hand over, progress, succeed.
type conveyor struct {
	m     *Machine
	now   time.Time
	fetch Fetched
	next  Offset
	ok    Succeeded
	some  Progress
	calls []HandOver
	out   []Effect
}

func newConveyor(cfg Config, batch int) *conveyor {
	return &conveyor{
		m:     New(cfg, 1, Handoff{}),
		now:   time.Unix(1_000_000, 0),
		fetch: Fetched{Records: make([]Record, batch)},
	}
}

// turn takes one fetch through the machine.
func (c *conveyor) turn() {
	for i := range c.fetch.Records {
		c.fetch.Records[i] = Record{Offset: c.next, Lane: LaneID(c.next) % LaneID(len(c.m.lanes)), Bytes: 100, Timestamp: 1_000_000}
		c.next++
	}
	c.step(&c.fetch)
	for len(c.calls) > 0 {
		h := c.calls[len(c.calls)-1]
		c.calls = c.calls[:len(c.calls)-1]
		c.some = Progress{h.Call, len(h.Records) / 2}
		c.step(&c.some)
		c.ok = Succeeded{h.Call, time.Microsecond}
		c.step(&c.ok)
	}
}

func (c *conveyor) step(ev Event) {
	c.out = c.m.Step(c.now, ev, c.out[:0])
	for _, e := range c.out {
		if h, ok := e.(*HandOver); ok {
			c.calls = append(c.calls, *h)
		}
	}
}

// heldBack is a machine whose line is held by the first of n records, with every other one
// behind it finished: the worst pattern for a commit.
func heldBack(n int) (*Machine, time.Time) {
	cfg := benchConfig(2)
	cfg.HandOverMax, cfg.BufferRecords = n, 2*n
	m, now := New(cfg, 1, Handoff{}), time.Unix(1_000_000, 0)
	ev := Fetched{Records: make([]Record, n)}
	for i := range ev.Records {
		ev.Records[i] = Record{Offset: Offset(i), Lane: LaneID(i % 2), Timestamp: 1_000_000}
	}
	m.Step(now, &ev, nil)
	for l := &m.lanes[1]; l.handed > 0; {
		m.Step(now, &Succeeded{Call: l.handOver.Call, Took: time.Microsecond}, nil)
	}
	return m, now
}

// BenchmarkCommitAbove asks for commits of 10,000 records above a line that is held.
func BenchmarkCommitAbove(b *testing.B) {
	m, now := heldBack(10_000)
	out := make([]Effect, 0, 1)
	b.ReportAllocs()
	for b.Loop() {
		m.commit.changed, m.commit.open = true, false
		m.Step(now, &Ticked{}, out)
	}
}

func benchConfig(lanes int) Config {
	cfg := testConfig()
	cfg.Lanes, cfg.BufferRecords, cfg.BufferBytes, cfg.MaxAhead, cfg.HandOverMax = lanes, 10_000, 64<<20, 100_000, 256
	return cfg
}

// BenchmarkStep takes records through fetch, hand-over, progress and success. An
// operation is one record.
func BenchmarkStep(b *testing.B) {
	const batch = 1000
	bench := func(b *testing.B, cfg Config) {
		b.Helper()
		c := newConveyor(cfg, batch)
		c.turn()
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			if n%batch == 0 {
				c.turn()
			}
		}
		if c.m.Next() != c.next {
			b.Fatalf("line %d, want %d", c.m.Next(), c.next)
		}
	}
	for _, lanes := range []int{1, 16, 64, 1024} {
		b.Run(fmt.Sprintf("lanes=%d", lanes), func(b *testing.B) { bench(b, benchConfig(lanes)) })
	}
	b.Run("one at a time", func(b *testing.B) {
		cfg := benchConfig(16)
		cfg.HandOverMax = 1
		bench(b, cfg)
	})
	b.Run("delayed", func(b *testing.B) {
		cfg := benchConfig(16)
		cfg.Delay = time.Second
		bench(b, cfg)
	})
}
