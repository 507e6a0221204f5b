package kafka

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Whoever parks has the poll goroutine's last hand-over behind it, and none before it.
func TestGateParkWaitsForTheTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		ctx, ok := g.enter(context.Background(), time.Hour)
		if !ok {
			t.Fatal("the gate is closed")
		}
		parked := make(chan struct{})
		go func() {
			g.park()
			close(parked)
		}()
		synctest.Wait()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Error("park did not end the poll")
		}
		select {
		case <-parked:
			t.Error("parked within a turn")
		default:
		}
		g.leave()
		<-parked
		entered := make(chan struct{})
		go func() {
			defer close(entered)
			if _, ok := g.enter(context.Background(), time.Hour); ok {
				g.leave()
			}
		}()
		synctest.Wait()
		select {
		case <-entered:
			t.Error("a turn began while somebody was parked")
		default:
		}
		g.unpark()
		<-entered
	})
}

func TestGateBoundsAndNudges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.nudge() // nobody is polling: nothing happens
		ctx, _ := g.enter(context.Background(), time.Second)
		began := time.Now()
		<-ctx.Done()
		if took := time.Since(began); took != time.Second {
			t.Errorf("a poll of %v, want its limit of 1s", took)
		}
		g.leave()
		ctx, _ = g.enter(context.Background(), time.Hour)
		g.nudge()
		<-ctx.Done()
		g.leave()
		ctx, _ = g.enter(context.Background(), time.Hour)
		g.close()
		<-ctx.Done()
		g.leave()
		if _, ok := g.enter(context.Background(), time.Hour); ok {
			t.Error("a turn began after close")
		}
	})
}

// kgo goes back when it finds that a log was cut off: what was handed over already is
// not handed over again.
func TestRecordsBelowNextAreDropped(t *testing.T) {
	t.Parallel()
	p := &partition{next: 5, tries: 3}
	records := []*kgo.Record{{Offset: 3}, {Offset: 4}, {Offset: 5}, {Offset: 8}}
	got := p.take(records)
	if len(got) != 2 || got[0].Offset != 5 || p.next != 9 || p.tries != 0 {
		t.Errorf("took %d records, next %d, tries %d", len(got), p.next, p.tries)
	}
	if got = p.take(records); len(got) != 0 || p.next != 9 {
		t.Errorf("took %d records again, next %d", len(got), p.next)
	}
	if got = p.take(nil); len(got) != 0 || p.next != 9 {
		t.Errorf("took %d records of none", len(got))
	}
}
