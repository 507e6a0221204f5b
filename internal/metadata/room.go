package metadata

import "encoding/base64"

// Sevenths is what a record adds at most to the section of finished records, whichever are
// finished, in sevenths of a byte. gap is the distance of its offset from that of the record
// before it.
func Sevenths(gap int64) int64 {
	if gap <= 2*least {
		return gap
	}
	return least * hole(gap)
}

// hole is how many bytes a wide gap takes: the bits before it, and a run.
func hole(gap int64) int64 {
	bytes := int64(2)
	for rest := (gap - least) >> 5; rest > 0; rest >>= 7 {
		bytes++
	}
	return bytes
}

// Room is how many sevenths of a byte the section of finished records may take in a text of
// limit bytes, so that none of it is cut.
func Room(limit int) int64 {
	const header = 9 + 16 + 5 + 1 + lengthBytes // the most that line, topic id, leader epoch, tag and length take
	const ends = 2                              // bits that reach beyond the first record and the last one
	raw := base64.RawStdEncoding.DecodedLen(limit - len(prefix) - len("65535:"))
	return least * int64(max(raw-sumBytes-header-ends, 0))
}
