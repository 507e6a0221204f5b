package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
)

// ErrNotAssigned means that the partition is not this member's at the moment.
var ErrNotAssigned = errors.New("the partition is not assigned to this member")

// RestartLane replaces the behavior of a virtual partition, also of one that was
// stopped. A quarantined one is restarted beside its old call with force alone.
func (e *Engine) RestartLane(vp actors.VirtualPartition, force bool) error {
	a := e.lookup(observe.TopicPartition{Topic: vp.Topic, Partition: vp.Partition})
	if a == nil {
		return fmt.Errorf("restart %s: %w", vp, ErrNotAssigned)
	}
	if vp.Index < 0 || int(vp.Index) >= a.topic.Core.Lanes {
		return fmt.Errorf("restart %s: the topic has %d virtual partitions", vp, a.topic.Core.Lanes)
	}
	e.root.Send(e.group, toPartition{a, laneRestart{core.LaneID(vp.Index), force}})
	return nil
}

// RestartPartition rebuilds a partition from its commit line. One that a gap had
// stopped goes on at the start of the log.
func (e *Engine) RestartPartition(tp observe.TopicPartition) error {
	return e.tell(tp, "restart", rebuildNow{})
}

// PausePartition stops fetching a partition, and beginning deliveries in it.
func (e *Engine) PausePartition(tp observe.TopicPartition) error {
	return e.tell(tp, "pause", setPause{true})
}

// ResumePartition takes PausePartition back.
func (e *Engine) ResumePartition(tp observe.TopicPartition) error {
	return e.tell(tp, "resume", setPause{false})
}

func (e *Engine) tell(tp observe.TopicPartition, what string, msg any) error {
	a := e.lookup(tp)
	if a == nil {
		return fmt.Errorf("%s %s: %w", what, tp, ErrNotAssigned)
	}
	e.root.Send(e.group, toPartition{a, msg})
	return nil
}

// hash is XXH64 with seed 0: the mapping of keys to lanes is documented in package
// actors, and has to stay.
func hash(key []byte) uint64 { return xxhash.Sum64(key) }

// warn tells of what is wrong and handled.
func (e *Engine) warn(what string, err error) {
	e.opts.Emit(observe.Warned{What: what, Err: err})
}

// PartitionStats is a snapshot of a partition.
type PartitionStats struct {
	TP     observe.TopicPartition
	Epoch  observe.Epoch
	LogEnd int64
	LogAt  time.Time // when LogEnd was seen
	Acked  int64     // the highest commit line that the broker acknowledged
	Wedged bool      // the supervisor did not answer in time: what else there is may be missing
	Core   core.Stats

	Foreign int64 // dead letters of other groups that were passed over

	// Refusal is why a dead letter that is not acknowledged could not be written; nil: no
	// try has failed.
	Refusal error
}

// statsPatience is how long Stats waits for a supervisor, which never blocks.
const statsPatience = time.Second

// Stats asks every partition for a snapshot.
func (e *Engine) Stats() []PartitionStats {
	as := e.all()
	replies := make([]chan PartitionStats, len(as))
	for i, a := range as {
		replies[i] = make(chan PartitionStats, 1)
		e.root.Send(a.pid(), statsRequest{replies[i]})
	}
	timer := time.NewTimer(statsPatience)
	defer timer.Stop()
	stats := make([]PartitionStats, len(as))
	late := false
	for i, a := range as {
		stats[i] = a.stats()
		stats[i].Wedged = true
		if late {
			select {
			case stats[i] = <-replies[i]:
			default:
			}
			continue
		}
		select {
		case stats[i] = <-replies[i]:
		case <-timer.C:
			late = true
		}
	}
	return stats
}

func (a *assignment) stats() PartitionStats {
	return PartitionStats{
		TP: a.tp, Epoch: a.epoch, LogEnd: a.logEnd.Load(), LogAt: time.Unix(0, a.logAt.Load()), Acked: a.acked.Load().Next, Foreign: a.foreign.Load(),
	}
}

func (p *partition) stats() PartitionStats {
	p.progress()
	s := p.a.stats()
	p.m.Stats(&s.Core)
	if s.Core.ForwardTries > 0 {
		s.Refusal = p.refusal
	}
	return s
}

// Assignments names the partitions that are assigned.
func (e *Engine) Assignments() []observe.TopicPartition { return e.present() }

// SawEnd notes the end of a partition's log.
func (e *Engine) SawEnd(tp observe.TopicPartition, end int64, at time.Time) {
	if a := e.lookup(tp); a != nil {
		a.sawEnd(end, at)
	}
}
