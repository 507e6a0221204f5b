package history

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-go/troupe/actors"
)

// SumOf is a checksum of what a record holds: key, value, headers and timestamp. No key
// and an empty one differ. It is never 0.
func SumOf(rec *actors.Record) uint64 {
	var d xxhash.Digest
	d.Reset()
	add(&d, rec.Key)
	add(&d, rec.Value)
	for i := range rec.Headers {
		add(&d, []byte(rec.Headers[i].Key))
		add(&d, rec.Headers[i].Value)
	}
	at := int64(-1) // as Kafka has it: none
	if !rec.Timestamp.IsZero() {
		at = rec.Timestamp.UnixMilli()
	}
	addNumber(&d, at)
	return max(d.Sum64(), 1)
}

func add(d *xxhash.Digest, b []byte) {
	n := int64(len(b))
	if b == nil {
		n = -1
	}
	addNumber(d, n)
	_, _ = d.Write(b)
}

func addNumber(d *xxhash.Digest, n int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(n)) //nolint:gosec // its bits
	_, _ = d.Write(b[:])
}
