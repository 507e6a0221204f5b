package engine

import (
	"fmt"
	"slices"
	"sync"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

// quarantine knows the calls that were taken away from their lanes and still run,
// over all epochs of a Runtime: nothing starts in such a lane, whoever's it is now. A call
// is known by its worker: one that an operator left behind must not be taken for another
// one of the lane, which still runs.
type quarantine struct {
	mu    sync.Mutex
	calls map[place]map[*worker]int // guarded by mu; none is empty, and no count 0
}

type place struct {
	tp   observe.TopicPartition
	lane core.LaneID
}

func (q *quarantine) init() { q.calls = map[place]map[*worker]int{} }

func (q *quarantine) add(p place, w *worker) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.calls[p] == nil {
		q.calls[p] = map[*worker]int{}
	}
	q.calls[p][w]++
}

// remove reports whether the lane is free now.
func (q *quarantine) remove(p place, w *worker) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	calls := q.calls[p]
	switch calls[w] {
	case 0:
		return false // an operator left it behind
	case 1:
		delete(calls, w)
	default:
		calls[w]--
	}
	if len(calls) > 0 {
		return false
	}
	delete(q.calls, p)
	return true
}

// free reports whether no such call runs in a lane.
func (q *quarantine) free(p place) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.calls[p]) == 0
}

// forget leaves the lane's calls behind, because an operator said so.
func (q *quarantine) forget(p place) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.calls, p)
}

// lanes are the quarantined lanes of tp below n, ascending.
func (q *quarantine) lanes(tp observe.TopicPartition, n int) []core.LaneID {
	q.mu.Lock()
	defer q.mu.Unlock()
	var ids []core.LaneID
	for id := range core.LaneID(n) { //nolint:gosec // n is small and positive
		if len(q.calls[place{tp, id}]) > 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// names are the lanes that hold such a call, as topic/partition/lane, sorted.
func (q *quarantine) names() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	names := make([]string, 0, len(q.calls))
	for p := range q.calls {
		names = append(names, fmt.Sprintf("%s/%d", p.tp, p.lane))
	}
	slices.Sort(names)
	return names
}

// freed is a worker's: its call, which was taken away from it, has returned. It is taken
// out of the quarantine, and the partition told that its lane is free, whichever epoch that
// is in by now.
func (e *Engine) freed(w *worker) {
	e.steps.Pass(failpoint.Freed)
	p := w.place()
	if !e.held.remove(p, w) {
		return
	}
	e.opts.Emit(observe.Freed{VP: actors.VirtualPartition{
		Topic: p.tp.Topic, Partition: p.tp.Partition, Index: int32(p.lane),
	}})
	if a := e.lookup(p.tp); a != nil {
		e.root.Send(a.pid(), freed{p.lane})
	}
}
