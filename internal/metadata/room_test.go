package metadata

import (
	"testing"

	"pgregory.net/rapid"
)

// Whichever records are finished, the text has room for them when Room says so.
func TestRoomIsEnough(t *testing.T) {
	t.Parallel()
	tight := 0
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{80, 120, 300}).Draw(t, "limit")
		s := State{Line: rapid.Int64Range(0, 1<<40).Draw(t, "line"), LeaderEpoch: 1 << 20}
		gaps := rapid.SampledFrom([][]int64{{1}, {2}, {1, 1, 1, 20}, {8, 9}, {45, 50, 5000}, {1, 7, 1 << 33}}).Draw(t, "gaps")
		at, cost, last := s.Line, int64(0), int64(-1)
		for {
			gap := rapid.SampledFrom(gaps).Draw(t, "gap")
			if cost += Sevenths(gap); cost > Room(limit) {
				break
			}
			at += gap
			switch finished := rapid.IntRange(0, 3).Draw(t, "finished") > 0; {
			case finished && last >= 0 && last == at-gap:
				s.Done[len(s.Done)-1].To = at + 1
				last = at
			case finished:
				s.Done = append(s.Done, Run{at, at + 1})
				last = at
			}
		}
		var e Encoder
		text, cut := e.Encode(&s, limit)
		if cut.From >= 0 {
			t.Fatalf("%d runs are cut at %d of %d", len(s.Done), cut.From-s.Line, at-s.Line)
		}
		if len(text) > limit*3/4 {
			tight++
		}
	})
	if tight == 0 {
		t.Error("no text came near its limit: nothing is shown")
	}
}

// Records without holes between them take a seventh of a byte each.
func TestRoomForTwentyThousandRecords(t *testing.T) {
	t.Parallel()
	if got := Room(MaxBytes); got < 20_000 || got > 22_000 {
		t.Errorf("room for %d records", got)
	}
}
