package core

import (
	"time"

	"github.com/troupe-go/troupe/supervision"
)

// Stats is a snapshot of a machine.
type Stats struct {
	Next         Offset    // the commit line
	Position     Offset    // after the last record fetched
	Buffered     int       // records not finished
	Bytes        int64     // theirs
	Ahead        int       // records from the line on, finished or not
	InFlight     int       // records in hand-overs
	Forwarding   int       // forwards not acknowledged
	ForwardTries int       // the most that failed of one of those
	ForwardSince time.Time // when the first of those was asked for; zero: none
	Quarantined  int       // lanes
	Reasons      ReasonSet
	Waiting      time.Time // the next due time, retry or try to forward; zero: none
	Oldest       Oldest    // the first record that is not finished; zero when all are
	Drained      bool
	Lanes        []LaneStats
}

// Oldest names the oldest record that is not finished.
type Oldest struct {
	Offset    Offset
	Timestamp int64 // as the record's
}

// LaneState is what a lane does.
type LaneState uint8

// The states of a lane.
const (
	LaneIdle        LaneState = iota // it has no records
	LaneActive                       // it works, or could
	LaneWaiting                      // until LaneStats.Until
	LaneStopped                      // it is stopped until a Restart
	LaneQuarantined                  // it waits for a call to return
	LaneForwarding                   // its head waits for a forward
	laneStates
)

// String is the state as Stats show it.
func (s LaneState) String() string {
	return [...]string{"idle", "active", "waiting", "stopped", "quarantined", "forwarding", "invalid"}[min(s, laneStates)]
}

// LaneStats is a snapshot of a lane.
type LaneStats struct {
	Lane     LaneID
	State    LaneState
	Queued   int // records, those in flight among them
	Bytes    int64
	InFlight int
	Head     Offset    // of the first record; -1: none
	Attempt  int       // its deliveries so far
	Restarts int       // since a record was last completed or dead-lettered
	Until    time.Time // when the head may go, while it waits
	Err      error     // of the last failure since a record was completed
}

// Stats fills s, whose memory is used again.
func (m *Machine) Stats(s *Stats) {
	lanes := s.Lanes[:0]
	*s = Stats{
		Next:       m.offsets.line,
		Position:   m.offsets.tail,
		Buffered:   m.buffered,
		Bytes:      m.bytes,
		Ahead:      m.offsets.ahead(),
		Forwarding: m.forwards.unacked,
		Reasons:    m.pause.reasons,
		Waiting:    m.timers.earliest(),
		Drained:    m.drained,
	}
	for i := range m.lanes {
		l := &m.lanes[i]
		ls := l.stats(m.cfg.Supervision)
		s.InFlight += ls.InFlight
		if l.hung {
			s.Quarantined++
		}
		l.oldest(&s.Oldest, s.Next)
		l.forward.stats(s)
		lanes = append(lanes, ls)
	}
	s.Lanes = lanes
}

func (f *forward) stats(s *Stats) {
	if f.effect == nil {
		return
	}
	s.ForwardTries = max(s.ForwardTries, f.tries)
	if at := f.effect.Last; s.ForwardSince.IsZero() || at.Before(s.ForwardSince) {
		s.ForwardSince = at
	}
}

// oldest sets o when the record at the line is this lane's.
func (l *lane) oldest(o *Oldest, line Offset) {
	if f := l.forward.effect; f != nil && f.Record.Offset == line {
		*o = Oldest{line, f.Record.Timestamp}
	}
	if l.records.len() > 0 && l.records.at(0).Offset == line {
		*o = Oldest{line, l.records.at(0).Timestamp}
	}
}

func (l *lane) stats(p supervision.Policy) LaneStats {
	s := LaneStats{
		Lane:     l.id,
		State:    l.state(),
		Queued:   l.records.len(),
		Bytes:    l.bytes,
		InFlight: l.handed - l.done,
		Head:     -1,
		Restarts: l.restarts.Spent(time.Time{}, p.Within), // the zero time forgets none
		Err:      l.failure.Err,
	}
	if s.Queued > 0 {
		s.Head, s.Attempt = l.records.at(0).Offset, l.notes.at(0).attempts
	}
	switch l.place {
	case retrying:
		s.Until = l.until
	case delayed:
		s.Until = time.Unix(0, l.notes.at(0).due)
	default: // it waits for no time
	}
	return s
}

func (l *lane) state() LaneState {
	switch {
	case l.hung:
		return LaneQuarantined
	case l.stopped:
		return LaneStopped
	case l.doomed:
		return LaneForwarding
	case l.place == idle:
		return LaneIdle
	case l.place == delayed, l.place == retrying:
		return LaneWaiting
	}
	return LaneActive
}
