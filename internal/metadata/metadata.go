// Package metadata is the text that travels with a commit line: which records above the
// line are finished, and how often those that are not have been tried. The next owner of
// the partition does not run the first again and goes on counting the second.
//
// It is pure: no IO, goroutine, clock or lock.
//
// # Format
//
// The text is "troupe", a version in decimal, a colon, and unpadded base64 of:
//
//	line          uvarint
//	topic id      16 bytes
//	leader epoch  uvarint of it plus 1
//	sections      a tag byte, a uvarint length, that many bytes; tags ascend
//	checksum      CRC-32C of all before it, 4 bytes, little-endian
//
// A reader takes the version that it writes and the one after that, whose unknown
// sections it passes over.
//
// The section of finished records (tag 1) describes offsets from the line on, up to its
// end; what follows is not finished. Each of its tokens begins with a byte:
//
//	0bbbbbbb          the next 7 offsets, the lowest bit first; 1: finished
//	1s0nnnnn          a run of 7+n offsets that all are (s=1) or are not (s=0) finished
//	1s1nnnnn uvarint  a longer one, of 7+n+32*uvarint
//
// So it takes at most a byte for 7 offsets, and holes in the log cost next to nothing: one
// between two finished records belongs to their run. Nothing in it depends on which
// records exist, so a compaction between two owners shifts nothing.
//
// The section of attempts (tag 2) has for each record the distance of its offset from the
// one before, or from the line, and twice its deliveries, plus 1 when it was given up; both uvarint.
package metadata

import (
	"errors"
	"fmt"
)

// MaxBytes is how long the text may be where brokers have Kafka's default of
// offset.metadata.max.bytes.
const MaxBytes = 4096

// Run is a run of offsets, [From, To).
type Run struct{ From, To int64 }

// Attempt is how often a record was delivered that is not finished.
type Attempt struct {
	Offset  int64
	Count   int
	GivenUp bool // it goes to the dead letter topic, and is not delivered any more
}

// State is what travels with a commit line.
type State struct {
	Line int64 // the commit line that it belongs to

	// TopicID tells the topic from one of the same name that came after it; zero: not
	// known.
	TopicID [16]byte

	// LeaderEpoch is the highest of the records that were seen; -1: not known. A record of a
	// higher one is none of those in Done, whatever its offset.
	LeaderEpoch int32

	// Done are finished, at or above Line: ascending, not empty, and apart.
	Done []Run

	// Attempts are of records at or above Line, ascending. Each is 1 at least.
	Attempts []Attempt
}

// Fits says why a state cannot be used for a partition that is fetched from line on; nil:
// it can. Somebody else moved the group, or the topic is another one.
func (s *State) Fits(line int64, topicID [16]byte) error {
	var none [16]byte
	switch {
	case s.Line != line:
		return fmt.Errorf("it belongs to line %d, and the group is at %d", s.Line, line)
	case s.TopicID != topicID && s.TopicID != none && topicID != none:
		return errors.New("it belongs to a topic of the same name that was deleted")
	}
	return nil
}

const (
	prefix   = "troupe"
	version  = 1
	tagDone  = 1
	tagTried = 2
	sumBytes = 4

	// least is the shortest run that is a token of its own; 7 is also what one of bits holds.
	least = 7
)
