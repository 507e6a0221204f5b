//go:build synctests

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtimetest"
)

func TestTotalsAddUpPerCustomer(t *testing.T) {
	t.Parallel()
	s := newMemory()
	lane := &totals{store: s, out: &bytes.Buffer{}}
	for _, rec := range []*actors.Record{
		{Key: []byte("ada"), Value: []byte("5")},
		{Key: []byte("bob"), Value: []byte("1")},
		{Key: []byte("ada"), Value: []byte("7")},
	} {
		if out := runtimetest.Receive(t, lane, rec); out.Kind != runtimetest.Complete {
			t.Fatal(out)
		}
	}
	if got := s.Load("ada"); got != 12 {
		t.Errorf("ada has spent %d, want 12", got)
	}
}

func TestTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders", "dlq.totals.orders")
		s, out := newMemory(), &bytes.Buffer{}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		cfg := c.Config(config(s, out))
		go func() { done <- run(ctx, cfg) }()

		c.Produce("orders", "ada", "5")
		time.Sleep(time.Second)
		_ = s.Save("ada", 5, 100) // behind the lane's back
		c.Produce("orders", "ada", "7")
		time.Sleep(5 * time.Second)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := []string{
			"ada has spent 5 cents",
			"lane orders/0/0 ends: totals are stale",
			"ada has spent 107 cents",
			"lane orders/0/0 ends: " + actors.ErrShutdown.Error(),
		}
		lane := "orders/0/" + strings.Split(strings.SplitN(out.String(), "orders/0/", 2)[1], " ")[0]
		if got := strings.ReplaceAll(out.String(), lane, "orders/0/0"); got != strings.Join(want, "\n")+"\n" {
			t.Errorf("output:\n%swant:\n%s", got, strings.Join(want, "\n"))
		}
	})
}
