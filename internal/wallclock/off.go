//go:build !failpoints

package wallclock

import "time"

// Now is time.Now.
func Now(any) time.Time { return time.Now() }

// Since is time.Since.
func Since(_ any, t time.Time) time.Duration { return time.Since(t) }

// Until is time.Until.
func Until(_ any, t time.Time) time.Duration { return time.Until(t) }
