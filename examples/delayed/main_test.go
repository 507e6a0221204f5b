//go:build synctests

package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/runtimetest"
)

func TestTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "carts")
		var out bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		cfg := c.Config(config(&out))
		go func() { done <- run(ctx, cfg) }()

		c.Produce("carts", "ada", "a book")
		time.Sleep(time.Minute)
		c.Produce("carts", "bob", "a bicycle")
		time.Sleep(remindAfter - time.Second) // bob has a second left
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got, want := out.String(), "ada left a cart 10m0s ago\n"; got != want {
			t.Errorf("output %q, want %q", got, want)
		}
	})
}
