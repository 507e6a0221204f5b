package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/history"
)

var (
	errDeclined = errors.New("payment declined")
	errBug      = errors.New("a bug in the behavior")
)

// handle does what a record asks for. The runtime's behavior and the bare loop that it
// is compared with call it alike.
func handle(ctx context.Context, value []byte, attempt int) error {
	var t task
	if err := json.Unmarshal(value, &t); err != nil {
		return actors.Discard(fmt.Errorf("not an order: %w", err))
	}
	if err := wait(ctx, time.Duration(t.WorkMicros)*time.Microsecond); err != nil {
		return err
	}
	switch {
	case attempt <= t.Panics:
		panic(errBug)
	case attempt <= t.Fails:
		return errDeclined
	}
	return nil
}

// wait stands for a call to some other service.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// journal is what the behaviors of a member write down themselves. The counters are for
// the table and the report; the verdict reads the history.
type journal struct {
	history *history.History
	member  string
	counts  *counters
}

// counters may be read at any time.
type counters struct {
	finished atomic.Int64 // records, each once
	ids      sync.Map     // of those records

	failed, panicked, restarts atomic.Int64
}

// finish counts a record unless it was finished before, by whichever member.
func (c *counters) finish(id string) {
	if _, again := c.ids.LoadOrStore(id, true); !again {
		c.finished.Add(1)
	}
}

// behavior makes the behaviors of all topics.
func (j *journal) behavior(vp actors.VirtualPartition) actors.Behavior { return &clerk{j, vp} }

// clerk handles the records of one virtual partition.
type clerk struct {
	journal *journal
	vp      actors.VirtualPartition
}

// Receive handles a record and keeps the journal: a call is written down before its work
// begins, and its end before the runtime can know of it.
func (c *clerk) Receive(ctx context.Context, rec *actors.Record) error {
	call := c.journal.enter(c.vp, rec)
	returned := false
	defer func() {
		if !returned {
			c.journal.leave(call, history.ResultPanic)
		}
	}()
	err := handle(ctx, rec.Value, rec.Attempt)
	returned = true
	c.journal.leave(call, result(ctx, err))
	return err
}

// Stop writes down the end of an assignment and counts the restarts.
func (c *clerk) Stop(_ context.Context, cause error) error {
	for _, moved := range []error{actors.ErrRevoked, actors.ErrLost, actors.ErrShutdown} {
		if errors.Is(cause, moved) {
			c.journal.history.Append(history.Event{
				Kind: history.Disturbance, Incarnation: c.journal.member,
				Topic: c.vp.Topic, Partition: c.vp.Partition, Lane: c.vp.Index, Text: cause.Error(),
			})
			return nil
		}
	}
	c.journal.counts.restarts.Add(1)
	return nil
}

func (j *journal) enter(vp actors.VirtualPartition, rec *actors.Record) history.Event {
	now := time.Now() // before the wait for the history, so that an early start is seen
	ev := history.Event{
		Kind: history.Enter, Incarnation: j.member, Wall: now.UnixNano(), ID: id(rec.Headers),
		Topic: vp.Topic, Partition: vp.Partition, Lane: vp.Index, Key: rec.Key, Attempt: rec.Attempt,
	}
	ev.Seq = j.history.Append(ev)
	return ev
}

func (j *journal) leave(enter history.Event, result string) {
	ev := enter
	ev.Kind, ev.Ref, ev.Result, ev.Wall = history.Leave, enter.Seq, result, 0
	j.history.Append(ev)
	switch result {
	case history.ResultOK:
		j.counts.finish(enter.ID)
	case history.ResultPanic:
		j.counts.panicked.Add(1)
	case history.ResultError:
		j.counts.failed.Add(1)
	default:
	}
}

func id(headers []actors.Header) string {
	for _, h := range headers {
		if h.Key == headerID {
			return string(h.Value)
		}
	}
	return ""
}

// result is what the journal says of a call that returned. One that was interrupted has
// no result: the record is somebody else's now.
func result(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return history.ResultOK
	case ctx.Err() != nil:
		return history.ResultUnknown
	}
	if _, ok := errors.AsType[*actors.DiscardError](err); ok {
		return history.ResultDiscard
	}
	return history.ResultError
}
