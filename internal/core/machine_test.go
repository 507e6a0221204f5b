package core

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestNoAllocationsAbove: a commit of what is finished above a line that is held costs no
// allocation either, once its slices have grown.
func TestNoAllocationsAbove(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of all goroutines
	m, now := heldBack(10_000)
	commit := func() {
		m.commit.changed = true
		m.Step(now, &Ticked{}, nil)
		m.Step(now, &Committed{Epoch: 1, Seq: m.commit.seq, OK: true}, nil)
	}
	commit()
	if n := len(m.commit.effect.Done); n != 5_000 {
		t.Fatalf("%d runs", n)
	}
	out := make([]Effect, 0, 1)
	if got := testing.AllocsPerRun(20, func() {
		m.commit.changed = true
		m.Step(now, &Ticked{}, out)
		m.commit.open = false
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

// TestNoAllocations: the steady state, commits among it, allocates nothing.
func TestNoAllocations(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of all goroutines
	for name, delay := range map[string]time.Duration{"at once": 0, "delayed": time.Second} { //nolint:paralleltest // as above
		t.Run(name, func(t *testing.T) {
			cfg := benchConfig(16)
			cfg.Delay = delay
			c := newConveyor(cfg, 512)
			var s Stats
			turn := func() {
				c.turn()
				c.step(&Ticked{})
				c.step(&Committed{Epoch: 1, Seq: c.m.commit.seq, OK: true})
				c.m.Stats(&s)
			}
			for range 20 {
				turn() // hand-overs and queues grow to their size
			}
			if got := testing.AllocsPerRun(50, turn); got > 0 {
				t.Errorf("%.2f allocations per 512 records", got)
			}
			if c.m.Next() != c.next || s.Lanes[0].State != LaneIdle {
				t.Errorf("line %d, want %d", c.m.Next(), c.next)
			}
		})
	}
}

// TestDue tries timestamps at and beyond all limits.
func TestDue(t *testing.T) {
	t.Parallel()
	const hour, year = time.Hour, 365 * 24 * time.Hour
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	ms := now.UnixMilli()
	for _, test := range []struct {
		name        string
		at          int64
		delay, skew time.Duration
		want        int64
		capped      bool
	}{
		{"now", ms, hour, 0, ms*1e6 + int64(hour), false},
		{"past", 0, hour, 0, int64(hour), false},
		{"none", -1, hour, hour, now.UnixNano() + int64(hour), false},
		{"least", math.MinInt64, hour, hour, now.UnixNano() + int64(hour), false},
		{"at the cap", ms + 1000, hour, time.Second, (ms+1000)*1e6 + int64(hour), false},
		{"over the cap", ms + 1001, hour, time.Second, now.UnixNano() + int64(time.Second+hour), true},
		{"most", math.MaxInt64, hour, hour, now.UnixNano() + int64(hour+hour), true},
		{"next century", ms + int64(100*year/time.Millisecond), hour, hour, now.UnixNano() + int64(hour+hour), true},
		{"a long delay", ms, 290 * year, 0, math.MaxInt64, false},
		{"a long skew", math.MaxInt64, hour, 290 * year, math.MaxInt64, true},
		{"all of it", math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64, true},
	} {
		cfg := testConfig()
		cfg.Delay, cfg.MaxSkew = test.delay, test.skew
		m := New(cfg, 1, Handoff{})
		got, out := m.due(now, &Record{Timestamp: test.at}, nil)
		if got != test.want || (len(out) > 0) != test.capped {
			t.Errorf("%s: due %d, capped %t; want %d, %t", test.name, got, len(out) > 0, test.want, test.capped)
		}
	}
}

// TestWallClockSteps: due times are the wall clock's, retries the monotonic one's.
func TestWallClockSteps(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Delay = 10 * time.Second
	m := New(cfg, 1, Handoff{})
	start := scriptStart
	out := m.Step(start, &Fetched{Records: []Record{{Timestamp: start.UnixMilli()}}}, nil)
	if at := out[0].(*WakeAt).At; !at.Equal(start.Add(cfg.Delay)) {
		t.Fatalf("wake at %s", since(at))
	}
	// The wall clock was set back by 4 s while the timer ran.
	out = m.Step(start.Add(6*time.Second), &Woke{}, nil)
	if at := out[0].(*WakeAt).At; len(out) != 1 || !at.Equal(start.Add(cfg.Delay)) {
		t.Fatalf("an early wake-up: %+v", out)
	}
	out = m.Step(start.Add(10*time.Second), &Woke{}, nil)
	if h, ok := out[0].(*HandOver); !ok || h.Due != start.Add(cfg.Delay).UnixNano() {
		t.Fatalf("due: %+v", out)
	}
}

// TestLanes: every hash has a lane, and each lane its share.
func TestLanes(t *testing.T) {
	t.Parallel()
	cfg := testConfig()
	cfg.Lanes = 7
	m := New(cfg, 1, Handoff{})
	got := map[LaneID]int{}
	for i := range uint64(700) {
		l := m.Acquire(i * (math.MaxUint64 / 700))
		if l < 0 || l >= 7 {
			t.Fatalf("lane %d", l)
		}
		got[l]++
	}
	for l, n := range got {
		if n < 99 || n > 101 {
			t.Errorf("lane %d has %d of 700 hashes", l, n)
		}
	}
	if m.Acquire(0) != 0 || m.Acquire(math.MaxUint64) != 6 {
		t.Errorf("the ends: %d, %d", m.Acquire(0), m.Acquire(math.MaxUint64))
	}
}

// TestNames: all states and reasons have one.
func TestNames(t *testing.T) {
	t.Parallel()
	var names []string
	for r := range reasons + 1 {
		names = append(names, r.String())
	}
	for s := range laneStates + 1 {
		names = append(names, s.String())
	}
	want := []string{
		"back-pressure", "delay", "retry", "ahead", "operator", "gap", "key-by", "stopped", "invalid",
		"idle", "active", "waiting", "stopped", "quarantined", "forwarding", "invalid",
	}
	if !slices.Equal(names, want) {
		t.Errorf("got %q", names)
	}
}

// TestForwardHoldsLine: for as long as the dead letter topic refuses.
func TestForwardHoldsLine(t *testing.T) {
	t.Parallel()
	m := New(testConfig(), 1, Handoff{})
	now := scriptStart
	out := m.Step(now, &Fetched{Records: []Record{{Offset: 0}, {Offset: 1}}}, nil)
	out = m.Step(now, &Failed{Call: out[0].(*HandOver).Call, Result: Result{Kind: Discard}}, nil)
	f := out[0].(*Forward)
	m.Step(now, &Succeeded{Call: out[1].(*HandOver).Call}, nil)
	for try := range 50 {
		m.Step(now, &Forwarded{Epoch: 1, Seq: f.Seq, Err: errors.New("no")}, nil)
		now = now.Add(4 * time.Second) // the most that it waits
		if out = m.Step(now, &Woke{}, nil); len(out) != 1 || out[0] != Effect(f) {
			t.Fatalf("try %d: %v", try, out)
		}
		for _, e := range m.Step(now, &Ticked{}, nil) {
			c, ok := e.(*Commit)
			if !ok || c.Next > 0 {
				t.Fatalf("S2: commit %+v past a dead letter that is not acknowledged", e)
			}
			m.Step(now, &Committed{Epoch: 1, Seq: c.Seq, OK: true}, nil)
		}
	}
	m.Step(now, &Forwarded{Epoch: 1, Seq: f.Seq}, nil)
	if m.Next() != 2 {
		t.Errorf("line %d, want 2", m.Next())
	}
}

// TestQueue compares with a plain slice.
func TestQueue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var q queue[*int]
		var want []*int
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if n := len(want); n > 0 && rapid.IntRange(0, 2).Draw(t, "drop") == 0 {
				n = rapid.IntRange(1, n).Draw(t, "dropped")
				q.drop(n)
				want = want[n:]
			} else {
				v := new(int)
				q.push(v)
				want = append(want, v)
			}
			if !slices.Equal(q.front(q.len()), want) {
				t.Fatalf("got %v, want %v", q.front(q.len()), want)
			}
			for _, v := range q.items[:q.head] {
				if v != nil {
					t.Fatal("holds on to what was dropped")
				}
			}
		}
	})
}

