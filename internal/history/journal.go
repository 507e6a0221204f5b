package history

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/troupe-go/troupe/actors"
)

// NewIncarnation makes a name for a Runtime that no other has, in any process.
func NewIncarnation(name string) string {
	return fmt.Sprintf("%s.%d.%.6s", name, os.Getpid(), rand.Text())
}

// Journal is what the behaviors of one incarnation write down themselves.
type Journal struct {
	history     *History
	incarnation string

	// KeyBy is the topic's. Defaults to actors.ByKey.
	KeyBy func(*actors.Record) []byte

	// Due is when a record may be handed over, as the test knows it. A zero time is not
	// judged. Defaults to none.
	Due func(*actors.Record) time.Time
}

// NewJournal makes a journal for an incarnation.
func NewJournal(h *History, incarnation string) *Journal {
	return &Journal{history: h, incarnation: incarnation, KeyBy: actors.ByKey}
}

// Call is one call of a behavior.
type Call struct {
	journal *Journal
	enter   Event
}

// Enter is written first in Receive.
func (j *Journal) Enter(vp actors.VirtualPartition, rec *actors.Record) *Call {
	now := time.Now() // before the wait for the history, so that an early start is seen
	ev := Event{
		Kind: Enter, Incarnation: j.incarnation, Wall: now.UnixNano(),
		Topic: vp.Topic, Partition: vp.Partition, Lane: vp.Index,
		Offset: rec.Offset, Key: j.KeyBy(rec), Attempt: rec.Attempt, Sum: SumOf(rec),
	}
	if j.Due != nil {
		ev.Due = nanos(j.Due(rec))
	}
	ev.Seq = j.history.Append(ev)
	return &Call{j, ev}
}

// Leave is written last, with what Receive returns.
func (c *Call) Leave(err error) { c.leave(resultOf(err), err) }

func (c *Call) leave(result string, err error) {
	ev := c.enter
	ev.Kind, ev.Ref, ev.Result, ev.Wall, ev.Due = Leave, ev.Seq, result, 0, 0
	ev.Sum = 0
	if err != nil {
		ev.Text = err.Error()
	}
	c.journal.history.Append(ev)
}

func resultOf(err error) string {
	if err == nil {
		return ResultOK
	}
	if _, ok := errors.AsType[*actors.SnoozeError](err); ok {
		return ResultSnooze
	}
	if _, ok := errors.AsType[*actors.DiscardError](err); ok {
		return ResultDiscard
	}
	if _, ok := errors.AsType[*actors.RetryError](err); ok {
		return ResultRetry
	}
	return ResultError
}

// Wrap keeps the journal for the behaviors of f. A panic and a Goexit are written down
// and go on.
func (j *Journal) Wrap(f actors.Factory) actors.Factory {
	return func(vp actors.VirtualPartition) actors.Behavior { return &journaled{j, vp, f(vp)} }
}

type journaled struct {
	journal *Journal
	vp      actors.VirtualPartition
	inner   actors.Behavior
}

// Receive writes Enter and Leave around the behavior's.
func (b *journaled) Receive(ctx context.Context, rec *actors.Record) error {
	call := b.journal.Enter(b.vp, rec)
	returned := false
	defer func() {
		if !returned {
			call.leave(ResultPanic, nil)
		}
	}()
	err := b.inner.Receive(ctx, rec)
	returned = true
	call.Leave(err)
	return err
}

// Start starts the behavior if it is a Starter.
func (b *journaled) Start(ctx context.Context, vp actors.VirtualPartition) error {
	if s, ok := b.inner.(actors.Starter); ok {
		return s.Start(ctx, vp)
	}
	return nil
}

// Stop stops the behavior if it is a Stopper.
func (b *journaled) Stop(ctx context.Context, cause error) error {
	if s, ok := b.inner.(actors.Stopper); ok {
		return s.Stop(ctx, cause)
	}
	return nil
}
