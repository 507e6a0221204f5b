//go:build synctests && failpoints

package sim_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/internal/probe"
	"github.com/troupe-go/troupe/internal/sim"
)

func TestAPlanIsTheSeedsAlone(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		p := sim.Generate(seed, sim.ModeOf(seed))
		if again := sim.Generate(seed, sim.ModeOf(seed)); !reflect.DeepEqual(p, again) {
			t.Fatalf("seed %d:\n%v\nand then\n%v", seed, p, again)
		}
		if other := sim.Generate(seed+1, sim.ModeOf(seed)); reflect.DeepEqual(p.Faults, other.Faults) {
			t.Fatalf("seeds %d and %d have the same faults", seed, seed+1)
		}
		if p.Records() < 2000 || len(p.Faults) < 10 || p.Topics[0].Partitions < 12 || p.Topics[0].Lanes < 8 {
			t.Errorf("seed %d is too small:\n%v", seed, p)
		}
	}
}

func TestAPlanComesBackFromItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plan.json")
	for seed := range uint64(100) {
		p := sim.Generate(seed, sim.ModeOf(seed))
		if err := p.Save(path); err != nil {
			t.Fatal(err)
		}
		got, err := sim.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != p.String() || !reflect.DeepEqual(got.Topics, p.Topics) || !reflect.DeepEqual(got.Producers, p.Producers) {
			t.Fatalf("got\n%v\nwant\n%v", got, p)
		}
	}
}

func TestEveryKindOfFaultIsDrawn(t *testing.T) {
	t.Parallel()
	drawn := map[string]bool{}
	for seed := range uint64(300) {
		for _, f := range sim.Generate(seed, sim.ModeOf(seed)).Faults {
			drawn[f.Kind] = true
		}
	}
	for _, kind := range sim.Kinds() {
		if !drawn[kind] {
			t.Errorf("no plan of 300 has a %s", kind)
		}
		delete(drawn, kind)
	}
	if len(drawn) > 0 {
		t.Errorf("kinds without a name: %v", drawn)
	}
}

func TestEveryKindOfDeadLetterIsDrawn(t *testing.T) {
	t.Parallel()
	drawn := map[string]int{}
	for seed := range uint64(300) {
		p := sim.Generate(seed, sim.ModeOf(seed))
		for i := range p.Topics {
			t := &p.Topics[i]
			for name, is := range map[string]bool{
				"headers": t.Form == "headers", "spring": t.Form == "spring", "connect": t.Form == "connect", "protobuf": t.Form == "protobuf",
				"created": t.Create, "limited": t.LetterBytes > 0, "consumed": t.Name == "dlq.sim.orders", "in a loop": t.Loop,
			} {
				if is {
					drawn[name]++
				}
			}
		}
	}
	if len(drawn) != 8 {
		t.Errorf("drawn %v, want eight kinds", drawn)
	}
}

// Dead letters that come back, each time to fail again, stop their lanes, and that is where
// such a run is over.
func TestDeadLettersGoRoundUntilTheirLaneStops(t *testing.T) {
	t.Parallel()
	p := small(sim.Fault{Kind: sim.FaultRehash})
	first := &p.Topics[0]
	first.DeadLetters, first.Attempts, first.Create, first.LetterBytes, first.Form = true, 1, false, 0, "headers"
	first.Calls = sim.Calls{Discard: 1000}
	second := sim.Topic{
		Name: "dlq.sim.orders", Partitions: 2, Lanes: 2, Delay: sim.Duration(1e9), DeadLetters: true, Attempts: 1, Form: "spring", Loop: true,
		OnGap: "continue", Calls: sim.Calls{Discard: 1000},
	}
	p.Topics = append(p.Topics, second)
	r := sim.Play(t, p)
	if len(r.Violations) > 0 {
		t.Fatalf("violations %q", r.Violations)
	}
	stopped := map[int32]bool{}
	most := 0
	for i := range r.Events {
		switch e := &r.Events[i]; e.Kind {
		case history.Halted:
			stopped[e.Partition] = true
		case history.DeadLetterObserved:
			most = max(most, e.Hops)
		default:
		}
	}
	if len(stopped) != 2 || most != 5 {
		t.Errorf("lanes of %d partitions are stopped, want 2; the most hops are %d, want 5", len(stopped), most)
	}
}

