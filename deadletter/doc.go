// Package deadletter reads dead letters: records of a dead letter topic that runtimes of
// Troupe write, in either of its forms (see runtime.DeadLetter).
//
//	func(ctx context.Context, rec *actors.Record) error {
//		letter, err := deadletter.Decode(rec)
//		if err != nil {
//			return actors.Discard(err)
//		}
//		log.Print(letter.GetFailure().GetMessage())
//		return retry(ctx, deadletter.Original(letter))
//	}
//
// Programs in other languages read the protobuf form by the schema in
// proto/troupe/deadletter/v1, and the headers as docs/dead-letters.md lists them.
package deadletter
