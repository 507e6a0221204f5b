package core

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestOffsets finishes records of several blocks in any order, against a list.
func TestOffsets(t *testing.T) {
	t.Parallel()
	most := 0
	rapid.Check(t, func(t *rapid.T) {
		type item struct {
			at       Offset
			finished bool
		}
		var o offsets
		var all []item
		check := func() {
			o.advance()
			line, ahead, runs, joined := o.tail, 0, []Run(nil), false
			for i := len(all) - 1; i >= 0; i-- {
				if !all[i].finished {
					line = all[i].at
				}
			}
			for _, it := range all {
				if it.at < line {
					continue
				}
				ahead++
				switch {
				case !it.finished:
					joined = false
				case joined:
					runs[len(runs)-1].To = it.at + 1
				default:
					runs = append(runs, Run{From: it.at, To: it.at + 1})
					joined = true
				}
			}
			if o.line != line || o.ahead() != ahead || fmt.Sprint(o.runs(nil)) != fmt.Sprint(runs) {
				t.Fatalf("line %d ahead %d runs %v, want %d %d %v", o.line, o.ahead(), o.runs(nil), line, ahead, runs)
			}
			most = max(most, len(runs))
		}
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			for range rapid.IntRange(0, 150).Draw(t, "records") {
				at := o.tail + rapid.SampledFrom([]int64{0, 0, 0, 1, 7}).Draw(t, "hole")
				if place := o.add(at); place != uint64(len(all)) {
					t.Fatalf("place %d of record %d", place, len(all))
				}
				all = append(all, item{at: at})
			}
			check()
			order := rapid.Permutation(upTo(len(all))).Draw(t, "order")
			for _, i := range order[:rapid.IntRange(0, len(all)).Draw(t, "finished")] {
				if !all[i].finished {
					all[i].finished = true
					o.finish(uint64(i))
				}
			}
			check()
			if rapid.Bool().Draw(t, "gap") {
				o.skip(o.tail + 5)
				check()
			}
		}
	})
	if most < 10 {
		t.Errorf("at most %d runs at a time", most)
	}
}

func upTo(n int) []int {
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	return p
}

// TestOffsetsKeepRuns: a finished block keeps its ends, not its records.
func TestOffsetsKeepRuns(t *testing.T) {
	t.Parallel()
	var o offsets
	const n = 100 * blockSize
	for i := range Offset(n) {
		o.add(2 * i)
	}
	for i := range uint64(n - 1) {
		o.finish(i + 1)
	}
	o.advance()
	kept := 0
	for i := range o.blocks.len() {
		if o.blocks.at(i).offsets != nil {
			kept++
		}
	}
	if kept != 1 || o.ahead() != n || o.line != 0 {
		t.Errorf("%d blocks keep their offsets, ahead %d, line %d; want 1, %d, 0", kept, o.ahead(), o.line, n)
	}
	o.finish(0)
	o.advance()
	if o.line != 2*n-1 || o.blocks.len() != 0 || len(o.spare) != 100 {
		t.Errorf("line %d, %d blocks, %d spare; want %d, 0, 100", o.line, o.blocks.len(), len(o.spare), 2*n-1)
	}
}

// TestOffsetsBlocks: runs and the line where blocks meet. Offset 2i is at place i.
func TestOffsetsBlocks(t *testing.T) {
	t.Parallel()
	const b = blockSize
	for name, test := range map[string]struct {
		finish [][2]uint64 // places, [from, to); the line advances after each
		line   Offset
		ahead  int
		runs   string
	}{
		"a block alone":             {[][2]uint64{{b, 2 * b}}, 0, 4 * b, "[{128 255}]"},
		"a block, and behind a gap": {[][2]uint64{{b, 2 * b}, {2*b + 1, 2*b + 2}}, 0, 4 * b, "[{128 255} {258 259}]"},
		"two blocks and a part":     {[][2]uint64{{b, 3 * b}, {3 * b, 3*b + 2}}, 0, 4 * b, "[{128 387}]"},
		"a part, then its block":    {[][2]uint64{{0, 10}, {10, b}}, 2 * b, 3 * b, "[]"},
		"a part, then two blocks":   {[][2]uint64{{0, 10}, {10, 2 * b}, {2*b + 3, 2*b + 4}}, 4 * b, 2 * b, "[{262 263}]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var o offsets
			for i := range Offset(4 * b) {
				o.add(2 * i)
			}
			for _, f := range test.finish {
				for place := f[0]; place < f[1]; place++ {
					o.finish(place)
				}
				o.advance()
			}
			if got := fmt.Sprint(o.runs(nil)); o.line != test.line || o.ahead() != test.ahead || got != test.runs {
				t.Errorf("line %d ahead %d runs %s, want %d %d %s", o.line, o.ahead(), got, test.line, test.ahead, test.runs)
			}
		})
	}
}

