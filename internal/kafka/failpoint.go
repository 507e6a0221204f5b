package kafka

import "github.com/troupe-go/troupe/internal/failpoint"

// hit passes a failpoint whose error means something to the caller.
func (c *Client) hit(p failpoint.Point) error { return failpoint.Hit(p, c.opts.Owner) }

// pass is hit where nothing can fail.
func (c *Client) pass(p failpoint.Point) {
	_ = failpoint.Hit(p, c.opts.Owner) // the step knows no failure
}
