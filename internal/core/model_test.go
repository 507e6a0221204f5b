package core

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/troupe-go/troupe/internal/metadata"
	"github.com/troupe-go/troupe/supervision"
)

// model says what a machine must do, in the dumbest way: it keeps the whole log and
// looks all of it through for every question.
type model struct {
	cfg   Config
	epoch uint64
	now   time.Time

	log      []*entry
	position int // in log: the next one to fetch
	tail     Offset
	gen      uint32

	lanes      []*modelLane
	calls      uint64
	committed  uint64 // commits of the epoch
	skewed     bool
	escalated  bool
	draining   bool
	filling    bool // it drains, and fills gaps
	filled     bool // it has filled one
	drained    bool
	outside    ReasonSet
	full, over bool
	line       Offset
	acked      Offset
	stored     Commit // by the broker
	again      bool
	refused    bool         // the last commit of the epoch was
	commits    []sentCommit // unanswered
	sentAt     time.Time
	told       []modelCommit // answered
	known      string        // by the broker, besides the line
	leader     int32         // of what is appended to the log
	asked      time.Time
	looped     int // records that looped and stopped their lane
}

// sentCommit is one that is under way.
type sentCommit struct {
	sent Commit
	says string
}

// entry is a record of the log.
type entry struct {
	Record
	leader     int32
	delivered  bool // to this machine
	finished   bool
	forwarding bool
	due        int64
	attempts   int
	first      time.Time
	last       time.Time // when it was given up
	over       uint64    // the epoch that gave it up; 0: none
}

type modelLane struct {
	id       LaneID
	call     *Call
	begun    int // records of the call
	done     int
	size     int
	hung     bool
	hungBy   Call
	stopped  bool
	failing  bool // its head failed in a drain
	until    time.Time
	renew    bool
	restarts []time.Time
	doomed   *modelForward // of the head, before it is sent
	forward  *modelForward
	last     Offset // highest offset that was begun since the partition was lost
}

type modelForward struct {
	record *entry
	seq    uint64
	flying bool
	tries  int
	until  time.Time
	last   time.Time
}

func newModel(cfg Config) *model {
	m := &model{cfg: cfg, now: scriptStart}
	m.begin()
	return m
}

// begin starts an epoch at the line. What lanes began before stays so.
func (m *model) begin() {
	hung, last := map[int]bool{}, map[int]Offset{}
	for i, l := range m.lanes {
		hung[i], last[i] = l.hung, l.last+1
	}
	m.epoch++
	m.calls, m.committed, m.gen, m.tail = 0, 0, 0, m.line
	m.skewed, m.escalated, m.draining, m.drained, m.filling, m.filled = false, false, false, false, false, false
	m.outside, m.full, m.over = 0, false, false
	m.again = len(m.commits) > 0 || m.again || m.line > m.acked || m.says() != m.known
	m.carryDoubt()
	m.acked, m.known, m.refused, m.commits, m.asked = m.line, m.says(), false, nil, time.Time{}
	m.lanes = nil
	for i := range m.cfg.Lanes {
		m.lanes = append(m.lanes, &modelLane{id: LaneID(i), size: min(16, m.cfg.HandOverMax), hung: hung[i], last: last[i] - 1})
	}
	m.position = len(m.log)
	for i := len(m.log) - 1; i >= 0 && m.log[i].Offset >= m.line; i-- {
		e := m.log[i]
		e.delivered, e.forwarding, e.due = false, false, 0
		if e.over == 0 {
			e.first = time.Time{}
		}
		m.position = i
	}
}

// condemn says of a lane's head that was given up, by this machine or one before, that
// it is a dead letter.
func (m *model) condemn(l *modelLane) {
	if q := m.queue(l); l.call == nil && l.doomed == nil && len(q) > 0 && q[0].over > 0 {
		l.doomed = &modelForward{record: q[0], last: q[0].last}
		l.restarts = nil
	}
}

