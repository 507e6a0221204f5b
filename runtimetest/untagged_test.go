//go:build !synctests

package runtimetest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/troupe-go/troupe/runtimetest"
)

// fatal is a test that keeps what it failed with.
type fatal struct {
	testing.TB

	text string
}

func (*fatal) Helper() {}

func (f *fatal) Fatal(args ...any) {
	f.text = fmt.Sprint(args...)
	panic(f)
}

func TestWithoutTheTagNewNamesTheCommand(t *testing.T) {
	t.Parallel()
	f := &fatal{TB: t}
	defer func() {
		if v := recover(); v != f || !strings.Contains(f.text, "go test -tags synctests ./...") {
			t.Errorf("got %v, %q", v, f.text)
		}
	}()
	runtimetest.New(f, "orders")
}
