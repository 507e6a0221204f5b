//go:build synctests && failpoints

package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/sim"
)

// busy is a plan of two members with records all along.
func busy(faults ...sim.Fault) *sim.Plan {
	p := small(faults...)
	p.Members = []sim.Member{{Name: "m1"}, {Name: "m2"}}
	p.Producers[0].Records, p.Producers[0].Batch, p.Producers[0].Every = 2000, 20, sim.Duration(400*time.Millisecond)
	p.Producers[0].Tx = false
	session := sim.Duration(6 * time.Second)
	p.Group = sim.Group{
		Session: session, Rebalance: session, Drain: session / 3, Commit: session / 4, Interval: session / 6, Shutdown: session, FetchWait: session / 12,
	}
	return p
}

// played plays a plan that has to be clean.
func played(t *testing.T, p *sim.Plan) *sim.Result {
	t.Helper()
	r := sim.Play(t, p)
	for _, v := range r.Violations {
		t.Fatal(v)
	}
	return r
}

// A run falls into what came before a fault, while it was there, and then.
const (
	before = iota
	during
	after
)

// phases count the events of a member by the phase of the faults of a kind, which overlap.
func phases(r *sim.Result, member, kind string) [3]map[history.Kind]int {
	did, now, faults := [3]map[history.Kind]int{{}, {}, {}}, before, 0
	for i := range r.Events {
		e := &r.Events[i]
		switch {
		case e.Kind == history.Fault && e.Text == kind && e.Result == history.ResultBegin:
			now = during
			faults++
		case e.Kind == history.Fault && e.Text == kind:
			if faults--; faults == 0 {
				now = after
			}
		case strings.HasPrefix(e.Incarnation, member+"."):
			did[now][e.Kind]++
		}
	}
	return did
}

// By all that it does a frozen member is not there; before and afterwards it is. That the
// session is over it notices when it thaws, which is when the last freeze ends.
func TestAFrozenMemberStandsStill(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		freezes [][2]time.Duration // from, to
	}{
		{"one", [][2]time.Duration{{10 * time.Second, 30 * time.Second}}},
		{"one in another", [][2]time.Duration{{10 * time.Second, 30 * time.Second}, {12 * time.Second, 14 * time.Second}}},
		{"one behind another", [][2]time.Duration{{10 * time.Second, 14 * time.Second}, {12 * time.Second, 17 * time.Second}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var faults []sim.Fault
			for _, f := range test.freezes {
				faults = append(faults, sim.Fault{Kind: sim.FaultFreeze, Member: "m1", At: sim.Duration(f[0]), For: sim.Duration(f[1] - f[0])})
			}
			standsStill(t, played(t, busy(faults...)))
		})
	}
}

func standsStill(t *testing.T, r *sim.Result) {
	t.Helper()
	did := phases(r, "m1", sim.FaultFreeze)
	for _, kind := range []history.Kind{history.Fetched, history.Started, history.Enter, history.CommitSent, history.CommitAnswered} {
		if did[before][kind] == 0 || did[during][kind] > 0 || did[after][kind] == 0 {
			t.Errorf("%s: %d, then %d while it was frozen, then %d", kind, did[before][kind], did[during][kind], did[after][kind])
		}
	}
	if did[during][history.Lost] > 0 || did[after][history.Lost] == 0 {
		t.Errorf("lost: %d while it was frozen, %d then", did[during][history.Lost], did[after][history.Lost])
	}
	if r.Reached["frozen past the session and thawed"] != 1 {
		t.Errorf("reached %v", r.Reached)
	}
}

func TestAFailpointBreaksAStep(t *testing.T) {
	t.Parallel()
	at, lag, long := sim.Duration(5*time.Second), sim.Duration(500*time.Millisecond), sim.Duration(20*time.Second)
	for _, test := range []struct {
		fault sim.Fault
		path  string // that is taken then
		trace string // and what else is
	}{
		{sim.Fault{Kind: sim.FaultPointFails, Point: "answer", Count: 2}, "a failpoint failed", "commit unknown"},
		{sim.Fault{Kind: sim.FaultPointStalls, Point: "poll", Count: 2, Lag: lag}, "a failpoint stalled", ""},
		{sim.Fault{Kind: sim.FaultPointPanics, Point: "reported", Count: 2}, "a failpoint panicked", "partition rebuilt"},
	} {
		t.Run(test.fault.Kind, func(t *testing.T) {
			t.Parallel()
			test.fault.Member, test.fault.At, test.fault.For = "m1", at, long
			r := played(t, busy(test.fault))
			if r.Hits[0] != 2 || r.Reached[test.path] != 2 {
				t.Errorf("%d hits, %d in the history, want 2", r.Hits[0], r.Reached[test.path])
			}
			if test.trace != "" && r.Reached[test.trace] == 0 {
				t.Errorf("%s was not reached: %v", test.trace, r.Reached)
			}
		})
	}
}

func TestAPointThatIsNoneIsNoRun(t *testing.T) {
	t.Parallel()
	r := sim.Play(t, small(sim.Fault{Kind: sim.FaultRehash}, sim.Fault{Kind: sim.FaultPointFails, Member: "m1", Point: "nowhere"}))
	if len(r.Violations) != 1 || !strings.HasPrefix(r.Violations[0], "SIM: ") {
		t.Errorf("violations %q, want SIM", r.Violations)
	}
}

// Forward, the session is over by the clock of the wall. Back, nothing is, until it goes
// right again, which is forward.
func TestAClockJumps(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		by   time.Duration
		lost int
	}{{time.Hour, during}, {-time.Hour, after}} {
		t.Run(test.by.String(), func(t *testing.T) {
			t.Parallel()
			r := played(t, busy(sim.Fault{
				Kind: sim.FaultClockJumps, Member: "m1", Lag: sim.Duration(test.by), At: sim.Duration(10 * time.Second), For: sim.Duration(10 * time.Second),
			}))
			if r.Hits[0] != 1 {
				t.Errorf("%d hits, want 1", r.Hits[0])
			}
			for phase, did := range phases(r, "m1", sim.FaultClockJumps) {
				if lost := did[history.Lost] > 0; lost != (phase == test.lost) {
					t.Errorf("phase %d: lost %d partitions", phase, did[history.Lost])
				}
			}
		})
	}
}

// By a clock that is behind by more than MaxSkew each record lies too far ahead, and is early
// when the clock goes right again.
func TestAClockIsBehindByMoreThanTheSkew(t *testing.T) {
	t.Parallel()
	p := busy(sim.Fault{
		Kind: sim.FaultClockJumps, Member: "m1", Lag: sim.Duration(-4 * time.Second), At: sim.Duration(10 * time.Second), For: sim.Duration(10 * time.Second),
	})
	p.Topics[0].Delay, p.Topics[0].MaxSkew = sim.Duration(15*time.Second), sim.Duration(time.Second)
	did := phases(played(t, p), "m1", sim.FaultClockJumps)
	if did[before][history.SkewCapped] > 0 || did[during][history.SkewCapped] == 0 {
		t.Errorf("capped in %d partitions before and in %d while it was behind, want none and some",
			did[before][history.SkewCapped], did[during][history.SkewCapped])
	}
}
