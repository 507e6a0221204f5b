// Package core is the machine of one assigned partition: its lanes, retries, delays,
// dead letters, pauses and its commit line. It is pure: events go in, effects come
// out, and time and jitter are arguments.
//
// One owner drives it, and does what the effects ask for:
//
//	out = m.Step(now, &core.Fetched{Records: records}, out[:0])
//	for _, effect := range out {
//		switch effect := effect.(type) {
//		case *core.HandOver: // run its records, then step Succeeded or Failed
//		case *core.Commit: // store its line, then step Committed
//		…
//		}
//	}
//
// testdata holds conversations with a machine, one for each feature.
package core
