// Package probe watches a runtime while it runs for what a finished history cannot tell:
// that it goes on (L2, L3, L6), that it ends in time (L4) and leaves nothing behind (L7).
//
// A [Probe] is a hook, and is sampled: it compares the runtime's Stats with what an
// independent observer reads from the broker. It knows no clock but the time that it is
// given, so it works in a synctest bubble, too. What it finds is a violation only where no
// fault is active: whoever uses it says so by Config.Stable, and asks it no more than that.
package probe

import (
	"fmt"
	"sync"
	"time"

	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// The probes, by the promise that they watch.
const (
	L1 = "L1" // the backlog is drained and committed: judged by whoever knows its end
	L2 = "L2" // nothing finished stays uncommitted
	L3 = "L3" // what holds work returns results
	L4 = "L4" // drains and stops end within their budgets
	L6 = "L6" // a pause has a live reason, and a wake-up where it waits for a time
	L7 = "L7" // nothing is left of a runtime that has stopped: see Leaks

	// Sampler is a sampler that fails: it would be silent about all the others.
	Sampler = "sampler"
)

// Source is what is sampled: a [runtime.Runtime].
type Source interface{ Stats() runtime.Stats }

// SourceFunc is a Source that is a function, for a probe that is a hook of a runtime that
// is not there yet.
type SourceFunc func() runtime.Stats

// Stats calls f.
func (f SourceFunc) Stats() runtime.Stats { return f() }

// Config is what a probe has to know. Durations are required.
type Config struct {
	// CommitInterval, DrainTimeout, CommitTimeout and ShutdownTimeout are the runtime's.
	CommitInterval, DrainTimeout, CommitTimeout, ShutdownTimeout time.Duration

	// Stall is how long no result is taken for slow: three times the heaviest call, at
	// least.
	Stall time.Duration

	// Committed is what an independent observer reads from the broker; -1: nothing.
	Committed func(topic string, partition int32) (int64, error)

	// Stable reports that the group is stable and no fault is active. What was going on
	// before it was not counts for nothing.
	//
	// Defaults to always.
	Stable func() bool
}

// Finding is what a probe found.
type Finding struct {
	Probe string
	What  string
	At    time.Time
}

// String is the finding on a line.
func (f Finding) String() string { return f.Probe + ": " + f.What }

const (
	intervalsMax = 6  // commit intervals in which a line has to be committed
	failuresMax  = 10 // of a sampler in a row
	slack        = time.Second
)

// Probe watches one runtime. It is safe for concurrent use.
type Probe struct {
	cfg    Config
	source Source

	mu         sync.Mutex // guards what follows
	partitions map[observe.TopicPartition]*watched
	results    string // all of what counts as one, at the last sample
	resulted   time.Time
	failures   int
	ends       map[string]time.Time // what has to be over, and by when
	told       map[string]bool
	findings   []Finding
	compared   map[string]int
}

// watched is what is known of a partition. A zero time is not running.
type watched struct {
	committed int64
	behind    time.Time // since when the line is above what is committed, which stands
	next      int64
	idle      time.Time // since when it is not fetched, for no reason, with a lag
	dead      time.Time // since when no reason of its pause is live
}

// New makes the probe of a runtime, which may be one that has not run yet.
func New(source Source, cfg Config) *Probe {
	if cfg.Stable == nil {
		cfg.Stable = func() bool { return true }
	}
	return &Probe{
		cfg: cfg, source: source, partitions: map[observe.TopicPartition]*watched{},
		ends: map[string]time.Time{}, told: map[string]bool{}, compared: map[string]int{},
	}
}

// Findings are those so far, each once.
func (p *Probe) Findings() []Finding {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Finding(nil), p.findings...)
}

// Compared is how often each probe had something to judge.
func (p *Probe) Compared() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[string]int{}
	for name, n := range p.compared {
		out[name] = n
	}
	return out
}

// found tells of each subject once.
func (p *Probe) found(at time.Time, probe, subject, format string, args ...any) {
	if key := probe + subject; !p.told[key] {
		p.told[key] = true
		p.findings = append(p.findings, Finding{probe, subject + ": " + fmt.Sprintf(format, args...), at})
	}
}

// Sample looks at the runtime once. It is called every commit interval or so.
func (p *Probe) Sample(now time.Time) {
	stats := p.source.Stats()
	committed, err := p.read(stats)
	stable := p.cfg.Stable()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.overdue(now)
	if err != nil {
		if p.failures++; p.failures == failuresMax {
			p.found(now, Sampler, "the sampler", "failed %d times in a row: %v", p.failures, err)
		}
		return
	}
	p.failures = 0
	if !stable {
		clear(p.partitions)
		p.resulted = time.Time{}
		return
	}
	p.forget(stats)
	for i := range stats.Partitions {
		s := &stats.Partitions[i]
		tp := observe.TopicPartition{Topic: s.Topic, Partition: s.Partition}
		w := p.partitions[tp]
		if w == nil {
			w = &watched{committed: -1, next: s.Next}
			p.partitions[tp] = w
		}
		p.uncommitted(now, tp, w, s, committed[tp])
		p.paused(now, tp, w, s)
		p.starved(now, tp, w, s)
	}
	p.stalled(now, stats)
}

// read asks the observer about every partition.
func (p *Probe) read(stats runtime.Stats) (map[observe.TopicPartition]int64, error) {
	out := map[observe.TopicPartition]int64{}
	for i := range stats.Partitions {
		s := &stats.Partitions[i]
		if s.Unresponsive {
			return nil, fmt.Errorf("%s/%d: its supervisor does not answer", s.Topic, s.Partition) //nolint:err113 // it is told, not handled
		}
		offset, err := p.cfg.Committed(s.Topic, s.Partition)
		if err != nil {
			return nil, fmt.Errorf("committed offset of %s/%d: %w", s.Topic, s.Partition, err)
		}
		out[observe.TopicPartition{Topic: s.Topic, Partition: s.Partition}] = offset
	}
	return out, nil
}

// forget lets go of partitions that the runtime does not have any more.
func (p *Probe) forget(stats runtime.Stats) {
	have := map[observe.TopicPartition]bool{}
	for i := range stats.Partitions {
		have[observe.TopicPartition{Topic: stats.Partitions[i].Topic, Partition: stats.Partitions[i].Partition}] = true
	}
	for tp := range p.partitions {
		if !have[tp] {
			delete(p.partitions, tp)
		}
	}
}
