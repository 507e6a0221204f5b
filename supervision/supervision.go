// Package supervision decides what happens to a virtual partition that failed.
//
// It is pure: no goroutine, no clock, no IO. Time and randomness are arguments.
//
// A [Policy] maps a [Failure] to a [Directive]. Its zero value restarts after a
// panic, goes on after an error, and escalates when more than 10 restarts within
// 10 minutes finished no record. A policy of one's own is a function:
//
//	supervision.Policy{Decide: func(f supervision.Failure) supervision.Directive {
//		if errors.Is(f.Err, errBadState) {
//			return supervision.Restart
//		}
//		return supervision.Default(f)
//	}}
package supervision

import "time"

// Directive is what a supervisor does with a failed child.
type Directive int

const (
	// Resume keeps the behavior's state; the record is retried or dead-lettered.
	Resume Directive = iota
	// Restart discards the state, builds a new behavior and redelivers the record.
	Restart
	// Stop halts the virtual partition; the others run on. An operator restarts it.
	Stop
	// Escalate fails the parent: the partition is rebuilt from its commit line,
	// and over its own budget Run ends with the error.
	Escalate
)

// String is the directive's name in lower case.
func (d Directive) String() string {
	switch d {
	case Resume:
		return "resume"
	case Restart:
		return "restart"
	case Stop:
		return "stop"
	case Escalate:
		return "escalate"
	}
	return "unknown"
}

// Failure describes one failed delivery, or a failed start of a behavior.
type Failure struct {
	Err      error
	Panicked bool   // Err comes from a recovered panic or a Goexit; the behavior's state is suspect
	Starting bool   // the behavior's Start, or its factory, failed; no record is blamed
	Stack    []byte // of the panic
	Attempt  int    // deliveries of this record so far, 1 after the first; 0 when Starting
	Restarts int    // restarts inside Policy.Within since a record last completed or was dead-lettered
}

// A Policy is the supervision strategy of one topic. Attempts of a record and
// restarts of its lane count separately; the topic's MaxAttempts is looked at
// first. Without a dead letter topic a discarded record, and one out of
// attempts, escalates whatever Decide says.
type Policy struct {
	// Decide maps a failure to a directive. Its lane waits for it, and no other does;
	// one that panics means [Escalate]. After a failed start Resume means Restart.
	//
	// Defaults to [Default]: Restart after a panic, Resume after an error.
	Decide func(Failure) Directive

	// MaxRestarts is the restart intensity: more than this many restarts inside
	// Within, with no record of the lane completed or dead-lettered between them,
	// escalate. [Unlimited] never does. The same numbers bound the rebuilds of a
	// partition whose commit line does not move in between.
	//
	// Defaults to 10.
	MaxRestarts int

	// Within is the period MaxRestarts is counted over.
	//
	// Defaults to 10 minutes.
	Within time.Duration

	// Backoff spaces restarts. Where a retry's backoff applies too, the longer
	// one counts.
	//
	// Defaults to 100 milliseconds doubling to 30 seconds.
	Backoff Backoff
}

// Unlimited as MaxRestarts never escalates.
const Unlimited = -1

// Default restarts after a panic or a failed start and resumes after an error.
func Default(f Failure) Directive {
	if f.Panicked || f.Starting {
		return Restart
	}
	return Resume
}
