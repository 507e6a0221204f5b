package core

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// FuzzModel is TestModel for go test -fuzz. What rapid draws comes out of the input,
// 8 bytes a draw, so that the fuzzer changes single decisions of a conversation.
func FuzzModel(f *testing.F) { fuzz(f, property) }

// FuzzModelDrain is TestModelDrain for go test -fuzz.
func FuzzModelDrain(f *testing.F) { fuzz(f, drainProperty) }

// seeds are the conversations that the fuzzer begins with, and that each go test plays.
const seeds = 16

// enough draws for each seed's conversation: rapid skips an input that is too short.
const enough = 4_000

func fuzz(f *testing.F, property func(*rapid.T, map[string]int)) {
	f.Helper()
	for seed := range uint64(seeds) {
		f.Add(draws(seed))
	}
	saw := map[string]int{}
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) { property(t, saw) }))
}

// draws is random input, always the same for a seed.
func draws(seed uint64) []byte {
	random := rand.New(rand.NewPCG(seed, 0))
	var input bytes.Buffer
	for range enough {
		input.Write(binary.LittleEndian.AppendUint64(nil, random.Uint64()))
	}
	return input.Bytes()
}

// TestFuzzSeeds: each seed is played to its end.
func TestFuzzSeeds(t *testing.T) {
	t.Parallel()
	for name, property := range map[string]func(*rapid.T, map[string]int){"model": property, "drain": drainProperty} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			saw := map[string]int{}
			play := rapid.MakeFuzz(func(t *rapid.T) { property(t, saw) })
			for seed := range uint64(seeds) {
				play(t, draws(seed))
			}
			if saw["everything finished"] != seeds {
				t.Errorf("%d of %d seeds are played to their end", saw["everything finished"], seeds)
			}
		})
	}
}
