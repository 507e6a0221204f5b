package engine

import (
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/internal/core"
)

// phase is where a lane stands in its hand-over.
type phase uint64

const (
	idle     phase = iota // before a record
	claiming              // about to pass the fence with it
	running               // inside the behavior
	ended                 // the lane reported, or is about to
	closed                // taken away before it began the next record
	taken                 // taken away inside the behavior, which goes on: its result is dropped

	phaseBits = 3
)

// handOver is what a lane works at. The lane and its supervisor share it through
// word alone, until it has ended.
//
// word is the number of finished records and the phase. The lane moves it on by
// compare-and-swap, and whoever takes the hand-over away moves it to closed: the one
// that comes second fails, so a result counts exactly when it came before the close,
// and a closed hand-over begins nothing.
type handOver struct {
	word     atomic.Uint64
	canceled atomic.Bool // end before the next record

	worker   *worker // that it is for, whenever it is used
	call     core.Call
	recs     []payload
	due      int64 // of the first record, nanoseconds since the epoch; 0: at once
	attempt  int   // of the first record
	restarts int   // of the lane lately, for the policy
	given    time.Time

	// Set by the lane before the word says ended.
	result core.Result
	failed bool
	took   time.Duration
}

// reset makes ho ready for another use. Nobody else holds it.
func (ho *handOver) reset() {
	clear(ho.recs)
	ho.recs = ho.recs[:0]
	ho.result, ho.failed, ho.took = core.Result{}, false, 0
	ho.canceled.Store(false)
	ho.word.Store(pack(0, idle))
}

func pack(done int, p phase) uint64 { return uint64(done)<<phaseBits | uint64(p) } //nolint:gosec // done is small and positive

func unpack(w uint64) (int, phase) {
	return int(w >> phaseBits), phase(w & (1<<phaseBits - 1)) //nolint:gosec // fits: see pack
}

func (ho *handOver) phase() phase {
	_, p := unpack(ho.word.Load())
	return p
}

func (ho *handOver) done() int {
	n, _ := unpack(ho.word.Load())
	return n
}

// move is a step of the lane: it fails when the hand-over was closed.
func (ho *handOver) move(n int, from phase, m int, to phase) bool {
	return ho.word.CompareAndSwap(pack(n, from), pack(m, to))
}

// end is the lane's last step: the result counts when it returns true.
func (ho *handOver) end() bool {
	for {
		w := ho.word.Load()
		n, p := unpack(w)
		if p == closed || p == taken {
			return false
		}
		if ho.word.CompareAndSwap(w, pack(n, ended)) {
			return true
		}
	}
}

// close takes the hand-over away, and tells how many records were finished and where
// the lane stood. One that had ended stays so.
func (ho *handOver) close() (int, phase) {
	for {
		w := ho.word.Load()
		n, p := unpack(w)
		to := closed
		switch p {
		case ended, closed, taken:
			return n, p
		case running:
			to = taken
		case idle, claiming:
		}
		if ho.word.CompareAndSwap(w, pack(n, to)) {
			return n, p
		}
	}
}

// take is close for one call: it fails when the lane has gone on since.
func (ho *handOver) take(done int) bool {
	return ho.word.CompareAndSwap(pack(done, running), pack(done, taken))
}

// attemptOf is the attempt that record n is at. Only the first of a hand-over has
// been tried before.
func (ho *handOver) attemptOf(n int) int {
	if n == 0 {
		return ho.attempt
	}
	return 1
}

// restartsOf is how many restarts of the lane lie behind record n: one that was
// finished before it in the hand-over has settled those.
func (ho *handOver) restartsOf(n int) int {
	if n == 0 {
		return ho.restarts
	}
	return 0
}
