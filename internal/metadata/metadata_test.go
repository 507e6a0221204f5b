package metadata

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawState draws records above a line, finished or not, with holes between them.
func drawState(t *rapid.T) State {
	s := State{
		Line:        rapid.Int64Range(0, 1<<40).Draw(t, "line"),
		LeaderEpoch: rapid.Int32Range(-1, 1000).Draw(t, "epoch"),
	}
	copy(s.TopicID[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "topic"))
	at := s.Line
	for range rapid.IntRange(0, 200).Draw(t, "runs") {
		gap := rapid.SampledFrom([]int64{1, 1, 2, 6, 7, 8, 38, 39, 40, 5000, 1 << 33}).Draw(t, "gap")
		n := rapid.SampledFrom([]int64{1, 1, 1, 2, 6, 7, 8, 38, 39, 40, 4134, 4135, 1 << 33}).Draw(t, "length")
		s.Done = append(s.Done, Run{at + gap, at + gap + n})
		at += gap + n
	}
	at = s.Line
	for range rapid.IntRange(0, 20).Draw(t, "attempts") {
		s.Attempts = append(s.Attempts, Attempt{
			Offset: at, Count: rapid.IntRange(1, 1<<20).Draw(t, "count"), GivenUp: rapid.Bool().Draw(t, "given_up"),
		})
		at += rapid.Int64Range(1, 100_000).Draw(t, "distance")
	}
	return s
}

// below is what a text that was cut still says.
func below(s State, cut Cut) State {
	if cut.From >= 0 {
		var runs []Run
		for _, r := range s.Done {
			if r.To = min(r.To, cut.From); r.From < r.To {
				runs = append(runs, r)
			}
		}
		s.Done = runs
	}
	if s.Attempts = s.Attempts[:len(s.Attempts)-cut.Attempts]; len(s.Attempts) == 0 {
		s.Attempts = nil
	}
	return s
}

// A text says what its state says, below what was cut; and it is never too long.
func TestATextSaysWhatItsStateSays(t *testing.T) {
	t.Parallel()
	saw := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		var e Encoder
		s := drawState(t)
		limit := rapid.SampledFrom([]int{0, 20, 50, 100, 300, MaxBytes, MaxBytes}).Draw(t, "limit")
		text, cut := e.Encode(&s, limit)
		if len(text) > limit {
			t.Fatalf("%d bytes, of %d", len(text), limit)
		}
		want := below(s, cut)
		if len(want.Done) == 0 && len(want.Attempts) == 0 {
			if text != "" {
				t.Fatalf("%q says nothing", text)
			}
			saw["nothing"]++
			return
		}
		got, err := Decode(text)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v\nwant %+v", got, err, want)
		}
		switch {
		case cut.From >= 0:
			saw["a cut set"]++
		case cut.Attempts > 0:
			saw["cut attempts"]++
		default:
			saw["a whole one"]++
		}
	})
	for _, what := range []string{"nothing", "a cut set", "cut attempts", "a whole one"} {
		if saw[what] == 0 {
			t.Errorf("not once: %s", what)
		}
	}
}

// The size that the format promises: a byte for 7 offsets at most, whatever the pattern.
func TestSevenOffsetsTakeAByteAtMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := drawState(t)
		if len(s.Done) == 0 {
			return
		}
		b, left := appendDone(nil, 1<<20, s.Line, s.Done)
		if span := s.Done[len(s.Done)-1].To - s.Line; left >= 0 || int64(len(b)) > (span+least-1)/least {
			t.Fatalf("%d bytes for %d offsets", len(b), span)
		}
	})
}

// The worst pattern of 20,000 records fits.
func TestTwentyThousandRecordsFit(t *testing.T) {
	t.Parallel()
	var e Encoder
	s := alternating(20_000)
	text, cut := e.Encode(&s, MaxBytes)
	if cut.Any() || len(text) > MaxBytes {
		t.Errorf("%d bytes, %+v", len(text), cut)
	}
}

