// Package actors is what an application implements: the behavior of a topic.
//
// The smallest behavior is a function:
//
//	actors.Func(func(ctx context.Context, rec *actors.Record) error {
//		return save(ctx, rec.Key, rec.Value)
//	})
//
// # Concepts
//
// A topic-partition splits into virtual partitions, ordered lanes that run side
// by side. Each lane has a [Behavior] of its own, made by a [Factory], and hands
// it one record at a time. A behavior with state keeps it in plain fields; one
// that takes resources implements [Starter] and [Stopper].
//
// # What a behavior says, and what happens
//
// The error that Receive returns is the record's outcome:
//
//	nil                 complete; the commit line may pass the record
//	an error            an attempt; tried again after the topic's backoff
//	[RetryAfter]        an attempt; tried again after the given time
//	[Snooze]            no attempt; delivered again after the given time
//	[Discard]           dead letter topic now; without one it escalates
//	a panic, Goexit     an attempt; supervision decides, by default Restart
//
// A record that waits holds the later ones of its own lane and no other. When its
// attempts are used up it goes to the dead letter topic; it is never dropped.
//
// # Lanes and keys
//
// Records with the same key go to the same lane: lane = hi64(xxh64(key) * lanes),
// with XXH64 of seed 0 and hi64 the upper half of the 128 bit product. The mapping
// depends on nothing else, so a record that is delivered again, in this process or
// another, finds the same lane as long as the number of lanes stays. Records
// without a key (nil, as opposed to an empty one) go to lane 0 and keep their
// order there; [Unordered] spreads them instead.
package actors
