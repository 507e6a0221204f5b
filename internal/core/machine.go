package core

import (
	"time"

	"github.com/troupe-go/troupe/internal/invariant"
	"github.com/troupe-go/troupe/supervision"
)

// Machine is the state of one assigned partition: its records, lanes and commit
// line. It does no IO, starts no goroutine and reads no clock. A Machine belongs to
// one goroutine.
//
// What a policy decided is overridden in these cases: a discarded record and one out
// of attempts go to the dead letter topic, or escalate without one, or stop their lane
// when they have been there too often; after a failed
// start Resume means Restart; a restart over the lane's budget escalates; for what is
// no attempt (Interrupted, Hung) Restart is the only directive that counts.
//
// Invariants: the line never falls; a lane has at most one hand-over and one
// unacknowledged forward; buffered and bytes count exactly the unfinished records;
// filling only while draining, and neither drained nor escalated.
type Machine struct {
	cfg   Config
	epoch uint64

	offsets offsets
	carried carried
	gen     uint32 // of the fetches that are taken
	leader  int32  // the highest leader epoch that was seen, here or where the machine goes on from
	skewed  bool   // SkewCapped was sent

	lanes   []lane
	touched []*lane     // idle lanes that got records in this Step; empty between Steps
	filed   [places]int // lanes by place
	timers  timers
	asked   time.Time // of the WakeAt that stands; zero: none
	seq     uint64    // of the last hand-over
	calls   int       // hand-overs in flight
	top     Offset    // the highest that was finished and is no control record's; 0: perhaps none

	horizon Offset // what is not below it does not begin
	reached Offset // the horizon for which all lanes were served

	forwards forwards
	commit   commit
	pause    pause

	buffered int
	bytes    int64

	escalated, draining, drained bool

	filling bool // it drains, and fills gaps while it does

	wakeAt WakeAt
}

// New makes the machine of an assignment that goes on where from ends. Lanes that
// are hung in it begin quarantined.
func New(cfg Config, epoch uint64, from Handoff) *Machine {
	invariant.Always(cfg.Lanes > 0 && cfg.HandOverMax > 0 && cfg.MaxForwards > 0, "config %+v", cfg)
	m := &Machine{cfg: cfg, epoch: epoch, lanes: make([]lane, cfg.Lanes)}
	m.offsets = offsets{line: from.Next, tail: from.Next, last: from.Next - 1}
	m.horizon, m.reached = unlimited, unlimited
	m.carried, m.leader = carry(from), from.LeaderEpoch
	m.commit.acked, m.commit.changed = from.Next, from.Uncommitted
	m.commit.doubt = from.InDoubt
	for i := range m.lanes {
		l := &m.lanes[i]
		l.id, l.size = LaneID(i), min(firstSize, cfg.HandOverMax)
	}
	for _, id := range from.Hung {
		m.lanes[id].hung = true
	}
	m.filed[idle] = cfg.Lanes
	return m
}

// Acquire is the lane of a key with this hash.
func (m *Machine) Acquire(hash uint64) LaneID { return laneOf(hash, m.cfg.Lanes) }

// Next is the commit line: the first offset that is not complete.
func (m *Machine) Next() Offset { return m.offsets.line }

// Step applies ev at now and appends to out what must be done. Effects and the slices
// in them hold until the next Step; the machine keeps nothing of ev.
func (m *Machine) Step(now time.Time, ev Event, out []Effect) []Effect {
	switch ev := ev.(type) {
	case *Fetched:
		out = m.fetched(now, ev, out)
	case *Repositioned:
		m.repositioned(ev)
	case *Progress:
		m.progress(ev)
	case *Succeeded:
		out = m.succeeded(now, ev, out)
	case *Failed:
		out = m.failed(now, ev, out)
	case *Freed:
		out = m.freed(now, ev, out)
	case *Forwarded:
		out = m.forwarded(now, ev, out)
	case *Committed:
		m.committed(now, ev)
	case *Woke:
		m.asked = time.Time{} // it has fired; settle asks again where it is still needed
	case *Ticked:
		out = m.tick(now, out)
	case *Paused:
		m.pause.add(ev.Reason)
	case *Resumed:
		m.pause.remove(ev.Reason)
		out = m.serveAll(now, out)
	case *Restart:
		out = m.restart(now, ev, out)
	case *Drain:
		m.drain(ev)
	}
	return m.settle(now, out)
}

// settle brings everything that follows from an event up to date.
func (m *Machine) settle(now time.Time, out []Effect) []Effect {
	m.offsets.advance()
	if m.reached < unlimited {
		out = m.goOn(now, out)
	}
	for l := m.timers.due(now); l != nil; l = m.timers.due(now) {
		out = m.serve(now, l, out)
	}
	if m.filling {
		out = m.fill(now, out)
	}
	out = m.throttle(out)
	out = m.askToWake(out)
	return m.reportDrained(out)
}

// askToWake keeps the WakeAt that stands equal to the earliest time that is needed.
func (m *Machine) askToWake(out []Effect) []Effect {
	at := m.timers.earliest()
	if at.IsZero() || at.Equal(m.asked) {
		return out
	}
	m.asked = at
	m.wakeAt.At = at
	return append(out, &m.wakeAt)
}

// frozen says that nothing begins any more: no forward or restart, and no hand-over
// but for those that fill gaps.
func (m *Machine) frozen() bool { return m.draining || m.escalated }

// held says that no new forward and, but for gaps, no hand-over may begin now.
func (m *Machine) held() bool { return m.frozen() || m.pause.outside.Has(Operator) }

// called is the lane whose hand-over in flight call names, or nil.
func (m *Machine) called(call Call) *lane {
	if call.Epoch != m.epoch || call.Lane < 0 || int(call.Lane) >= len(m.lanes) {
		return nil
	}
	if l := &m.lanes[call.Lane]; l.handed > 0 && l.seq == call.Seq {
		return l
	}
	return nil
}

// escalate fails the partition, once.
func (m *Machine) escalate(l *lane, f supervision.Failure, out []Effect) []Effect {
	invariant.Always(!m.frozen(), "lane %d escalates in a frozen machine", l.id)
	m.escalated = true
	m.timers.clear()
	return append(out, &Escalate{Lane: l.id, Failure: f})
}
