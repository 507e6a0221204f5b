//go:build synctests

package main

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/deadletter"
	"github.com/troupe-go/troupe/runtimetest"
)

// away is a bank that is away until a time.
type away struct{ until time.Time }

func (a away) Charge(context.Context, string, string) error {
	if time.Now().Before(a.until) {
		return errAway
	}
	return nil
}

// playing is the program with a bank that is away for so long, and one order.
func playing(t *testing.T, absence time.Duration, f func(c *runtimetest.Cluster, out *bytes.Buffer, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders")
		out := &bytes.Buffer{}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		cfg := c.Config(config(away{time.Now().Add(absence)}, out))
		go func() { done <- run(ctx, cfg) }()
		c.Produce("orders", "ada", "1250")
		f(c, out, func() {
			cancel()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestTheProgram(t *testing.T) {
	t.Parallel()
	playing(t, 10*time.Minute, func(c *runtimetest.Cluster, out *bytes.Buffer, stop func()) {
		time.Sleep(time.Minute)
		c.Produce("orders", "bob", "700") // the bank is still away
		dead := c.Records(later)
		if len(dead) != 1 || string(dead[0].Key) != "ada" {
			t.Fatalf("dead letters after a minute: %v, want ada's", dead)
		}
		time.Sleep(time.Until(dead[0].Timestamp.Add(recoverIn - time.Second)))
		c.Produce("orders", "cleo", "100") // the bank is back
		time.Sleep(2 * time.Second)
		stop()
		want := "charged cleo 100 cents\ncharged ada 1250 cents late: the bank is away (3 attempts)\n"
		if got := out.String(); got != want {
			t.Errorf("output:\n%swant:\n%s", got, want)
		}
		if dead := c.Records(never); len(dead) != 0 {
			t.Errorf("%d orders failed twice, want none", len(dead))
		}
	})
}

func TestWhatFailsTwiceIsForPeople(t *testing.T) {
	t.Parallel()
	playing(t, time.Hour, func(c *runtimetest.Cluster, out *bytes.Buffer, stop func()) {
		time.Sleep(recoverIn + time.Minute)
		stop()
		dead := c.Records(never)
		if len(dead) != 1 || out.Len() > 0 {
			t.Fatalf("%d orders failed twice, want one; output %q", len(dead), out)
		}
		letter, err := deadletter.Decode(dead[0])
		if err != nil {
			t.Fatal(err)
		}
		if letter.GetHops() != 2 || letter.GetRecord().GetTopic() != later || string(dead[0].Value) != "1250" {
			t.Errorf("the letter is %v", letter)
		}
	})
}
