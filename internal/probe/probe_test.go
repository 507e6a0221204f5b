package probe_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/internal/probe"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// fake is a runtime of one partition, and what is committed of it.
type fake struct {
	stats     runtime.PartitionStats
	none      bool // it has no partition
	committed int64
	err       error
	unstable  bool
}

func (f *fake) Stats() runtime.Stats {
	if f.none {
		return runtime.Stats{}
	}
	s := f.stats
	s.Topic = "t"
	return runtime.Stats{Partitions: []runtime.PartitionStats{s}}
}

func (f *fake) probe() *probe.Probe {
	return probe.New(f, probe.Config{
		CommitInterval: time.Second, DrainTimeout: 10 * time.Second, CommitTimeout: 5 * time.Second, ShutdownTimeout: 25 * time.Second,
		Stall:     30 * time.Second,
		Committed: func(string, int32) (int64, error) { return f.committed, f.err },
		Stable:    func() bool { return !f.unstable },
	})
}

var begin = time.Unix(1000, 0)

// lane is one that works, or could.
func lane(state string, head int64) []runtime.LaneStats {
	return []runtime.LaneStats{{State: state, Queued: 1, Head: head}}
}

func held(state string, reasons ...string) runtime.PartitionStats {
	return runtime.PartitionStats{PauseReasons: reasons, Buffered: 1, Lanes: lane(state, 0)}
}

type sampled struct {
	name  string
	fake  fake
	each  func(f *fake, second int) // before each sample; nil: nothing changes
	probe string                    // that has to have compared something
	want  string                    // what the only finding contains; empty: none
}

// watch samples a fake for a minute, each second.
func watch(t *testing.T, cases []sampled) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := c.fake
			p := f.probe()
			for second := range 60 {
				if c.each != nil {
					c.each(&f, second)
				}
				p.Sample(begin.Add(time.Duration(second) * time.Second))
			}
			if c.probe != "" && p.Compared()[c.probe] == 0 {
				t.Errorf("%s compared nothing", c.probe)
			}
			wantFinding(t, p, c.want)
		})
	}
}

func wantFinding(t *testing.T, p *probe.Probe, want string) {
	t.Helper()
	got := p.Findings()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("found %v, want nothing", got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0].String(), want)):
		t.Errorf("found %v, want one with %q", got, want)
	}
}

func TestUncommitted(t *testing.T) {
	t.Parallel()
	ahead := runtime.PartitionStats{Next: 5}
	watch(t, []sampled{
		{"committed", fake{stats: ahead, committed: 5}, nil, probe.L2, ""},
		{"nothing to commit", fake{committed: -1}, nil, probe.L2, ""},
		{"it follows", fake{}, func(f *fake, s int) { f.stats.Next, f.committed = int64(s+5), int64(s) }, probe.L2, ""},
		{"it follows slowly", fake{}, func(f *fake, s int) { f.stats.Next, f.committed = int64(s+5), int64(s/6) }, probe.L2, ""},
		{"it stands while there are faults", fake{stats: ahead, unstable: true}, nil, "", ""},
		{"and now and then", fake{stats: ahead}, func(f *fake, s int) { f.unstable = s%7 == 0 }, probe.L2, ""},
		{"of a partition that comes and goes", fake{stats: ahead}, func(f *fake, s int) { f.none = s%7 == 0 }, probe.L2, ""},

		{"it stands", fake{stats: ahead}, nil, probe.L2, "L2: t/0: the line is 5, and 0 has been committed for 7s"},
		{"nothing is committed at all", fake{stats: ahead, committed: -1}, nil, probe.L2, "-1 has been committed"},
		{"it stands while the line moves", fake{}, func(f *fake, s int) { f.stats.Next = int64(s) }, probe.L2, "L2"},
		{"it stands when it has moved", fake{}, func(f *fake, s int) { f.stats.Next, f.committed = int64(s+1), int64(min(s, 20)) }, probe.L2, "20 has been committed"},
	})
}

