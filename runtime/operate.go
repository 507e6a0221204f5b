package runtime

import (
	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

// RestartLane replaces the behavior of a virtual partition: a call under way has its
// context ended with [actors.ErrRestart], and its record is delivered again. It is also
// how a lane goes on that supervision stopped. A quarantined lane is restarted only with
// force: then the new behavior runs beside the old call, and what that call does to the
// outside is yours to judge; its result is dropped.
//
// It returns [ErrNotAssigned] when the partition is not this member's.
func (r *Runtime) RestartLane(vp actors.VirtualPartition, force bool) error {
	return r.operate(func() error { return r.engine.RestartLane(vp, force) })
}

// RestartPartition rebuilds a partition from its commit line, its lanes with it. What
// was finished above the line and the attempts of failed records are kept. One that was
// stopped by records that were deleted goes on behind them; one that was stopped with
// [ErrTruncated] or [ErrBatchTooLarge] is tried again where it is.
func (r *Runtime) RestartPartition(topic string, partition int32) error {
	tp := observe.TopicPartition{Topic: topic, Partition: partition}
	return r.operate(func() error { return r.engine.RestartPartition(tp) })
}

// PausePartition stops fetching a partition, and begins no delivery in it, until
// ResumePartition. Deliveries under way go on. It does not outlive the assignment.
func (r *Runtime) PausePartition(topic string, partition int32) error {
	tp := observe.TopicPartition{Topic: topic, Partition: partition}
	return r.operate(func() error { return r.engine.PausePartition(tp) })
}

// ResumePartition takes PausePartition back.
func (r *Runtime) ResumePartition(topic string, partition int32) error {
	tp := observe.TopicPartition{Topic: topic, Partition: partition}
	return r.operate(func() error { return r.engine.ResumePartition(tp) })
}

func (r *Runtime) operate(do func() error) error {
	r.mu.Lock()
	running := r.engine != nil
	r.mu.Unlock()
	if !running {
		return ErrNotAssigned
	}
	return do()
}