// TestQueueMoves: what is left moves to the front only where the memory is full and half
// of it is free, so that it neither grows for ever nor is copied for every push.
func TestQueueMoves(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ items, room, dropped, head int }{
		{8, 8, 3, 3}, // grows
		{8, 8, 4, 0},
		{8, 8, 7, 0},
		{7, 8, 3, 3}, // there is room
		{7, 8, 6, 6},
	} {
		q := queue[int]{items: make([]int, test.items, test.room)}
		q.drop(test.dropped)
		q.push(1)
		if q.head != test.head || q.len() != test.items-test.dropped+1 {
			t.Errorf("%+v: the head is at %d, of %d", test, q.head, q.len())
		}
	}
	var q queue[int]
	for range 10 {
		q.push(0)
	}
	for range 10_000 {
		q.push(0)
		q.drop(1)
	}
	if cap(q.items) > 64 {
		t.Errorf("room for %d, where at most 11 were queued", cap(q.items))
	}
}

// TestStrangers: a report of a lane that there is not changes nothing.
func TestStrangers(t *testing.T) {
	t.Parallel()
	m := New(testConfig(), 1, Handoff{})
	m.Step(scriptStart, &Fetched{Records: []Record{{Offset: 0}}}, nil)
	for _, id := range []LaneID{-1, LaneID(testConfig().Lanes), math.MaxInt32} {
		if out := m.Step(scriptStart, &Succeeded{Call: Call{Epoch: 1, Lane: id, Seq: 1}}, nil); len(out) > 0 || m.Next() > 0 {
			t.Errorf("lane %d: %v, line %d", id, out, m.Next())
		}
	}
}

// TestTimers compares with a search through all lanes.
func TestTimers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lanes := make([]lane, 9)
		var timers timers
		want := map[*lane]time.Time{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			l := &lanes[rapid.IntRange(0, 8).Draw(t, "lane")]
			at := time.Time{}
			if s := rapid.IntRange(0, 20).Draw(t, "at"); s > 0 {
				at = scriptStart.Add(time.Duration(s) * time.Second)
				want[l] = at
			} else {
				delete(want, l)
			}
			timers.set(l, at)
			var first time.Time
			for _, at := range want {
				if first.IsZero() || at.Before(first) {
					first = at
				}
			}
			if got := timers.earliest(); !got.Equal(first) || len(timers.lanes) != len(want) {
				t.Fatalf("earliest %s of %d, want %s of %d", since(got), len(timers.lanes), since(first), len(want))
			}
			if l := timers.due(first.Add(-1)); l != nil {
				t.Fatalf("due early: %s", since(l.wake))
			}
			if l := timers.due(first); !first.IsZero() && (l == nil || !want[l].Equal(first)) {
				t.Fatal("not due in time")
			}
		}
	})
}
