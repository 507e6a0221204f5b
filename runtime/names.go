package runtime

import (
	"fmt"
	"strconv"
	"unsafe"

	"github.com/troupe-go/troupe/actors"
)

const nameBytesMax = 249 // Kafka's, for topics

// notAName says what Kafka would not take in a name. It is empty for a legal one.
func notAName(s string) string {
	switch {
	case len(s) > nameBytesMax:
		return fmt.Sprintf("%d characters, at most %d", len(s), nameBytesMax)
	case s == "." || s == "..":
		return `must not be "." or ".."`
	}
	for i := range len(s) {
		if !isNameByte(s[i]) {
			return "must consist of letters, digits, '.', '_' and '-'"
		}
	}
	return ""
}

func isNameByte(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '.' || b == '_' || b == '-'
}

// quote makes what a user wrote safe to print: control characters are escaped, and it is
// cut to a sensible length.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "..."
	}
	return strconv.QuoteToASCII(s)
}

// validateDeadLetters refuses loops: a dead letter topic that is an input too, and would
// hand the records back to the behavior that they come from, at once.
func (c *Config) validateDeadLetters(p *problems) {
	inputs := map[string]*Topic{}
	for i := range c.Topics {
		if t := &c.Topics[i]; inputs[t.Name] == nil {
			inputs[t.Name] = t
		}
	}
	for i := range c.Topics {
		from := &c.Topics[i]
		to := inputs[from.DeadLetter.Topic]
		if from.DeadLetter.Topic == "" || to == nil || to.Delay > 0 {
			continue
		}
		if to.Name == from.Name {
			p.addf(fmt.Sprintf("topics[%d].dead_letter.topic", i),
				"%s: is the topic itself, which would hand its dead letters back at once: name another topic, or give this one a delay", quote(from.Name))
			continue
		}
		if from.Behavior != nil && sameBehavior(to.Behavior, from.Behavior) {
			p.addf(fmt.Sprintf("topics[%d].dead_letter.topic", i),
				"%s: is an input with the same behavior and no delay, which makes a loop: give that topic a delay or another behavior", quote(from.DeadLetter.Topic))
		}
	}
}

// sameBehavior compares function values: reflect offers the address of the code alone,
// which all factories that actors.Func makes share.
func sameBehavior(a, b actors.Factory) bool {
	return *(*unsafe.Pointer)(unsafe.Pointer(&a)) == *(*unsafe.Pointer)(unsafe.Pointer(&b)) //nolint:gosec // a func is one pointer, to its closure
}
