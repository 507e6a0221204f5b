package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the handler does within the first callback, a Pause or a Rebuild, has to find the
// member. kgo may begin with callbacks before NewClient has returned, and tells of the
// client before it does.
func TestACallbackFindsItsMember(t *testing.T) {
	t.Parallel()
	c := &Client{}
	m := &member{c: c}
	cl, err := kgo.NewClient(kgo.WithHooks(m))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if c.cur != m || m.cl != cl {
		t.Error("the client does not know its member when kgo begins")
	}
}
