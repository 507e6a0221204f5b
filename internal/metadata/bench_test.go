package metadata

import "testing"

// BenchmarkEncode writes 10,000 offsets above a line: in the worst pattern, in runs of
// a lane's hand-overs, and as a single run.
func BenchmarkEncode(b *testing.B) {
	chunks := State{Line: 1 << 40}
	for at := chunks.Line + 1; at < chunks.Line+10_000; at += 40 {
		chunks.Done = append(chunks.Done, Run{at, at + 30})
	}
	for _, c := range []struct {
		name string
		s    State
	}{
		{"alternating", alternating(10_000)},
		{"runs of 30", chunks},
		{"one run", State{Line: 1, Done: []Run{{2, 10_001}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var e Encoder
			b.ReportAllocs()
			for b.Loop() {
				e.Encode(&c.s, MaxBytes)
			}
		})
	}
}

// BenchmarkDecode reads the worst pattern back.
func BenchmarkDecode(b *testing.B) {
	var e Encoder
	s := alternating(10_000)
	text, _ := e.Encode(&s, MaxBytes)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(text); err != nil {
			b.Fatal(err)
		}
	}
}
