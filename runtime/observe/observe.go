// Package observe is what can be seen of a runtime: events, for metrics, logs,
// tests and tools.
//
// A [Hook] gets an event for every transition worth seeing; a [RecordHook] gets
// those of single records too, which cost nothing unless one asks for them. Hooks
// are told after the fact and decide nothing.
package observe

import (
	"fmt"
	"time"
)

// TopicPartition names a partition of a topic.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// String is topic/partition.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// Event is one of this package's event types.
//
//sumtype:decl
type Event interface{ event() }

// Hook receives events, one at a time, on a goroutine of its own. Who emits an event
// waits for it up to a second: one that takes longer is named in the log and gets no
// events until it returns. One that panics is named too and goes on being called. Of
// one partition and epoch the events come in order.
type Hook interface {
	OnEvent(at time.Time, ev Event)
}

// RecordHook is implemented by hooks that want the events of single records too.
// Without one they cost nothing. OnRecord is called in place, by many goroutines at
// once: it must not block.
type RecordHook interface {
	Hook
	OnRecord(at time.Time, ev Event)
}

// HookFunc adapts a function that wants no record events.
type HookFunc func(at time.Time, ev Event)

// OnEvent calls f.
func (f HookFunc) OnEvent(at time.Time, ev Event) { f(at, ev) }

// Outcome is what is known of a commit.
type Outcome int

const (
	// OK means that the broker stored the commit.
	OK Outcome = iota
	// Refused means that the broker did not store it, and said so.
	Refused
	// Unknown means that no answer came: the broker may have stored it, or may yet.
	Unknown
)

// String is the outcome in lower case.
func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	}
	return "invalid"
}
