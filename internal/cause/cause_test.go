package cause_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/internal/cause"
)

type endless struct{}

func (endless) Error() string { return "endless" }
func (endless) Unwrap() error { return endless{} }

type hollow struct{}

func (hollow) Error() string { return "hollow" }
func (hollow) Unwrap() error { return nil }

func TestInnermost(t *testing.T) {
	t.Parallel()
	bottom := errors.New("bottom")
	several := errors.Join(bottom, errors.New("other"))
	for name, c := range map[string]struct{ err, want error }{
		"none":           {nil, nil},
		"wraps none":     {bottom, bottom},
		"wrapped twice":  {fmt.Errorf("a: %w", fmt.Errorf("b: %w", bottom)), bottom},
		"wraps several":  {fmt.Errorf("a: %w", several), several},
		"wraps nothing":  {fmt.Errorf("a: %w", hollow{}), hollow{}},
		"without an end": {endless{}, endless{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := cause.Innermost(c.err); got != c.want { //nolint:errorlint // the very error
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
