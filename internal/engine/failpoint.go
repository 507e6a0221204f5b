package engine

import "github.com/troupe-go/troupe/internal/failpoint"

// hit passes a failpoint whose error means something to the caller.
func (e *Engine) hit(p failpoint.Point) error { return failpoint.Hit(p, e.opts.Owner) }

// pass is hit where nothing can fail.
func (e *Engine) pass(p failpoint.Point) {
	_ = failpoint.Hit(p, e.opts.Owner) // the step knows no failure
}
