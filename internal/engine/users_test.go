package engine

import (
	"context"
	goruntime "runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

func TestPanicGoexitAndFailedStartRestartWithTheStack(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(){
		"panic":  func() { panic("boom") },
		"goexit": goruntime.Goexit,
	} {
		for _, where := range []string{"factory", "start", "receive"} {
			t.Run(name+" in "+where, func(t *testing.T) {
				t.Parallel()
				var fails atomic.Int32
				at := func(place string) {
					if place == where && fails.Add(1) <= 2 {
						fail()
					}
				}
				inBubble(t, func(topic *Topic) {
					topic.Core.Lanes = 1
					topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
						at("factory")
						return &probe{at: at}
					}
				}, func(r *rig) {
					r.assign(0)
					r.fetch(0, []string{"k"}, 0, 1)
					time.Sleep(10 * time.Second)
					synctest.Wait()
					r.wantCommitted(0, 2)
					restarts := find[observe.Restarted](r.events)
					if len(restarts) != 2 {
						t.Fatalf("restarts: got %d, want 2", len(restarts))
					}
					f := restarts[0].Failure
					if !f.Panicked || f.Starting != (where != "receive") {
						t.Errorf("panicked %v, starting %v: %v", f.Panicked, f.Starting, f.Err)
					}
					if name == "panic" && len(f.Stack) == 0 {
						t.Error("the panic's stack is missing")
					}
				})
			})
		}
	}
}

// probe is a behavior that tells where it is.
type probe struct{ at func(string) }

func (p *probe) Start(context.Context, actors.VirtualPartition) error { p.at("start"); return nil }
func (p *probe) Receive(context.Context, *actors.Record) error        { p.at("receive"); return nil }
func (p *probe) Stop(context.Context, error) error                    { p.at("stop"); return nil }

func TestKeyByThatHangsHoldsItsPartitionVisibly(t *testing.T) {
	t.Parallel()
	var hang chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
		topic.KeyBy = func(rec *actors.Record) []byte {
			if rec.Partition == 0 && rec.Offset == 0 {
				<-hang
			}
			return rec.Key
		}
	}, func(r *rig) {
		hang = make(chan struct{})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		r.assign(1)
		r.fetch(1, []string{"k"}, 0)
		time.Sleep(3 * commitEvery)
		synctest.Wait()
		r.wantCommitted(1, 1)
		paused := find[observe.Paused](r.events)
		if len(paused) != 1 || paused[0].Reason != core.KeyBy.String() {
			t.Errorf("paused: %v", paused)
		}
		close(hang)
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		r.wantCommitted(0, 1)
		if r.client.paused[tp(0)] {
			t.Error("still paused")
		}
	})
}

func TestKeyByThatPanicsIsTheRecordsFailure(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.DeadLetter, topic.Core.MaxAttempts, topic.DeadLetter = true, 2, "dlq"
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
		topic.KeyBy = func(rec *actors.Record) []byte {
			if rec.Offset == 1 {
				panic("no key")
			}
			return rec.Key
		}
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1, 2)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 3)
		if len(r.client.forwards) != 1 || r.client.forwards[0].Record.Offset != 1 {
			t.Errorf("forwards: %v", r.client.forwards)
		}
	})
}

func TestDecideThatPanicsEscalates(t *testing.T) {
	t.Parallel()
	for name, decide := range map[string]func(supervision.Failure) supervision.Directive{
		"panic":  func(supervision.Failure) supervision.Directive { panic("no idea") },
		"goexit": func(supervision.Failure) supervision.Directive { goruntime.Goexit(); return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(topic *Topic) {
				topic.Supervision.Decide = decide
				topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return errBad })
			}, func(r *rig) {
				r.assign(0)
				r.fetch(0, []string{"k"}, 0)
				if got := count[observe.Escalated](r.events); got != 1 {
					t.Errorf("escalated: got %d, want 1", got)
				}
			})
		})
	}
}

func TestStopThatHangsOrPanicsBlocksNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
			return &probe{at: func(place string) {
				if place == "stop" {
					time.Sleep(time.Hour)
					panic("late")
				}
			}}
		}
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took != 0 {
			t.Errorf("the revoke waited %v for Stop", took)
		}
		r.wantCommitted(0, 1)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if count[observe.Warned](r.events) == 0 {
			t.Error("nobody was told")
		}
	})
}
