package runtime

import (
	"errors"
	"strings"
)

// ErrNotDrained means that Run ended without a clean drain: calls were still running when
// their time was over, and are named, or were cut off, or the last commit was not
// acknowledged. What is not committed is delivered again. See docs/errors.md#not-drained.
var ErrNotDrained = errors.New("runtime: not drained")

// ConfigError is what is wrong with a [Config]. See docs/errors.md#config.
type ConfigError struct {
	// Problems are all there are, each beginning with the path of its field, such as
	// "topics[2].delay: -1s: must not be negative".
	Problems []string

	refused []error // what is wrong with KafkaOptions
}

// Error lists the problems, each on a line of its own when there are several.
func (e *ConfigError) Error() string {
	if len(e.Problems) == 1 {
		return "invalid config: " + e.Problems[0]
	}
	return "invalid config:\n\t" + strings.Join(e.Problems, "\n\t")
}

// Unwrap are the errors that have a type of their own: an [*OptionError] for each option
// that is refused.
func (e *ConfigError) Unwrap() []error { return e.refused }
