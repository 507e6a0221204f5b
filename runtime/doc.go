// Package runtime embeds Troupe: a Go service fills a [Config] and runs it.
//
// A [Runtime] is one member of a consumer group. It splits each partition that it is
// assigned into ordered lanes, the virtual partitions, and delivers each record to the
// behavior of its lane, one at a time.
//
//	charge := func(ctx context.Context, rec *actors.Record) error {
//		return nil // complete
//	}
//	rt, err := runtime.New(runtime.Config{
//		Brokers: []string{"localhost:9092"},
//		Group:   "billing",
//		Topics:  []runtime.Topic{{Name: "orders", Behavior: actors.Func(charge)}},
//	})
//	if err != nil {
//		return err // a *ConfigError, which names every field that is wrong
//	}
//	return rt.Run(ctx) // until ctx ends, and then through a drain
//
// # Concepts
//
// A [Topic] binds a behavior to an input. Its VirtualPartitions say how many lanes a
// partition has, and by what records keep their order: their key, if nothing else is said.
//
// The commit line of a partition is the first offset that is not complete. It is all that
// is stored in Kafka, as the group's committed offset, and it never passes a record that is
// not complete: so delivery is at least once.
//
// A lane that waits, for a Delay, a retry or a call that takes long, holds its own records
// and no others. Up to MaxAhead records may be finished above a line that does not move.
//
// What happens is told to Config.Hooks, as the events of package observe, and to
// Config.Logger; [Runtime.Stats] is a snapshot, and [Runtime.Handler] serves probes.
//
// # Failure
//
// A behavior that returns an error is called again with the record, after Topic.Retry's
// backoff. One that panics is replaced first, as Topic.Supervision says. A record that is
// out of attempts, or discarded, goes to Topic.DeadLetter. Without a dead letter topic it is
// tried for ever, unless it was discarded or MaxAttempts is set: then the failure escalates,
// the partition is rebuilt from its commit line, and over its budget Run returns the error.
// A call that goes on past Topic.Timeout quarantines its lane until it returns.
//
// A broker that is away is waited for. What waiting does not mend ends Run: see
// [Runtime.Run], and docs/errors.md for each error. When the group gives a partition to
// another member, calls in flight have DrainTimeout to end; what is not complete then is
// delivered again by its next owner.
package runtime
