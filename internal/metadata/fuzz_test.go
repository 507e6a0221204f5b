package metadata

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"slices"
	"strconv"
	"testing"
)

// seal makes a text of any bytes, with a good checksum: what is behind it has to be
// parsed.
func seal(v int, raw []byte) string {
	raw = binary.LittleEndian.AppendUint32(raw, crc32.Checksum(raw, crc32.MakeTable(crc32.Castagnoli)))
	return prefix + strconv.Itoa(v) + ":" + base64.RawStdEncoding.EncodeToString(raw)
}

// sealed is a text of s with more sections behind its own.
func sealed(t *testing.T, v int, s *State, more []byte) string {
	t.Helper()
	var e Encoder
	e.Encode(s, MaxBytes)
	return seal(v, append(e.raw[:len(e.raw)-sumBytes:len(e.raw)-sumBytes], more...))
}

// FuzzDecode gives the decoder any text, and any bytes as if an Encoder had written them.
// It returns in bounded time and memory, and what it takes is a state that is in order and
// that survives another text.
func FuzzDecode(f *testing.F) {
	var e Encoder
	for _, s := range []State{
		alternating(100),
		{Line: 5, Done: []Run{{6, 1 << 60}}, Attempts: []Attempt{{Offset: 5, Count: 1}}},
		{Line: 0, LeaderEpoch: -1, Done: []Run{{1, 2}}},
	} {
		text, _ := e.Encode(&s, MaxBytes)
		f.Add(text, []byte(nil))
		f.Add("", e.raw[:len(e.raw)-sumBytes])
	}
	for _, section := range [][]byte{
		{tagDone, 11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
		{tagTried, 3, 0, 0, 0},
	} {
		f.Add("", slices.Concat(make([]byte, 18), section))
	}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		judgeText(t, text)
		if len(raw) > 0 && len(raw) < MaxBytes {
			judgeText(t, seal(version, raw))
		}
	})
}

func judgeText(t *testing.T, text string) {
	t.Helper()
	s, err := Decode(text)
	if err != nil {
		if !reflect.DeepEqual(s, State{}) {
			t.Fatalf("a state besides %v: %+v", err, s)
		}
		return
	}
	if n := len(s.Done) + len(s.Attempts); n > 4*len(text) || !ascending(&s) {
		t.Fatalf("%d runs and attempts of %d bytes: %+v", n, len(text), s)
	}
	var e Encoder
	again, cut := e.Encode(&s, longest)
	if len(s.Done)+len(s.Attempts) == 0 || cut.Any() {
		return
	}
	if back, err := Decode(again); err != nil || !reflect.DeepEqual(back, s) {
		t.Fatalf("%+v\nbecomes %+v, %v", s, back, err)
	}
}