// small is a plan that takes no time.
func small(faults ...sim.Fault) *sim.Plan {
	p := sim.Generate(1, sim.Safety)
	p.Topics, p.Producers, p.Members = p.Topics[:1], p.Producers[:1], p.Members[:1]
	p.Members[0].At = 0
	p.Topics[0].Calls = sim.Calls{}
	p.Producers[0].Records, p.Faults = 50, faults
	return p
}

func TestFaultsThatHitNothingAreVacuous(t *testing.T) {
	t.Parallel()
	r := sim.Play(t, small(sim.Fault{Kind: sim.FaultCut, Member: "nobody"}))
	if len(r.Violations) != 1 || !strings.HasPrefix(r.Violations[0], "VACUOUS: ") {
		t.Errorf("violations %q, want VACUOUS", r.Violations)
	}
	if r := sim.Play(t, small(sim.Fault{Kind: sim.FaultRehash})); len(r.Violations) != 0 {
		t.Errorf("violations %q, want none", r.Violations)
	}
}

func TestAnUnknownFaultIsNoRun(t *testing.T) {
	t.Parallel()
	r := sim.Play(t, small(sim.Fault{Kind: sim.FaultRehash}, sim.Fault{Kind: "surprise"}))
	if len(r.Violations) != 1 || !strings.HasPrefix(r.Violations[0], "SIM: ") {
		t.Errorf("violations %q, want SIM", r.Violations)
	}
}

func TestASavedHistoryJudgesTheSame(t *testing.T) {
	t.Parallel()
	r := sim.Play(t, small(sim.Fault{Kind: sim.FaultRehash}))
	var file bytes.Buffer
	if err := history.Save(&file, r.Events); err != nil {
		t.Fatal(err)
	}
	events, err := history.Load(&file)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := check.Judge(events).String(), r.Report.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if v := r.Report.Verdict(check.S1); v.Compared != 50 {
		t.Errorf("S1 compared %d records, want 50", v.Compared)
	}
	for _, name := range []string{check.S14, check.S15, probe.L1, probe.L4, probe.L7} {
		if r.Compared[name] == 0 {
			t.Errorf("%s compared nothing: %v", name, r.Compared)
		}
	}
}

// The successor of a static member that is frozen or cut off is started once that is killed:
// the two would have one instance id, and the first would be at work until it hears of it.
func TestASuccessorOfAStaticMemberIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{sim.FaultFreeze, sim.FaultHold} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			second := func(n int64) sim.Duration { return sim.Duration(n * 1e9) }
			p := small(
				sim.Fault{Kind: kind, Member: "m1", Broker: -1, At: second(10), For: second(18)},
				sim.Fault{Kind: sim.FaultLeave, Member: "m1", At: second(12), For: second(3)},
			)
			p.Group.Session, p.Members[0].Name, p.Members[0].Instance = second(20), "m1", "static-m1"
			p.Producers[0].Records, p.Producers[0].Batch, p.Producers[0].Every = 2000, 10, sim.Duration(200e6)
			r := sim.Play(t, p)
			if len(r.Violations) > 0 || slices.Contains(r.Hits, 0) {
				t.Errorf("hits %v, violations %q", r.Hits, r.Violations)
			}
			var by []string
			for i := range r.Events {
				if e := &r.Events[i]; e.Kind == history.Killed {
					by = append(by, e.Incarnation)
				}
			}
			if len(by) != 1 {
				t.Errorf("killed %q, want the first one", by)
			}
		})
	}
}

