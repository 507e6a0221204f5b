//go:build !failpoints

package sim

// gates needs the failpoints: without them a frozen process stalls where it meets the
// network and its behaviors.
func (*world) gates() func() { return func() {} }
