//go:build synctests

package link_test

import (
	"context"
	"errors"
	"net"
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
