package core

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/supervision"
)

var update = flag.Bool("update", false, "write what the scripts in testdata print")

// TestScripts plays the conversations in testdata. A line that begins with > is said
// to the machine; the indented ones below are its answer. See testdata/README.md.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			compare(t, got, string(want))
		})
	}
}

// compare reports the first line that differs, with the question before it.
func compare(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	asked := ""
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Fatalf("line %d, after %q:\n got %s\nwant %s", i+1, asked, a, b)
		}
		if strings.HasPrefix(a, ">") {
			asked = a
		}
	}
}

// player plays one script.
type player struct {
	t      *testing.T
	cfg    Config
	from   Handoff
	m      *Machine // made when it is first spoken to
	now    time.Time
	calls  map[LaneID]Call    // the last of each lane
	fwds   map[LaneID]Forward // the last of each lane
	sent   Commit             // the last commit
	out    strings.Builder
	broken bool // an invariant is
	line   Offset
}

var scriptStart = time.Unix(1_000_000, 0)

func play(t *testing.T, script string) string {
	t.Helper()
	p := &player{
		t: t, cfg: testConfig(), now: scriptStart,
		calls: map[LaneID]Call{}, fwds: map[LaneID]Forward{},
	}
	lines := bufio.NewScanner(strings.NewReader(script))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, " ") {
			continue // an answer
		}
		p.out.WriteString(line + "\n")
		if said, ok := strings.CutPrefix(line, "> "); ok && !p.broken {
			p.say(strings.Fields(said))
		}
	}
	return p.out.String()
}

// caught makes a broken invariant an answer, the last one.
func (p *player) caught() {
	switch r := recover(); {
	case r == nil:
	case strings.HasPrefix(fmt.Sprint(r), "invariant broken"):
		p.broken = true
		p.printf("%v", r)
	default:
		panic(r)
	}
}

func (p *player) printf(format string, args ...any) { fmt.Fprintf(&p.out, "  "+format+"\n", args...) }

// say understands one line.
func (p *player) say(w []string) {
	p.t.Helper()
	switch w[0] {
	case "config":
		p.configure(w[1:])
		return
	case "from":
		p.from = p.handoff(w[1:])
		p.line = p.from.Next
		return
	case "wait":
		p.now = p.now.Add(p.duration(w[1]))
		return
	}
	if p.m == nil {
		p.m = New(p.cfg, 1, p.from)
	}
	switch w[0] {
	case "stats":
		p.printStats()
	case "handoff":
		p.printHandoff(p.m.Handoff())
	case "rebuild":
		p.from = p.m.Handoff()
		p.m = New(p.cfg, 1, p.from)
	default:
		p.step(p.event(w))
	}
}

func (p *player) step(ev Event) {
	p.t.Helper()
	defer p.caught()
	for _, e := range p.m.Step(p.now, ev, nil) {
		p.answer(e)
	}
	if next := p.m.Next(); next != p.line {
		p.line = next
		p.printf("line %d", next)
	}
}

// event understands what is said to the machine itself.
func (p *player) event(w []string) Event {
	p.t.Helper()
	switch w[0] {
	case "fetch":
		return p.fetch(w[1:])
	case "reposition":
		return &Repositioned{Gen: uint32(p.number(w[2])), To: p.number(w[1])}
	case "progress":
		return &Progress{Call: p.call(w[1]), Done: int(p.number(w[2]))}
	case "ok":
		ev := &Succeeded{Call: p.call(w[1]), Took: p.cfg.HandOverTime}
		if len(w) > 2 {
			ev.Took = p.duration(w[2])
		}
		return ev
	case "fail":
		return p.fail(w)
	case "freed":
		return &Freed{Lane: p.lane(w[1])}
	case "returned": // the call that it names
		return &Freed{Lane: p.call(w[1]).Lane, Call: p.call(w[1])}
	case "ack", "nack":
		f := p.fwds[p.lane(w[1])]
		ev := &Forwarded{Epoch: f.Epoch, Seq: f.Seq}
		if w[0] == "nack" {
			ev.Err = errors.New("unreachable")
		}
		return ev
	case "committed", "refused", "unknown":
		how := strings.Join(w[1:], " ")
		return &Committed{
			Epoch: p.sent.Epoch, Seq: p.sent.Seq, OK: w[0] == "committed",
			Late: w[0] == "unknown" || how == "late", Plain: how == "plain",
		}
	case "wake":
		return &Woke{}
	case "tick":
		return &Ticked{}
	case "pause":
		return &Paused{p.reason(w[1])}
	case "resume":
		return &Resumed{p.reason(w[1])}
	case "restart":
		return &Restart{Lane: p.lane(w[1]), Force: len(w) > 2}
	case "drain":
		return &Drain{Now: len(w) > 1}
	}
	p.t.Fatalf("nobody understands %q", w)
	return nil
}

// fetch reads offset:lane[@timestamp][*bytes][!]; lane x is a control record, ! a
// record that looped. gen=N is the generation, leader=N the leader epoch.
func (p *player) fetch(words []string) Event {
	p.t.Helper()
	ev := &Fetched{}
	for _, w := range words {
		if gen, ok := strings.CutPrefix(w, "gen="); ok {
			ev.Gen = uint32(p.number(gen))
			continue
		}
		if leader, ok := strings.CutPrefix(w, "leader="); ok {
			ev.LeaderEpoch = int32(p.number(leader))
			continue
		}
		w, looped := strings.CutSuffix(w, "!")
		w, bytes, _ := strings.Cut(w, "*")
		w, at, stamped := strings.Cut(w, "@")
		offset, lane, _ := strings.Cut(w, ":")
		r := Record{Offset: p.number(offset), Timestamp: p.now.UnixMilli(), Bytes: 100, Looped: looped}
		if bytes != "" {
			r.Bytes = int32(p.number(bytes))
		}
		switch {
		case at == "none":
			r.Timestamp = -1
		case stamped:
			r.Timestamp = scriptStart.Add(p.duration(at)).UnixMilli()
		}
		if r.Control = lane == "x"; !r.Control {
			r.Lane = p.lane(lane)
		}
		ev.Records = append(ev.Records, r)
	}
	return ev
}

// fail reads: fail LANE DONE KIND [DURATION] [DIRECTIVE] [jitter=F].
func (p *player) fail(w []string) Event {
	p.t.Helper()
	ev := &Failed{Call: p.call(w[1]), Done: int(p.number(w[2])), Result: Result{Err: errors.New(w[3])}}
	kinds := map[string]Kind{
		"error": Error, "retry-after": RetryAfter, "snooze": Snooze, "discard": Discard, "panic": Panic,
		"timeout": Timeout, "interrupted": Interrupted, "hung": Hung, "start-failed": StartFailed,
	}
	kind, ok := kinds[w[3]]
	if !ok {
		p.t.Fatalf("no kind of failure: %q", w[3])
	}
	ev.Result.Kind = kind
	if kind == Panic {
		ev.Result.Directive = supervision.Restart
	}
	for _, w := range w[4:] {
		jitter, ok := strings.CutPrefix(w, "jitter=")
		switch d, known := directives()[w]; {
		case known:
			ev.Result.Directive = d
		case ok:
			ev.Jitter, _ = strconv.ParseFloat(jitter, 64)
		default:
			ev.Result.After = p.duration(w)
		}
	}
	return ev
}

func directives() map[string]supervision.Directive {
	return map[string]supervision.Directive{
		"resume": supervision.Resume, "restart": supervision.Restart,
		"stop": supervision.Stop, "escalate": supervision.Escalate,
	}
}