// says is what a commit says besides its line.
func (m *model) says() string {
	var b strings.Builder
	for _, e := range m.log {
		switch {
		case e.Offset < m.line || e.Control:
		case e.finished:
			fmt.Fprintf(&b, "%d ", e.Offset)
		case e.attempts > 0:
			fmt.Fprintf(&b, "%d:%d:%t ", e.Offset, e.attempts, e.over > 0)
		}
	}
	return b.String()
}

func (m *model) giveUpOn(e *entry) { e.last, e.over = m.now, m.epoch }

func (m *model) condemnAll() {
	for _, l := range m.lanes {
		m.condemn(l)
	}
}

func (m *model) frozen() bool { return m.draining || m.escalated }

func (m *model) held() bool { return m.frozen() || m.outside.Has(Operator) }

// top is the highest offset that is finished, control records aside.
func (m *model) top() Offset {
	top := Offset(-1)
	for _, e := range m.log {
		if e.delivered && e.finished && !e.Control {
			top = e.Offset
		}
	}
	return top
}

// limit is what a lane may begin below.
func (m *model) limit(l *modelLane) Offset {
	horizon, _ := m.horizon()
	switch {
	case !m.held():
		return horizon
	case m.filling && !m.drained && !l.failing && !m.outside.Has(Operator):
		return min(m.top(), horizon)
	}
	return -1
}

// horizon is the first record that a commit might have no room for, and what all records
// from the line on might take.
func (m *model) horizon() (Offset, int64) {
	at, all, before := Offset(math.MaxInt64), int64(0), Offset(-1)
	for _, e := range m.log {
		if !e.delivered || e.Offset < m.wantLine() {
			continue
		}
		if before >= 0 {
			all += metadata.Sevenths(e.Offset - before)
		}
		if before = e.Offset; m.cfg.Room > 0 && all > m.cfg.Room {
			at = min(at, e.Offset)
		}
	}
	return at, all
}

// gaps are the unfinished records below top of lanes that could go on.
func (m *model) gaps() []*entry {
	var all []*entry
	for _, e := range m.unfinished() {
		l := m.lanes[e.Lane]
		cannot := l.hung || l.stopped || l.failing || l.doomed != nil || e.forwarding || !m.waits(l).IsZero()
		if horizon, _ := m.horizon(); e.Offset < min(m.top(), horizon) && !cannot && !m.outside.Has(Operator) {
			all = append(all, e)
		}
	}
	return all
}

// unfinished are the delivered records that are not, in order.
func (m *model) unfinished() []*entry {
	var all []*entry
	for _, e := range m.log {
		if e.delivered && !e.finished {
			all = append(all, e)
		}
	}
	return all
}

func (m *model) queue(l *modelLane) []*entry {
	var q []*entry
	for _, e := range m.unfinished() {
		if e.Lane == l.id && !e.forwarding {
			q = append(q, e)
		}
	}
	return q
}

// wantLine is where the line belongs.
func (m *model) wantLine() Offset {
	if u := m.unfinished(); len(u) > 0 {
		return u[0].Offset
	}
	return m.tail
}

// aheadOf counts the delivered records from a line on.
func (m *model) aheadOf(line Offset) int {
	n := 0
	for _, e := range m.log {
		if e.delivered && e.Offset >= line {
			n++
		}
	}
	return n
}

func (m *model) bytes() int64 {
	n := int64(0)
	for _, e := range m.unfinished() {
		n += int64(e.Bytes)
	}
	return n
}

// waits is when a lane's head may go; zero: nothing but time is missing, or it is not
// time that is.
func (m *model) waits(l *modelLane) time.Time {
	q := m.queue(l)
	if l.call != nil || l.hung || l.stopped || l.doomed != nil || len(q) == 0 {
		return time.Time{}
	}
	if m.now.Before(l.until) {
		return l.until
	}
	if q[0].due > m.now.UnixNano() {
		return m.now.Add(time.Duration(q[0].due - m.now.UnixNano()))
	}
	return time.Time{}
}

