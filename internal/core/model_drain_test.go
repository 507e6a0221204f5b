package core

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-go/troupe/supervision"
)

// TestModelDrain is TestModel for drains of a backlog, which its random events seldom
// meet: what is finished above the line when all hand-overs have ended is what it is
// for.
func TestModelDrain(t *testing.T) {
	t.Parallel()
	saw := map[string]int{}
	rapid.Check(t, func(t *rapid.T) { drainProperty(t, saw) })
	t.Log(saw)
	for _, what := range []string{
		"a gap that is filled", "a gap that is filled by several", "drained with gaps filled",
		"drained with nothing finished above the line", "drained with a line held back", "a drain that is cut short",
		"a new behavior in a drain", "a retry", "a dead letter", "a rebuild with a set", "everything finished",
	} {
		if saw[what] == 0 {
			t.Errorf("not once: %s", what)
		}
	}
}

func drainProperty(t *rapid.T, saw map[string]int) {
	cfg := testConfig()
	cfg.Lanes = rapid.IntRange(2, 4).Draw(t, "lanes")
	cfg.Delay = rapid.SampledFrom([]time.Duration{0, 0, time.Second}).Draw(t, "delay")
	cfg.MaxAttempts = rapid.IntRange(0, 2).Draw(t, "attempts")
	cfg.Supervision.MaxRestarts = supervision.Unlimited
	cfg.HandOverMax = rapid.IntRange(1, 4).Draw(t, "hand_over")
	j := &judge{model: newModel(cfg), t: t, m: New(cfg, 1, Handoff{}), saw: saw}
	rare := rapid.IntRange(0, 6).Draw(t, "faults") // of 20
	for range rapid.IntRange(2, 6).Draw(t, "fetches") {
		j.opFetch()
	}
	j.play(rapid.IntRange(0, 20).Draw(t, "before"), rare)
	if rapid.Bool().Draw(t, "a restart before") {
		j.opRestart()
	}
	j.drain(false)
	for range rapid.IntRange(1, 3).Draw(t, "and later") {
		j.play(20, rare)
		for !j.drained && rare == 0 { // nothing else than the end
			j.play(1, 0)
		}
	}
	j.heal()
}

// play takes n steps, of which faults in 20 are no success.
func (j *judge) play(n, faults int) {
	for range n {
		if rapid.IntRange(0, 19).Draw(j.t, "fault") >= faults {
			rapid.SampledFrom([]func(){j.opSucceed, j.opSucceed, j.opProgress, j.opForwarded, j.opTime}).Draw(j.t, "step")()
			continue
		}
		rapid.SampledFrom([]func(){
			j.opFail, j.opFail, j.opFail, j.opFail, j.opFree, j.opRestart, j.opPause, j.opFetch, j.opDrain, j.opStale,
			func() { j.step(&Woke{}, nil) }, func() { j.drain(true) },
		}).Draw(j.t, "faulty step")()
	}
}
