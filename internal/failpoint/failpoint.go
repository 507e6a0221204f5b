// Package failpoint lets a test break a step of the runtime from within: without the
// build tag failpoints there is nothing of it in a binary.
//
// A step names its Point and calls Hit or Pass. With the tag a test puts a function there, which
// runs on the step's own goroutine: it may sleep, block, panic, end a member of the test,
// or return an error. What the step makes of an error stands beside its Point. Where
// nothing stands the step cannot fail, and goes on.
//
// A function stops the step itself. It never changes what a hook, a journal or a broker's
// reader sees of it.
package failpoint

// Steps are those of one runtime.
type Steps struct {
	Of any // the *runtime.Runtime
}

// Hit is called at a step whose error means something to the caller.
func (s Steps) Hit(p Point) error { return hit(p, s.Of) }

// Pass is Hit at a step that knows no failure.
func (s Steps) Pass(p Point) { _ = hit(p, s.Of) }

// Point is a step of the runtime.
type Point string

// What a panic at a point does follows from whose goroutine the step is on. On an actor's
// it is a bug of ours, which the supervisor above handles: a partition is rebuilt, and with
// the group supervisor Run ends. Within a behavior's call it is that call's failure. On any
// other goroutine it ends the process.
const (
	// Fetching, on the poll goroutine.
	Poll   Point = "failpoint:poll"   // before a poll. Error: the turn polls nothing
	Polled Point = "failpoint:polled" // a poll's records are in hand
	Seek   Point = "failpoint:seek"   // before a new position is set. Error: it is set later

	// Pauses of fetching, on the goroutine that asks for them, mostly a partition's actor.
	Pause  Point = "failpoint:pause"  // before fetching stops or goes on. Error: it does neither
	Filled Point = "failpoint:filled" // before a full partition asks for a pause. Error: it asks for none

	// Assignments.
	Joined   Point = "failpoint:joined"   // kgo's callback for new partitions begins. kgo's goroutine
	Start    Point = "failpoint:start"    // start offsets are to be found. kgo's goroutine, or that of repairs. Error: found later
	Assigned Point = "failpoint:assigned" // the engine begins partitions. The same goroutine
	Spawn    Point = "failpoint:spawn"    // the group supervisor starts a partition's actor. Its actor
	Machine  Point = "failpoint:machine"  // a partition's actor makes its machine. The partition's actor

	// Hand-overs.
	Enter    Point = "failpoint:enter"     // a batch enters the machine. The partition's actor
	HandOver Point = "failpoint:hand-over" // a lane gets records. The partition's actor
	Begin    Point = "failpoint:begin"     // before a lane begins with what it got. The lane. Error: nothing of it is begun
	Claim    Point = "failpoint:claim"     // between a claim and the look at the fence. The lane. Error: the record is not begun

	// The end of a delivery.
	End      Point = "failpoint:end"      // a call has returned. The lane. Error: the call's
	Report   Point = "failpoint:report"   // before a lane reports a hand-over. The lane
	Reported Point = "failpoint:reported" // a report has come. The partition's actor
	Expire   Point = "failpoint:expire"   // a call is to be taken away for its Timeout. The timer's goroutine
	Freed    Point = "failpoint:freed"    // the call of a quarantined lane has returned. The lane

	// Timers.
	WakeUp Point = "failpoint:wake-up" // a partition's timer has fired. The timer's goroutine. Error: nobody is woken
	Tick   Point = "failpoint:tick"    // the commit interval. The group's actor. Error: no tick for its partitions
	Lease  Point = "failpoint:lease"   // the group looks at the session's lease. The group's actor. Error: it does so with the next tick

	// The commit line.
	Line      Point = "failpoint:line"      // a line is to be committed. The partition's actor. Error: it is refused
	Flush     Point = "failpoint:flush"     // lines that came together leave the group's actor. Error: they are refused
	Send      Point = "failpoint:send"      // before a commit request. The commit's goroutine. Error: it is refused
	Answer    Point = "failpoint:answer"    // a commit request was answered. The commit's goroutine. Error: the outcome is unknown
	Committed Point = "failpoint:committed" // the answer has come to the partition. The partition's actor

	// The end of an assignment.
	Revoke  Point = "failpoint:revoke"  // kgo's callback for partitions that are revoked begins. kgo's goroutine
	Drain   Point = "failpoint:drain"   // a partition drains. The partition's actor. Error: it begins as much as before
	Drained Point = "failpoint:drained" // the wait for a drain is over. The goroutine of the revoke or the stop
	Close   Point = "failpoint:close"   // what still runs is to be taken away. The partition's actor
	Fence   Point = "failpoint:fence"   // before the fence is up for good. The goroutine of the revoke or the stop
	Lose    Point = "failpoint:lose"    // partitions are lost. kgo's goroutine, or the group's actor
	Rebuild Point = "failpoint:rebuild" // the client is to be rebuilt. The goroutine that asks
	Leave   Point = "failpoint:leave"   // the group is to be left. The goroutine of the stop. Error: it is not left

	// Dead letters.
	Forward   Point = "failpoint:forward"   // a dead letter is to be written. The partition's actor. Error: the write's
	Produced  Point = "failpoint:produced"  // a write was answered. kgo's goroutine. Error: the write's
	Forwarded Point = "failpoint:forwarded" // the answer has come to the partition. The partition's actor

	// Restarts.
	Restart  Point = "failpoint:restart"  // a lane is to get a new behavior. The partition's actor
	Make     Point = "failpoint:make"     // before the factory. The lane, as the factory's own panic. Error: the start's
	Stop     Point = "failpoint:stop"     // before a behavior's Stop. The lane, as Stop's own panic. Error: Stop's
	Escalate Point = "failpoint:escalate" // a partition is to be rebuilt. The partition's actor
	Resume   Point = "failpoint:resume"   // a rebuild was asked for, and is to wait for its backoff. The group's actor
)