// ready says that a lane must be given records.
func (m *model) ready(l *modelLane) bool {
	q := m.queue(l)
	return l.call == nil && !l.hung && !l.stopped && l.doomed == nil && len(q) > 0 && q[0].Offset < m.limit(l) &&
		m.waits(l).IsZero()
}

// reach is how many records its next hand-over takes.
func (m *model) reach(l *modelLane) int {
	n := 0
	for _, e := range m.queue(l) {
		if n == l.size || e.Offset >= m.limit(l) || n > 0 && (e.attempts > 0 || e.due > m.now.UnixNano()) {
			break
		}
		n++
	}
	return n
}

func (m *model) unacked() int {
	n := 0
	for _, l := range m.lanes {
		if l.forward != nil {
			n++
		}
	}
	return n
}

// mustForward says that a lane's forward has to be sent.
func (m *model) mustForward(l *modelLane) bool {
	if f := l.forward; f != nil {
		return !f.flying && !m.now.Before(f.until) && !m.frozen()
	}
	return l.doomed != nil && !m.held() && m.unacked() < m.cfg.MaxForwards
}

// wantWake is the earliest time that anything waits for.
func (m *model) wantWake() time.Time {
	var at time.Time
	add := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if m.frozen() {
		return at
	}
	for _, l := range m.lanes {
		add(m.waits(l))
		if l.forward != nil && !l.forward.flying {
			add(l.forward.until)
		}
	}
	return at
}

// wantReasons is why the partition must be paused.
func (m *model) wantReasons() ReasonSet {
	n, bytes, ahead := len(m.unfinished()), m.bytes(), m.aheadOf(m.wantLine())
	if m.refused {
		ahead = m.aheadOf(m.acked)
	}
	switch {
	case n >= m.cfg.BufferRecords || bytes >= m.cfg.BufferBytes:
		m.full = true
	case n <= m.cfg.BufferRecords/2 && bytes <= m.cfg.BufferBytes/2:
		m.full = false
	}
	_, spread := m.horizon()
	room := m.cfg.Room > 0
	switch {
	case ahead >= m.cfg.MaxAhead, room && spread > m.cfg.Room:
		m.over = true
	case ahead <= m.cfg.MaxAhead/2 && (!room || spread <= m.cfg.Room/2):
		m.over = false
	}
	s := m.outside
	if m.over {
		s |= 1 << Ahead
	}
	if m.full {
		s |= 1 << m.wantFull()
	}
	return s
}

func (m *model) wantFull() Reason {
	why := Stopped
	if m.unacked() > 0 {
		return BackPressure
	}
	for _, l := range m.lanes {
		switch at := m.waits(l); {
		case l.call != nil:
			return BackPressure
		case len(m.queue(l)) == 0 || l.hung || l.stopped:
		case at.IsZero():
			return BackPressure
		case m.now.Before(l.until):
			why = Retried
		case why == Stopped:
			why = Delayed
		}
	}
	return why
}

// dueOf is when a record that was first seen now may go.
func (m *model) dueOf(r *Record) int64 {
	from := time.UnixMilli(r.Timestamp)
	switch {
	case m.cfg.Delay == 0:
		return 0
	case r.Timestamp < 0:
		from = m.now
	case m.tooFar(r):
		from = m.now.Add(m.cfg.MaxSkew)
	}
	return from.Add(m.cfg.Delay).UnixNano()
}

func (m *model) tooFar(r *Record) bool {
	return m.cfg.Delay > 0 && time.UnixMilli(r.Timestamp).After(m.now.Add(m.cfg.MaxSkew))
}

// spent counts a lane's restarts within the period.
func (m *model) spent(l *modelLane) int {
	n := 0
	for _, at := range l.restarts {
		if m.now.Sub(at) < m.cfg.Supervision.Within {
			n++
		}
	}
	return n
}

func (m *model) overBudget(l *modelLane) bool {
	most := m.cfg.Supervision.MaxRestarts
	return most != supervision.Unlimited && m.spent(l) >= most
}