// TestInvariants: what must not happen panics, and says what was seen.
func TestInvariants(t *testing.T) {
	t.Parallel()
	step := func(events ...Event) func() {
		return func() {
			m := New(testConfig(), 1, Handoff{Next: 5})
			for _, ev := range events {
				m.Step(scriptStart, ev, nil)
			}
		}
	}
	broken := func(breaks, then func(*Machine)) func() {
		return func() {
			m := New(testConfig(), 1, Handoff{})
			breaks(m)
			then(m)
		}
	}
	throttle := func(m *Machine) { m.throttle(nil) }
	serveWaiting := func(m *Machine) { m.serveWaiting(scriptStart, nil) }
	without := func(set func(*Config)) func() {
		return func() {
			cfg := testConfig()
			set(&cfg)
			New(cfg, 1, Handoff{})
		}
	}
	fetch := &Fetched{Records: []Record{{Offset: 7}, {Offset: 8}}}
	call := Call{Epoch: 1, Seq: 1}
	for name, test := range map[string]struct {
		does func()
		says string
	}{
		"below the line":      {step(&Fetched{Records: []Record{{Offset: 4}}}), "offset 4 was fetched below 5"},
		"twice":               {step(fetch, fetch), "offset 7 was fetched below 9"},
		"moved back":          {step(fetch, &Repositioned{Gen: 1, To: 8}), "repositioned to 8, below 9"},
		"too much progress":   {step(fetch, &Progress{Call: call, Done: 3}), "3 of 2 records complete"},
		"failed past the end": {step(fetch, &Failed{Call: call, Done: 2}), "record 2 of 2 failed"},
		"progress taken back": {step(fetch, &Progress{Call: call, Done: 1}, &Failed{Call: call}), "0 of 2 records complete, 1 before"},
		"a reason of our own": {step(&Paused{Ahead}), "pause for ahead from outside"},
		"finished twice":      {func() { var o offsets; o.add(1); o.finish(0); o.finish(0) }, "finished twice"},
		"not delivered":       {func() { var o offsets; o.add(1); o.finish(1) }, "record 1 of 1 is finished"},
		"no lanes":            {without(func(c *Config) { c.Lanes = 0 }), "config {"},
		"no hand-over":        {without(func(c *Config) { c.HandOverMax = 0 }), "config {"},
		"no forward":          {without(func(c *Config) { c.MaxForwards = 0 }), "config {"},
		"too few records":     {broken(func(m *Machine) { m.buffered = -1 }, throttle), "-1 records of 0 bytes"},
		"too few bytes":       {broken(func(m *Machine) { m.bytes = -1 }, throttle), "0 records of -1 bytes"},
		"too few calls":       {broken(func(m *Machine) { m.calls = -1 }, throttle), "-1 calls"},
		"too few forwards":    {broken(func(m *Machine) { m.forwards.flying = -1 }, serveWaiting), "-1 forwards fly of 0"},
		"too many forwards":   {broken(func(m *Machine) { m.forwards.flying = 1 }, serveWaiting), "1 forwards fly of 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if r := recover(); !strings.Contains(fmt.Sprint(r), test.says) {
					t.Errorf("got %v, want %q", r, test.says)
				}
			}()
			test.does()
		})
	}
}
