package sim

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// Plan is a run before it is played: a workload and the faults that befall it. The same
// plan gives the same workload and faults each time; how goroutines interleave in it is
// not part of it.
type Plan struct {
	Seed      uint64     `json:"seed"` // of what records are like and of what happens to them
	Mode      Mode       `json:"mode"`
	Group     Group      `json:"group"`
	Topics    []Topic    `json:"topics"`
	Members   []Member   `json:"members"`
	Producers []Producer `json:"producers"`
	Faults    []Fault    `json:"faults"`

	// Settle is how long the backlog may take once the faults have ended, or in liveness
	// mode since the last one began.
	Settle Duration `json:"settle"`
}

// Mode is what a plan asks for.
type Mode string

const (
	// Safety is faults all along, then none; what is promised about single records must
	// hold throughout, and everything be finished afterwards.
	Safety Mode = "safety"
	// Liveness is faults that never end, with a healthy core that must finish everything.
	Liveness Mode = "liveness"
)

// Group is what the members have in common.
type Group struct {
	Session   Duration `json:"session"`
	Rebalance Duration `json:"rebalance"`
	Drain     Duration `json:"drain"`
	Commit    Duration `json:"commit"`   // timeout
	Interval  Duration `json:"interval"` // between commits
	Shutdown  Duration `json:"shutdown"`
	FetchWait Duration `json:"fetchWait"`
}

// Topic is an input and what happens to its records.
type Topic struct {
	Name       string `json:"name"`
	Partitions int32  `json:"partitions"`
	Lanes      int    `json:"lanes"`

	Delay       Duration `json:"delay,omitzero"`
	MaxSkew     Duration `json:"maxSkew,omitzero"`
	Timeout     Duration `json:"timeout,omitzero"`
	DeadLetters bool     `json:"deadLetters,omitzero"` // into dlq.sim.NAME, which may be a topic of the plan
	Attempts    int      `json:"attempts,omitzero"`    // with dead letters
	Form        string   `json:"form,omitzero"`        // of dead letters, as runtime.DeadLetterForm
	Create      bool     `json:"create,omitzero"`      // the members create the dead letter topic
	LetterBytes int      `json:"letterBytes,omitzero"` // max.message.bytes of the dead letter topic
	Loop        bool     `json:"loop,omitzero"`        // its dead letters come back to it
	Buffer      int      `json:"buffer,omitzero"`
	MaxAhead    int      `json:"maxAhead,omitzero"`
	OnGap       string   `json:"onGap,omitzero"` // stop or continue
	Compact     bool     `json:"compact,omitzero"`

	Calls Calls `json:"calls"`
}

// Calls says, in records of a thousand, what the calls of the behavior do. The rest
// returns nil at once.
type Calls struct {
	Error   int `json:"error,omitzero"`   // fails a few times
	Retry   int `json:"retry,omitzero"`   // asks to be tried again later, once or twice
	Snooze  int `json:"snooze,omitzero"`  // asks to be called later, once
	Discard int `json:"discard,omitzero"` // discards
	Panic   int `json:"panic,omitzero"`   // panics, once or twice
	Goexit  int `json:"goexit,omitzero"`  // ends its goroutine, once
	Poison  int `json:"poison,omitzero"`  // fails each time; a few times where there are no dead letters
	Quick   int `json:"quick,omitzero"`   // takes up to 5 ms
	Slow    int `json:"slow,omitzero"`    // takes up to 200 ms, or until its context ends
	Tail    int `json:"tail,omitzero"`    // takes up to TailMax, whatever its context says

	TailMax Duration `json:"tailMax,omitzero"`
	Starts  int      `json:"starts,omitzero"` // of a thousand starts of a behavior that fail
}

// Member is a runtime of the group.
type Member struct {
	Name     string   `json:"name"`
	Instance string   `json:"instance,omitzero"` // static membership
	At       Duration `json:"at,omitzero"`       // when it starts
}

// Producer writes records to a topic.
type Producer struct {
	Topic   string   `json:"topic"`
	Records int      `json:"records"`
	Batch   int      `json:"batch"`
	Every   Duration `json:"every"`            // between batches
	Keys    int      `json:"keys"`             // zipf over so many
	NoKey   int      `json:"noKey,omitzero"`   // of a thousand records, without a key
	Tx      bool     `json:"tx,omitzero"`      // a transaction per batch
	Aborts  int      `json:"aborts,omitzero"`  // of a thousand transactions
	OpenFor Duration `json:"openFor,omitzero"` // how long one is open
	Ahead   int      `json:"ahead,omitzero"`   // of a thousand records, whose timestamp lies a century ahead
}

// Fault is something that happens to the run. Which fields matter follows from its kind;
// see the table in CONTRIBUTING.md.
type Fault struct {
	At   Duration `json:"at"`
	For  Duration `json:"for,omitzero"` // 0: at once, or for ever
	Kind string   `json:"kind"`

	Member    string   `json:"member,omitzero"`
	Broker    int32    `json:"broker,omitzero"` // -1: all
	Topic     string   `json:"topic,omitzero"`
	Partition int32    `json:"partition,omitzero"`
	Request   string   `json:"request,omitzero"` // Kafka's name of it, such as OffsetCommit
	Error     string   `json:"error,omitzero"`   // Kafka's name of it, such as NOT_COORDINATOR
	Count     int      `json:"count,omitzero"`
	Lag       Duration `json:"lag,omitzero"`
	Point     string   `json:"point,omitzero"` // a failpoint
}

// String is the fault on a line.
func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%8s %-14s", f.At, f.Kind)
	for _, x := range []struct {
		name  string
		value any
		shown bool
	}{
		{"member", f.Member, f.Member != ""},
		{"broker", f.Broker, f.Broker != 0},
		{"topic", fmt.Sprintf("%s/%d", f.Topic, f.Partition), f.Topic != ""},
		{"request", f.Request, f.Request != ""},
		{"error", f.Error, f.Error != ""},
		{"count", f.Count, f.Count != 0},
		{"lag", f.Lag, f.Lag != 0},
		{"point", f.Point, f.Point != ""},
		{"for", f.For, f.For != 0},
	} {
		if x.shown {
			fmt.Fprintf(&b, " %s=%v", x.name, x.value)
		}
	}
	return b.String()
}

// Records is how many the producers write.
func (p *Plan) Records() int {
	n := 0
	for i := range p.Producers {
		n += p.Producers[i].Records
	}
	return n
}

// String is the plan for people.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %s: %d records, %d faults, settles within %s\n", p.Seed, p.Mode, p.Records(), len(p.Faults), p.Settle)
	fmt.Fprintf(&b, "group %+v\n", p.Group)
	for i := range p.Topics {
		fmt.Fprintf(&b, "topic %+v\n", p.Topics[i])
	}
	for i := range p.Producers {
		fmt.Fprintf(&b, "producer %+v\n", p.Producers[i])
	}
	for _, m := range p.Members {
		fmt.Fprintf(&b, "%8s member %s %s\n", m.At, m.Name, m.Instance)
	}
	for _, f := range p.Faults {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}

// Save writes the plan as JSON.
func (p *Plan) Save(path string) error {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("save plan: %w", err)
	}
	return nil
}

// Load reads what Save wrote, or somebody by hand.
func Load(path string) (*Plan, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load plan: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was read alone
	dec := json.NewDecoder(file)
	dec.DisallowUnknownFields()
	p := &Plan{}
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("load plan %s: %w", path, err)
	}
	return p, nil
}

// Duration is one that a plan writes as 1m30s.
type Duration time.Duration

// String is time.Duration's.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText is for JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is for JSON.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}
