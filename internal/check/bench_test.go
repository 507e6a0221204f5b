package check_test

import (
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
)

// longRun is a healthy history of at least n events as the simulator writes them: 12
// partitions with 8 lanes each, a commit for every 50 records of a partition, a poller, a
// sample now and then, a dead letter, a record in a hundred that is tried again, and a
// handover for every 2,000 records of a partition.
func longRun(n int) []ev {
	const partitions, lanes, keys = 12, 8, 1000
	b := &builder{}
	b.add(ev{Kind: history.Canary, Text: "hunter2"})
	for offset := int64(0); len(b.events) < n; offset++ {
		for p := range int32(partitions) {
			b.record(p, int32((offset*7+int64(p))%lanes), offset, fmt.Sprint("key-", (offset*31)%keys))
		}
	}
	for p := range int32(partitions) {
		b.add(on(p, ev{Kind: history.LogObserved, To: b.next[p]}))
		for offset := range b.next[p] {
			b.add(on(p, sum(uint64(offset)+1, found(offset))))
		}
	}
	b.add(read("t"))
	return b.events
}

type builder struct {
	events []ev
	next   [12]int64
}

func on(p int32, e ev) ev { e.Partition = p; return e }

func (b *builder) add(e ev) uint64 {
	e.Seq = uint64(len(b.events)) + 1
	e.Wall = int64(e.Seq) * 10 * micro
	if e.Topic == "" {
		e.Topic = "t"
	}
	b.events = append(b.events, e)
	return e.Seq
}

func (b *builder) record(p, l int32, offset int64, k string) {
	term := uint64(offset/2000) + 1
	inc := fmt.Sprint("m", term%3)
	mine := func(e ev) ev { e.Incarnation = inc; return on(p, epoch(term, e)) }
	if offset%2000 == 0 {
		if offset > 0 {
			old := ev{Kind: history.RevokeEnded, Incarnation: fmt.Sprint("m", (term-1)%3), Result: history.ResultDrained}
			b.add(on(p, epoch(term-1, old)))
		}
		b.add(mine(ev{Kind: history.Assigned, Offset: offset}))
	}
	b.add(on(p, ev{Kind: history.Sent, ID: "r"}))
	b.add(on(p, acked(offset)))
	if offset%10 == 0 {
		b.add(mine(ev{Kind: history.Fetched, Offset: offset, To: offset + 10}))
	}
	b.call(mine, l, offset, k, 1, offset%100 != 0)
	if offset%100 == 0 {
		b.add(mine(lane(l, ev{Kind: history.RetryScheduled, Offset: offset, Attempt: 1})))
		b.call(mine, l, offset, k, 2, true)
	}
	b.next[p] = offset + 1
	if offset%50 == 49 {
		b.add(mine(ev{Kind: history.CommitSent, Offset: offset + 1}))
		b.add(mine(ev{Kind: history.CommitAnswered, Offset: offset + 1, Result: history.ResultOK}))
		b.add(on(p, committed(offset+1)))
		b.add(mine(ev{Kind: history.Sampled, Sample: &history.Sample{Buffered: 10, MaxBuffered: 100}}))
		b.add(mine(ev{Kind: history.Logged, Text: `{"level":"info","msg":"partition resumed"}`}))
	}
}

func (b *builder) call(mine func(ev) ev, l int32, offset int64, k string, attempt int, good bool) {
	e := lane(l, ev{Offset: offset, Attempt: attempt})
	e.Kind = history.Started
	b.add(mine(e))
	enters := key(k, e)
	enters.Kind, enters.Sum = history.Enter, uint64(offset)+1
	ref := b.add(mine(enters))
	leaves := key(k, e)
	leaves.Kind, leaves.Ref, leaves.Result = history.Leave, ref, history.ResultOK
	if !good {
		leaves.Result = history.ResultError
	}
	b.add(mine(leaves))
	e.Kind, e.Result = history.Delivered, leaves.Result
	b.add(mine(e))
}

// BenchmarkJudge is the verdict on a million events, which is to take 10 s at most:
//
//	go test -run '^$' -bench Judge -benchtime 1x ./internal/check/
func BenchmarkJudge(b *testing.B) {
	events := longRun(1_000_000)
	b.ReportMetric(float64(len(events)), "events")
	for b.Loop() {
		if err := check.Judge(events, check.S1, check.S2, check.S5, check.S9, check.S11, check.S14, check.S15, check.S16, check.Poll).Err(); err != nil {
			b.Fatal(err)
		}
	}
}

// The benchmark's history is a good one, in small.
func TestALongRunIsGood(t *testing.T) {
	t.Parallel()
	r := check.Judge(longRun(20_000), check.S1, check.S2, check.S5, check.S9, check.S11, check.S14, check.S15, check.S16, check.Poll)
	if err := r.Err(); err != nil {
		t.Error(err)
	}
}
