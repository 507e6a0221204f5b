package metadata

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"strings"
)

// longest is the longest text that Decode looks into. A broker may allow more than its
// default, but no Encoder of ours was asked to use it.
const longest = 4 * MaxBytes

// highest is above every offset that a log gets to.
const highest = 1 << 62

// errForeign and errCorrupt are the reasons that need no figures.
var (
	errForeign = errors.New("it was not written by Troupe")
	errCorrupt = errors.New("it is damaged")
)

// Decode reads what an Encoder wrote. Anything else is an error that says what is wrong:
// another tool's text, a version that is too far from this one, or a damaged text. It
// takes time and memory in proportion to the text, which it refuses when it is very long.
func Decode(text string) (State, error) {
	rest, ours := strings.CutPrefix(text, prefix)
	number, coded, colon := strings.Cut(rest, ":")
	if !ours || !colon || len(number) > len("65535") || len(text) > longest {
		return State{}, errForeign
	}
	v, err := strconv.ParseUint(number, 10, 16)
	switch {
	case err != nil:
		return State{}, errForeign
	case v != version && v != version+1:
		return State{}, fmt.Errorf("it is of version %d, and this program reads %d and %d", v, version, version+1)
	}
	raw, err := base64.RawStdEncoding.DecodeString(coded)
	if err != nil || len(raw) < sumBytes {
		return State{}, errCorrupt
	}
	b, sum := raw[:len(raw)-sumBytes], binary.LittleEndian.Uint32(raw[len(raw)-sumBytes:])
	if crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) != sum {
		return State{}, errCorrupt
	}
	r := reader{b: b}
	s := r.state()
	if r.bad {
		return State{}, errCorrupt
	}
	return s, nil
}

// reader takes a text apart. Once bad it reads zeros.
type reader struct {
	b   []byte
	bad bool
}

// number reads a uvarint of at most most.
func (r *reader) number(most uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > most {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

// take reads n bytes.
func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

// state reads all of it. Offsets are bounded as they are read, so no sum overflows.
func (r *reader) state() State {
	var s State
	s.Line = int64(r.number(highest))                  //nolint:gosec // bounded
	copy(s.TopicID[:], r.take(uint64(len(s.TopicID)))) // zero when it is bad
	s.LeaderEpoch = int32(r.number(math.MaxInt32)) - 1 //nolint:gosec // bounded
	for last := byte(0); len(r.b) > 0; {
		tag := r.take(1)[0]
		if tag <= last {
			r.bad = true
			return s
		}
		last = tag
		in := reader{b: r.take(r.number(math.MaxInt32))}
		switch tag {
		case tagDone:
			s.Done = in.done(s.Line)
		case tagTried:
			s.Attempts = in.tried(s.Line)
		default: // of a later version
		}
		r.bad = r.bad || in.bad
	}
	return s
}

// done reads tokens. A run is never expanded: each token adds four runs at most.
func (r *reader) done(pos int64) []Run {
	var runs []Run
	add := func(n int64) {
		if last := len(runs) - 1; last >= 0 && runs[last].To == pos {
			runs[last].To += n
		} else {
			runs = append(runs, Run{pos, pos + n})
		}
	}
	for len(r.b) > 0 {
		token := r.take(1)[0]
		if token&0x80 == 0 {
			if pos > highest-least {
				r.bad = true
				return nil
			}
			for i := range least {
				if token>>i&1 == 1 {
					add(1)
				}
				pos++
			}
			continue
		}
		n := uint64(token&0x1f) + least
		if token&0x20 != 0 {
			n += r.number(highest>>5) << 5
		}
		if r.bad || n > uint64(highest-pos) { //nolint:gosec // not negative
			r.bad = true
			return nil
		}
		if token&0x40 != 0 {
			add(int64(n)) //nolint:gosec // bounded
		}
		pos += int64(n) //nolint:gosec // bounded
	}
	return runs
}

// tried reads attempts.
func (r *reader) tried(at int64) []Attempt {
	var attempts []Attempt
	for len(r.b) > 0 {
		distance := int64(r.number(uint64(highest - at))) //nolint:gosec // bounded
		count := r.number(math.MaxInt32)
		if r.bad || count < 2 || distance == 0 && len(attempts) > 0 {
			r.bad = true
			return nil
		}
		at += distance
		attempts = append(attempts, Attempt{Offset: at, Count: int(count >> 1), GivenUp: count&1 == 1}) //nolint:gosec // bounded
	}
	return attempts
}
