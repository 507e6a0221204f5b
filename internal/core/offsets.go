package core

import (
	"math/bits"

	"github.com/troupe-go/troupe/internal/invariant"
	"github.com/troupe-go/troupe/internal/metadata"
)

// blockSize is the number of delivered records that one word of marks covers.
const blockSize = 64

// allDone are the marks of a block that is full and finished.
const allDone = ^uint64(0)

// offsets is the delivered sequence from the commit line on, and which records of it
// are finished. A record is known by its place in the sequence, never by
// arithmetic on its offset: transactions and compaction leave holes.
//
// Invariants: base <= first <= total, base is a multiple of blockSize; the record at
// first is not finished; every record before it is; tail is above every delivered
// offset; line only rises.
type offsets struct {
	blocks queue[block]
	base   uint64 // place of the first block's first record
	first  uint64 // place of the first unfinished record; total when there is none
	total  uint64 // records delivered so far
	tail   Offset // where the next record may begin, and the line when all are finished
	line   Offset
	last   Offset // of the records delivered
	cost   int64  // what they may take in a commit, in sevenths of a byte
	spare  []*[blockSize]Offset
}

// block is 64 records in sequence. A finished one keeps its ends alone.
type block struct {
	done     uint64
	offsets  *[blockSize]Offset // nil once all are finished
	from, to Offset             // the run that it covers, once all are finished
	cost     int64              // offsets.cost as of its first record
}

// ahead is the number of records from the line on, finished or not.
func (o *offsets) ahead() int { return int(o.total - o.first) }

// add appends a record to the sequence and returns its place.
func (o *offsets) add(at Offset) uint64 {
	if at < o.tail {
		invariant.Always(false, "offset %d was fetched below %d", at, o.tail)
	}
	place := o.total
	i := place % blockSize
	o.cost += metadata.Sevenths(at - o.last)
	o.last = at
	if i == 0 || o.blocks.len() == 0 {
		o.open(place)
	}
	o.blocks.at(o.blocks.len() - 1).offsets[i] = at
	o.total++
	o.tail = at + 1
	return place
}

// open appends an empty block for the record at place.
func (o *offsets) open(place uint64) {
	if o.blocks.len() == 0 {
		o.base = place - place%blockSize
	}
	o.blocks.push(block{offsets: o.take(), cost: o.cost})
}

// finish marks the record at place. It must not be finished.
func (o *offsets) finish(place uint64) {
	b := o.block(place)
	bit := uint64(1) << (place % blockSize)
	if b.done&bit != 0 || place >= o.total {
		invariant.Always(false, "record %d of %d is finished twice, from %d", place, o.total, o.first)
	}
	b.done |= bit
	if b.done == allDone {
		b.from, b.to = b.offsets[0], b.offsets[blockSize-1]+1
		o.give(b.offsets)
		b.offsets = nil
	}
}

// advance moves the line past everything finished at its front.
func (o *offsets) advance() {
	for o.first < o.total {
		b := o.block(o.first)
		n := uint64(bits.TrailingZeros64(^b.done >> (o.first % blockSize)))
		if n == 0 {
			break
		}
		o.first += min(n, blockSize-o.first%blockSize)
		if b.done == allDone {
			o.blocks.drop(1)
			o.base += blockSize
		}
	}
	line := o.tail
	if o.first < o.total {
		line = o.block(o.first).offsets[o.first%blockSize]
	}
	if line < o.line {
		invariant.Always(false, "the line falls from %d to %d", o.line, line)
	}
	o.line = line
}

// skip moves the tail to a higher offset without a record.
func (o *offsets) skip(to Offset) {
	invariant.Always(to >= o.tail, "repositioned to %d, below %d", to, o.tail)
	o.tail = to
}

func (o *offsets) block(place uint64) *block {
	return o.blocks.at(int((place - o.base) / blockSize))
}

// runs appends the finished records above the line. A hole between two of them belongs
// to their run.
func (o *offsets) runs(runs []Run) []Run {
	joined := false // the record before was finished
	for place := o.first; place < o.total; {
		b, i := o.block(place), place%blockSize
		n := min(blockSize-i, o.total-place) // records of the block that are left
		marks := b.done >> i
		if b.done == allDone {
			runs = grow(runs, b.from, b.to, joined)
			joined = true
			place += n
			continue
		}
		same := uint64(bits.TrailingZeros64(marks))
		if same == 0 {
			same = min(n, uint64(bits.TrailingZeros64(^marks)))
			runs = grow(runs, b.offsets[i], b.offsets[i+same-1]+1, joined)
			joined = true
		} else {
			joined = false
		}
		place += min(n, same)
	}
	return runs
}

// grow appends a run, or joins it to the last one.
func grow(runs []Run, from, to Offset, join bool) []Run {
	if join {
		runs[len(runs)-1].To = to
		return runs
	}
	return append(runs, Run{From: from, To: to})
}

func (o *offsets) take() *[blockSize]Offset {
	n := len(o.spare)
	if n == 0 {
		return new([blockSize]Offset)
	}
	s := o.spare[n-1]
	o.spare = o.spare[:n-1]
	return s
}

func (o *offsets) give(s *[blockSize]Offset) { o.spare = append(o.spare, s) }