// What is deleted before the group has begun is nobody's, and what is deleted then is told.
func TestRecordsAreDeleted(t *testing.T) {
	t.Parallel()
	for at, want := range map[time.Duration]history.Kind{time.Second: history.GroupStart, 10 * time.Second: history.Gap} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			p := small(
				sim.Fault{Kind: sim.FaultDeleteRecords, Topic: "orders", Count: 50, At: sim.Duration(at)},
				sim.Fault{Kind: sim.FaultLeave, Member: "m1", At: sim.Duration(8 * time.Second), For: sim.Duration(4 * time.Second)},
			)
			p.Members[0] = sim.Member{Name: "m1", At: sim.Duration(3 * time.Second)}
			p.Topics[0].OnGap, p.Topics[0].Delay = "continue", sim.Duration(30*time.Second)
			p.Producers[0].Records, p.Producers[0].Batch, p.Producers[0].Every = 2000, 1000, sim.Duration(200e6)
			r := sim.Play(t, p)
			if len(r.Violations) > 0 || slices.Contains(r.Hits, 0) {
				t.Errorf("hits %v, violations %q", r.Hits, r.Violations)
			}
			for _, kind := range []history.Kind{history.GroupStart, history.Gap} {
				told := slices.ContainsFunc(r.Events, func(e history.Event) bool { return e.Kind == kind })
				if told != (kind == want) {
					t.Errorf("%s: %t", kind, told)
				}
			}
		})
	}
}

// A record that fails for ever holds its partition: the run says so.
func TestABacklogThatStaysIsFound(t *testing.T) {
	t.Parallel()
	p := small(sim.Fault{Kind: sim.FaultRehash})
	p.Topics[0].DeadLetters, p.Topics[0].Attempts = false, 0
	p.Topics[0].Calls = sim.Calls{Tail: 1000, TailMax: sim.Duration(1000 * 3600 * 1e9)}
	p.Settle = sim.Duration(60 * 1e9)
	r := sim.Play(t, p)
	if !strings.Contains(strings.Join(r.Violations, "\n"), "L1: not drained") {
		t.Errorf("violations %q, want L1", r.Violations)
	}
	for _, name := range []string{probe.L2, probe.L3} {
		if r.Compared[name] == 0 {
			t.Errorf("%s compared nothing: %v", name, r.Compared)
		}
	}
}

// A plan that fails when it has a kill and a cut, and 100 records, shrinks to those.
func TestShrinkLeavesWhatFails(t *testing.T) {
	t.Parallel()
	p := sim.Generate(7, sim.Safety)
	p.Faults = append(p.Faults, sim.Fault{Kind: sim.FaultKill, Member: "m1"}, sim.Fault{Kind: sim.FaultCut, Member: "m1"})
	before := p.String()
	got := sim.Shrink(p, func(c *sim.Plan) bool {
		kills, cuts := 0, 0
		for _, f := range c.Faults {
			switch f.Kind {
			case sim.FaultKill:
				kills++
			case sim.FaultCut:
				cuts++
			}
		}
		return kills > 0 && cuts > 0 && c.Records() >= 100
	})
	if len(got.Faults) != 2 || got.Records() < 100 || got.Records() >= 200 || len(got.Members) != 1 {
		t.Errorf("shrunk to\n%v", got)
	}
	if p.String() != before {
		t.Error("the plan itself was changed")
	}
}

// The plan that CONTRIBUTING.md shows is one, and every fault of it has an effect.
func TestThePlanInTheDocumentPlays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ = bytes.Cut(text, []byte("```json\n"))
	text, _, ok := bytes.Cut(text, []byte("```"))
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(path, text, 0o600); !ok || err != nil {
		t.Fatal(ok, err)
	}
	p, err := sim.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	r := sim.Play(t, p)
	if len(r.Violations) > 0 || slices.Contains(r.Hits, 0) {
		t.Errorf("hits %v, violations %q", r.Hits, r.Violations)
	}
}
