//go:build !failpoints

package failpoint

// Enabled says whether the tag is set.
const Enabled = false

// Hit does nothing.
func Hit(Point, any) error { return nil }