func TestStalled(t *testing.T) {
	t.Parallel()
	active := runtime.PartitionStats{Buffered: 1, Lanes: lane("active", 0)}
	watch(t, []sampled{
		{"idle", fake{}, nil, "", ""},
		{"it works", fake{stats: active}, func(f *fake, s int) { f.stats.Lanes = lane("active", int64(s/25)) }, probe.L3, ""},
		{"attempts are results", fake{stats: active}, func(f *fake, s int) {
			f.stats.Lanes = []runtime.LaneStats{{State: "active", Queued: 1, Attempt: s / 25}}
		}, probe.L3, ""},
		{"it waits", fake{stats: held("waiting")}, nil, "", ""},
		{"a quarantined lane", fake{stats: held("quarantined")}, nil, "", ""},
		{"a stopped one", fake{stats: held("stopped")}, nil, "", ""},
		{"its work went away", fake{stats: active}, func(f *fake, s int) { f.none = s%20 == 0 }, probe.L3, ""},

		{"it stalls", fake{stats: active}, nil, probe.L3, "L3: the runtime: it holds work and has returned no result for 31s"},
		{"it stalls in the end", fake{stats: active}, func(f *fake, s int) { f.stats.Lanes = lane("active", int64(min(s, 20))) }, probe.L3, "L3"},
		{"beside a quarantined lane", fake{stats: active}, func(f *fake, _ int) {
			f.stats.Lanes = append(lane("quarantined", 0), lane("active", 1)...)
		}, probe.L3, "L3"},
	})
}

func TestPaused(t *testing.T) {
	t.Parallel()
	waits := func(reason string, until time.Duration) runtime.PartitionStats {
		s := held("waiting", reason)
		s.WaitingUntil = begin.Add(until)
		return s
	}
	inFlight, forwarding := held("forwarding", "back-pressure"), held("forwarding", "ahead")
	inFlight.InFlight, forwarding.Forwarding = 1, 1
	behind, refused := runtime.PartitionStats{Lag: 3}, held("idle", "ahead")
	refused.Next = 1000
	watch(t, []sampled{
		{"not paused", fake{}, nil, "", ""},
		{"an operator", fake{stats: held("idle", "operator")}, nil, probe.L6, ""},
		{"a gap", fake{stats: held("idle", "gap")}, nil, probe.L6, ""},
		{"a delay", fake{stats: waits("delay", time.Hour)}, nil, probe.L6, ""},
		{"a retry", fake{stats: waits("retry", time.Hour)}, nil, probe.L6, ""},
		{"full and at work", fake{stats: inFlight}, nil, probe.L6, ""},
		{"ahead of a dead letter", fake{stats: forwarding}, nil, probe.L6, ""},
		{"ahead of what is committed", fake{stats: refused}, func(f *fake, s int) { f.committed = int64(s / 2) }, probe.L6, ""},
		{"ahead of a hung call", fake{stats: held("quarantined", "ahead")}, nil, probe.L6, ""},
		{"full of what a stopped lane holds", fake{stats: held("stopped", "stopped")}, nil, probe.L6, ""},
		{"one of two", fake{stats: held("idle", "delay", "operator")}, nil, probe.L6, ""},
		{"for a moment", fake{}, func(f *fake, s int) {
			if f.stats = held("idle"); s%3 == 0 {
				f.stats = held("idle", "delay")
			}
		}, probe.L6, ""},
		{"it wakes late, by a little", fake{}, func(f *fake, s int) { f.stats = waits("delay", time.Duration(s)*time.Second-time.Millisecond) }, probe.L6, ""},
		{"behind, and moving", fake{stats: behind}, func(f *fake, s int) { f.stats.Next = int64(s / 25); f.committed = f.stats.Next }, probe.L6, ""},

		{"a delay without a wake-up", fake{stats: held("waiting", "delay")}, nil, probe.L6, "L6: t/0: paused for [delay], and nothing ends that"},
		{"a wake-up that has passed", fake{stats: waits("retry", 5*time.Second)}, nil, probe.L6, "L6: t/0: paused for [retry]"},
		{"full of nothing", fake{stats: held("idle", "back-pressure")}, nil, probe.L6, "[back-pressure]"},
		{"ahead of nothing", fake{stats: held("idle", "ahead")}, nil, probe.L6, "[ahead]"},
		{"no lane is stopped", fake{stats: held("idle", "stopped")}, nil, probe.L6, "[stopped]"},
		{"a reason nobody knows", fake{stats: held("idle", "mood")}, nil, probe.L6, "[mood]"},
		{"none of two", fake{stats: held("idle", "delay", "stopped")}, nil, probe.L6, "[delay stopped]"},
		{"paused and nobody knows", fake{stats: behind}, nil, probe.L6, "L6: t/0: not paused, 3 behind, and nothing has been fetched for 31s"},
	})
}

