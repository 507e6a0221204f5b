package metadata

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strconv"
)

// Cut is what did not fit into a text.
type Cut struct {
	// From is the first offset of which the text says nothing although finished records
	// lie at or above it. Beyond it everything counts as not finished. -1: nothing was cut.
	From int64

	// Attempts is how many records' attempts were left out, from the highest offsets on.
	Attempts int
}

// Any reports whether something was cut.
func (c Cut) Any() bool { return c.From >= 0 || c.Attempts > 0 }

// An Encoder writes texts. It keeps its memory between them, and belongs to one
// goroutine.
type Encoder struct {
	raw, text []byte
	table     *crc32.Table
}

// Encode is the text of s, at most limit bytes long. It is empty when there is nothing
// to say, or no room for anything. Attempts are left out first where room is short, then
// finished records, of both the highest offsets first. The text is the only allocation.
func (e *Encoder) Encode(s *State, limit int) (string, Cut) {
	cut := Cut{From: -1}
	if len(s.Done) == 0 && len(s.Attempts) == 0 {
		return "", cut
	}
	head := len(prefix) + len(strconv.Itoa(version)) + 1
	room := base64.RawStdEncoding.DecodedLen(limit-head) - sumBytes
	b := binary.AppendUvarint(e.raw[:0], uint64(s.Line)) //nolint:gosec // an offset is not negative
	b = append(b, s.TopicID[:]...)
	b = binary.AppendUvarint(b, uint64(s.LeaderEpoch+1)) //nolint:gosec // not below -1
	fixed := len(b)
	if len(s.Done) > 0 {
		b, cut.From = section(b, tagDone, room, func(b []byte, room int) ([]byte, int64) {
			return appendDone(b, room, s.Line, s.Done)
		})
	}
	if len(s.Attempts) > 0 {
		var left int64
		b, left = section(b, tagTried, room, func(b []byte, room int) ([]byte, int64) {
			return appendTried(b, room, s.Line, s.Attempts)
		})
		cut.Attempts = int(left)
	}
	e.raw = b
	if len(b) == fixed {
		return "", cut
	}
	if e.table == nil {
		e.table = crc32.MakeTable(crc32.Castagnoli)
	}
	e.raw = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, e.table))
	e.text = append(e.text[:0], prefix...)
	e.text = strconv.AppendInt(e.text, version, 10)
	e.text = append(e.text, ':')
	e.text = base64.RawStdEncoding.AppendEncode(e.text, e.raw)
	return string(e.text), cut
}

// lengthBytes are kept for the length of a section: two suffice for 16 KiB.
const lengthBytes = 2

// section appends a section whose content f writes, up to a room of all of b. Without
// content there is no section. It returns what f does.
func section(b []byte, tag byte, room int, f func(b []byte, room int) ([]byte, int64)) ([]byte, int64) {
	begin := len(b)
	b = append(b, tag, 0, 0)
	content := len(b)
	b, left := f(b, min(room, content+1<<(7*lengthBytes)-1))
	n := len(b) - content
	if n == 0 {
		return b[:begin], left
	}
	b[begin+1] = byte(n) | 0x80
	b[begin+2] = byte(n >> 7)
	return b, left
}

// appendDone writes tokens for the offsets from pos to the end of the last run, as long as
// b stays within room. It returns the offset from which nothing was written; -1: all was.
func appendDone(b []byte, room int, pos int64, runs []Run) ([]byte, int64) {
	said := len(b) // up to the last token with a finished offset
	for i := 0; i < len(runs); {
		state, n := byte(0), runs[i].From-pos
		if n <= 0 {
			state, n = 1, runs[i].To-pos
		}
		at := pos
		if n >= least {
			b = appendRun(b, state, uint64(n)) //nolint:gosec // not negative
			pos += n
			i += int(state)
		} else {
			state = 1
			var bits byte
			bits, i = literal(pos, runs, i)
			b = append(b, bits)
			pos += least
		}
		if len(b) > room {
			return b[:said], at
		}
		if state == 1 {
			said = len(b)
		}
	}
	return b, -1
}

// literal is the state of the offsets from pos on, and the first run that goes on behind
// them. runs[i] is the first that ends behind pos, and begins before they end.
func literal(pos int64, runs []Run, i int) (byte, int) {
	bits := uint(0)
	from := max(runs[i].From-pos, 0)
	for {
		to := runs[i].To - pos
		if to > least {
			return byte(bits | (1<<least - 1<<(from&7))), i
		}
		bits |= 1<<(to&7) - 1<<(from&7)
		if i++; i == len(runs) {
			return byte(bits), i
		}
		if from = runs[i].From - pos; from >= least {
			return byte(bits), i
		}
	}
}

func appendRun(b []byte, state byte, n uint64) []byte {
	n -= least
	first := 0x80 | state<<6 | byte(n&0x1f)
	if n < 32 {
		return append(b, first)
	}
	return binary.AppendUvarint(append(b, first|0x20), n>>5)
}

// appendTried writes attempts, as long as b stays within room, and returns how many it
// left out.
func appendTried(b []byte, room int, at int64, attempts []Attempt) ([]byte, int64) {
	for i, a := range attempts {
		before := len(b)
		count := uint64(a.Count) << 1 //nolint:gosec // not negative
		if a.GivenUp {
			count |= 1
		}
		b = binary.AppendUvarint(b, uint64(a.Offset-at)) //nolint:gosec // they ascend
		b = binary.AppendUvarint(b, count)
		if len(b) > room {
			return b[:before], int64(len(attempts) - i)
		}
		at = a.Offset
	}
	return b, 0
}
