// Package wallclock is time.Now where the runtime asks what time of day it is: for due
// times, and for the guard of the session lease against a machine that was suspended.
//
// With the build tag failpoints a test makes that clock jump, for one runtime, while the
// monotonic clock runs on, as a step of NTP does. In a synctest bubble it makes times
// with a monotonic reading besides, which time.Now leaves out there.
package wallclock