// The format does not change: other versions read these texts.
func TestTheFormatStays(t *testing.T) {
	t.Parallel()
	var e Encoder
	s := State{
		Line: 1000, TopicID: [16]byte{1, 2, 3}, LeaderEpoch: 7,
		Done:     []Run{{1001, 1002}, {1004, 1100}, {9000, 9001}},
		Attempts: []Attempt{{Offset: 1000, Count: 3}, {Offset: 1003, Count: 10, GivenUp: true}},
	}
	const want = "troupe1:6AcBAgMAAAAAAAAAAAAAAAAACAGHAHL2ArX2AQEChAAABgMVb1uCEQ"
	got, _ := e.Encode(&s, MaxBytes)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if back, err := Decode(want); err != nil || !reflect.DeepEqual(back, s) {
		t.Errorf("decoded: %+v, %v", back, err)
	}
}

// alternating is n records above a line, every other one finished.
func alternating(n int64) State {
	s := State{Line: 1 << 40, LeaderEpoch: 5, TopicID: [16]byte{1}}
	for at := s.Line + 1; at < s.Line+n; at += 2 {
		s.Done = append(s.Done, Run{at, at + 1})
	}
	s.Attempts = []Attempt{{Offset: s.Line, Count: 3}}
	return s
}

// One allocation, and it is the text.
func TestEncodeAllocatesTheTextAlone(t *testing.T) { //nolint:paralleltest // it counts allocations
	var e Encoder
	for name, s := range map[string]State{
		"alternating":   alternating(10_000),
		"a long run":    {Line: 1, Done: []Run{{2, 10_001}}},
		"attempts":      {Line: 1, Attempts: []Attempt{{Offset: 1, Count: 2}}},
		"more than fit": alternating(100_000),
	} {
		if n := testing.AllocsPerRun(20, func() { e.Encode(&s, MaxBytes) }); n != 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	nothing := State{Line: 1}
	if n := testing.AllocsPerRun(20, func() { e.Encode(&nothing, MaxBytes) }); n != 0 {
		t.Errorf("nothing: %v allocations", n)
	}
}

// What is not to be read is refused with a reason.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	var e Encoder
	s := alternating(100)
	good, _ := e.Encode(&s, MaxBytes)
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                 {"", "not written by Troupe"},
		"another tool's":          {"bTAzLTE", "not written by Troupe"},
		"a client id":             {"troupe-consumer-1", "not written by Troupe"},
		"a version in words":      {"troupeX:AAAA", "not written by Troupe"},
		"a huge version":          {"troupe99999999999999999999:AAAA", "not written by Troupe"},
		"two versions on":         {strings.Replace(good, "1:", "3:", 1), "version 3"},
		"an older version":        {strings.Replace(good, "1:", "0:", 1), "version 0"},
		"no base64":               {"troupe1:!!!!", "damaged"},
		"too short":               {"troupe1:AAA", "damaged"},
		"cut off":                 {good[:len(good)-4], "damaged"},
		"a letter changed":        {good[:20] + flip(good[20]) + good[21:], "damaged"},
		"longer than any of ours": {prefix + "1:" + strings.Repeat("A", longest), "not written by Troupe"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s, err := Decode(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v; want %q", s, err, c.want)
			}
		})
	}
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// The next version may have sections that this one does not know.
func TestDecodePassesOverUnknownSections(t *testing.T) {
	t.Parallel()
	s := alternating(20)
	got, err := Decode(sealed(t, version+1, &s, []byte{9, 3, 'n', 'e', 'w'}))
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, s)
	}
	if _, err := Decode(sealed(t, version, &s, []byte{tagTried, 0})); err == nil {
		t.Error("a section that comes twice is taken")
	}
}

// A state is for the line and the topic that it was written for.
func TestFits(t *testing.T) {
	t.Parallel()
	id := [16]byte{1}
	for _, c := range []struct {
		name  string
		line  int64
		topic [16]byte
		want  string
	}{
		{"the same", 10, id, ""},
		{"a topic whose id is not known", 10, [16]byte{}, ""},
		{"another line", 9, id, "line 10"},
		{"another topic", 10, [16]byte{2}, "deleted"},
	} {
		s := State{Line: 10, TopicID: id}
		err := s.Fits(c.line, c.topic)
		if got := fmt.Sprint(err); (err == nil) != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// ascending says that a state is what its documentation promises.
func ascending(s *State) bool {
	at := s.Line - 1
	for _, r := range s.Done {
		if r.From <= at && r.From > s.Line || r.From < s.Line || r.To <= r.From {
			return false
		}
		at = r.To
	}
	return slices.IsSortedFunc(s.Attempts, func(a, b Attempt) int { return int(a.Offset - b.Offset) })
}
