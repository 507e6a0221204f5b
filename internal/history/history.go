package history

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// History is a list of events that only grows. It is safe for concurrent use: an event
// is appended before Append returns, so what happened before in one goroutine, or across
// a synchronization, has a lower Seq.
type History struct {
	seq atomic.Uint64

	mu     sync.Mutex
	full   [][]Event // guarded by mu: chunks that are full, so that growing copies nothing
	events []Event   // guarded by mu: those behind them
	stream io.Writer
	err    error // of the stream
}

// chunk is how many events are allocated at once.
const chunk = 1024

// New makes an empty history.
func New() *History { return &History{} }

// StreamTo also writes each event to w at once, as a line of JSON, so that it outlives a
// process that is killed. Err tells when that failed. It is called before the first
// Append.
func (h *History) StreamTo(w io.Writer) { h.stream = w }

// Append adds ev and returns its Seq, which it draws. It sets Wall too unless that is
// set.
func (h *History) Append(ev Event) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ev.Wall == 0 {
		ev.Wall = time.Now().UnixNano()
	}
	ev.Seq = h.seq.Add(1)
	if len(h.events) == cap(h.events) {
		h.full, h.events = append(h.full, h.events), make([]Event, 0, chunk)
	}
	h.events = append(h.events, ev)
	if h.stream != nil && h.err == nil {
		h.err = writeLine(h.stream, &ev)
	}
	return ev.Seq
}

// Len is the number of events so far. It takes no lock.
func (h *History) Len() int { return int(h.seq.Load()) } //nolint:gosec // not that many

// Events is a copy of the events so far, ascending by Seq.
func (h *History) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Concat(append(slices.Clone(h.full), h.events)...)
}

// Err is the first error of the stream.
func (h *History) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func writeLine(w io.Writer, ev *Event) error {
	line, err := json.Marshal(ev)
	if err != nil {
		return fmt.Errorf("event %d: %w", ev.Seq, err)
	}
	if _, err = w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("event %d: %w", ev.Seq, err)
	}
	return nil
}
