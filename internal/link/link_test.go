//go:build synctests

package link_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/internal/link"
)

// Whoever waits passes when the last one lets go, whenever it came.
func TestAGateIsOpenWhenAllHaveLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g link.Gate
		passed := make(chan string, 2)
		wait := func(name string) {
			g.Wait(nil, nil)
			passed <- name
		}
		first := g.Hold()
		go wait("early")
		synctest.Wait()
		second := g.Hold()
		go wait("late")
		for i, letGo := range []func(){second, second, first} {
			if !g.Held() {
				t.Errorf("step %d: open", i)
			}
			letGo()
			synctest.Wait()
			if want := i / 2 * 2; len(passed) != want {
				t.Errorf("step %d: %d passed, want %d", i, len(passed), want)
			}
		}
		if g.Held() {
			t.Error("held by nobody")
		}
		g.Wait(nil, nil)
	})
}

// A client that ends leaves no dialing behind.
func TestADialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := link.New((&net.Dialer{}).DialContext, nil)
		l.Refuses = func(string) bool { return true }
		begun := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if _, err := l.Dial(ctx, "tcp", "nowhere:1"); !errors.Is(err, context.Canceled) || time.Since(begun) > 0 {
			t.Errorf("got %v after %v, want that it is canceled at once", err, time.Since(begun))
		}
	})
}

// A tap hears of an answer when the broker gives it, however long the one before is on its way.
func TestATapIsAheadOfTheWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, broker := net.Pipe()
		begun := time.Now()
		var heard []time.Duration
		l := link.New(
			func(context.Context, string, string) (net.Conn, error) { return ours, nil },
			func() (io.Writer, io.Writer) {
				return io.Discard, writer(func() { heard = append(heard, time.Since(begun)) })
			},
		)
		l.Add(&link.Rule{In: true, Delay: time.Second})
		client, err := l.Dial(t.Context(), "tcp", "broker:1")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for range 3 {
				_, _ = broker.Write([]byte{1})
			}
		}()
		var got []time.Duration
		for range 3 {
			if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			got = append(got, time.Since(begun))
		}
		l.Kill()
		l.Wait()
		if want := make([]time.Duration, 3); !slices.Equal(heard, want) {
			t.Errorf("the tap heard at %v, want %v", heard, want)
		}
		if want := []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("the client got them at %v, want %v", got, want)
		}
	})
}

// writer is told of each piece.
type writer func()

func (w writer) Write(b []byte) (int, error) {
	w()
	return len(b), nil
}
