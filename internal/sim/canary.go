package sim

import "fmt"

// What records and the errors of behaviors hold, and no log may show.
const (
	canaryValue  = "canary-of-a-value"
	canaryHeader = "canary-of-a-header"
	canaryError  = "canary-of-an-error"
	keyPrefix    = "key-"
)

// canaries tells the history what must not be in a log: S15. Of the keys it is their
// beginning with a digit, as "key-by" may be there.
func (w *world) canaries() {
	for _, text := range []string{canaryValue, canaryHeader, canaryError} {
		w.observer.Canary(text)
	}
	for digit := range 10 {
		w.observer.Canary(fmt.Sprint(keyPrefix, digit))
	}
}
