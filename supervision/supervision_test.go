package supervision_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/troupe-go/troupe/supervision"
)

func ExamplePolicy() {
	errBadState := errors.New("bad state")
	p := supervision.Policy{Decide: func(f supervision.Failure) supervision.Directive {
		if errors.Is(f.Err, errBadState) {
			return supervision.Restart
		}
		return supervision.Default(f)
	}}
	fmt.Println(p.Decide(supervision.Failure{Err: fmt.Errorf("order 7: %w", errBadState)}))
	fmt.Println(p.Decide(supervision.Failure{Err: errors.New("not found")}))
	// Output:
	// restart
	// resume
}

func TestDefault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		f    supervision.Failure
		want supervision.Directive
	}{
		{"zero value", supervision.Failure{}, supervision.Resume},
		{"an error", supervision.Failure{Err: errors.New("x"), Attempt: 9, Restarts: 9}, supervision.Resume},
		{"a panic", supervision.Failure{Panicked: true}, supervision.Restart},
		{"a failed start", supervision.Failure{Starting: true}, supervision.Restart},
		{"a start that panicked", supervision.Failure{Starting: true, Panicked: true}, supervision.Restart},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := supervision.Default(c.f); got != c.want {
				t.Errorf("Default(%+v) = %v, want %v", c.f, got, c.want)
			}
		})
	}
}

func TestDirectiveString(t *testing.T) {
	t.Parallel()
	for d, want := range map[supervision.Directive]string{
		supervision.Resume:   "resume",
		supervision.Restart:  "restart",
		supervision.Stop:     "stop",
		supervision.Escalate: "escalate",
		-1:                   "unknown",
		4:                    "unknown",
	} {
		if got := d.String(); got != want {
			t.Errorf("String of %d = %q, want %q", int(d), got, want)
		}
	}
}