func TestASamplerThatFails(t *testing.T) {
	t.Parallel()
	lost := errors.New("no broker")
	watch(t, []sampled{
		{"nine times", fake{}, func(f *fake, s int) {
			if f.err = lost; s%10 == 9 {
				f.err = nil
			}
		}, "", ""},
		{"ten times", fake{err: lost}, nil, "", "sampler: the sampler: failed 10 times in a row: committed offset of t/0: no broker"},
		{"a supervisor that does not answer", fake{stats: runtime.PartitionStats{Unresponsive: true}}, nil, "", "t/0: its supervisor does not answer"},
	})
}

func TestEnds(t *testing.T) {
	t.Parallel()
	tp := observe.TopicPartition{Topic: "t"}
	for _, c := range []struct {
		name       string
		begin, end observe.Event // nil: it does not end
		after      time.Duration
		want       string
	}{
		{"a drain", observe.RevokeBegan{TP: tp, Epoch: 1}, observe.RevokeEnded{TP: tp, Epoch: 1}, 16 * time.Second, ""},
		{"a drain that ends in a loss", observe.RevokeBegan{TP: tp, Epoch: 1}, observe.Lost{TP: tp, Epoch: 1}, time.Second, ""},
		{"a stop", observe.ShutdownBegan{}, observe.ShutdownEnded{}, 26 * time.Second, ""},
		{"an end alone", observe.Rejoined{}, observe.ShutdownEnded{}, time.Hour, ""},

		{"a slow drain", observe.RevokeBegan{TP: tp, Epoch: 1}, observe.RevokeEnded{TP: tp, Epoch: 1}, 17 * time.Second, "L4: the drain of t/0, epoch 1: it has ended 2s over its budget"},
		{"another epoch's end", observe.RevokeBegan{TP: tp, Epoch: 1}, observe.RevokeEnded{TP: tp, Epoch: 2}, 17 * time.Second, "L4: the drain of t/0, epoch 1: it goes on"},
		{"a drain without an end", observe.RevokeBegan{TP: tp, Epoch: 1}, nil, 17 * time.Second, "it goes on, 2s over its budget"},
		{"a slow stop", observe.ShutdownBegan{}, observe.ShutdownEnded{}, 27 * time.Second, "L4: the shutdown: it has ended"},
		{"a stop without an end", observe.ShutdownBegan{}, nil, 27 * time.Second, "L4: the shutdown: it goes on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &fake{none: true, unstable: true}
			p := f.probe()
			var hook observe.Hook = p
			hook.OnEvent(begin, c.begin)
			p.Sample(begin)
			if c.end != nil {
				hook.OnEvent(begin.Add(c.after), c.end)
			}
			p.Sample(begin.Add(c.after))
			p.Sample(begin.Add(c.after))
			wantFinding(t, p, c.want)
		})
	}
}

// Stacks of goroutines that are no runtime's are no leaks. That a runtime's are is shown
// where runtimes are: see package scenarios.
func TestLeaks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		go func() { <-hang }()
		synctest.Wait()
		if got := probe.Leaks(); len(got) > 0 {
			t.Errorf("leaks: %v", got)
		}
		close(hang)
	})
}
