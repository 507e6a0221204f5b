package engine

import (
	"context"
	"errors"
	goruntime "runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

var errBad = errors.New("bad")

func upTo(n int64) []int64 {
	var offsets []int64
	for o := range n {
		offsets = append(offsets, o)
	}
	return offsets
}

// Records 0-9 over three lanes; {0,1,2,4,5,7} finish; 3, 6, 8 and 9 do not: the
// broker holds 3.
func TestCommitLineStopsAtTheFirstUnfinishedRecord(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	behavior := func(_ context.Context, rec *actors.Record) error {
		if slices.Contains([]int64{3, 6, 8, 9}, rec.Offset) {
			<-release
		}
		return nil
	}
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(behavior)
		topic.Core.Lanes = 10
		topic.KeyBy = func(rec *actors.Record) []byte { return []byte{byte(rec.Offset)} }
	}, func(r *rig) {
		release = make(chan struct{})
		r.assign(0)
		// KeyBy spreads the records, but which lane is whose does not matter here.
		r.fetch(0, []string{"x"}, upTo(10)...)
		time.Sleep(commitEvery)
		synctest.Wait()
		if got := r.client.at(0); got > 3 {
			t.Errorf("committed %d, past the unfinished record 3", got)
		}
		close(release)
		time.Sleep(commitEvery)
		synctest.Wait()
		r.wantCommitted(0, 10)
	})
}

func TestFailureRerunsOnlyItsOwnLaneFromTheFailingRecord(t *testing.T) {
	t.Parallel()
	var j journal
	failed := false
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d/%d", rec.Offset, rec.Attempt)
			if rec.Offset == 4 && !failed {
				failed = true
				return errBad
			}
			return nil
		})
	}, func(r *rig) {
		keys := laneKeys(3)
		r.assign(0)
		r.fetch(0, keys, upTo(9)...)
		time.Sleep(2 * commitEvery) // the backoff is as long as the commit interval
		synctest.Wait()
		r.wantCommitted(0, 9)
		seen := j.lines()
		if len(seen) != 10 {
			t.Errorf("deliveries: got %d, want 10: %q", len(seen), seen)
		}
		if again := seen[len(seen)-2:]; !slices.Equal(again, []string{"4/2", "7/1"}) {
			t.Errorf("after the backoff: got %q, want 4 again and then 7", again)
		}
	})
}

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

func TestTimeoutQuarantinesUntilTheCallReturns(t *testing.T) {
	t.Parallel()
	var j journal
	var release chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Timeout = 3 * time.Second
		topic.Behavior = actors.Func(func(ctx context.Context, rec *actors.Record) error {
			j.add("enter %d/%d", rec.Offset, rec.Attempt)
			defer j.add("leave %d/%d", rec.Offset, rec.Attempt)
			if rec.Attempt == 1 && rec.Offset == 0 {
				<-ctx.Done()
				j.add("%v", context.Cause(ctx))
				<-release
			}
			return nil
		})
	}, func(r *rig) {
		release = make(chan struct{})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "enter 0/1", actors.ErrTimeout.Error())
		if got := count[observe.Quarantined](r.events); got != 1 {
			t.Errorf("quarantined: got %d events, want 1", got)
		}
		close(release)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		j.want(t, "enter 0/1", actors.ErrTimeout.Error(), "leave 0/1", "enter 0/2", "leave 0/2", "enter 1/1", "leave 1/1")
		r.wantCommitted(0, 2)
	})
}

func TestHeartbeatStartsTheTimeoutAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Timeout = 3 * time.Second
		topic.Behavior = actors.Func(func(ctx context.Context, _ *actors.Record) error {
			for range 10 {
				time.Sleep(2 * time.Second)
				if err := actors.Heartbeat(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(21 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 1)
		if got := count[observe.Quarantined](r.events); got != 0 {
			t.Errorf("quarantined %d times", got)
		}
	})
}

func TestRevokeDrainsCommitsAndStops(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
			return &stoppable{j: &j, receive: func(context.Context, *actors.Record) error {
				time.Sleep(4 * time.Second)
				return nil
			}}
		}
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1, 2)
		time.Sleep(time.Second)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("the revoke took %v, want the 3s that the call still needs", took)
		}
		r.wantCommitted(0, 1)
		synctest.Wait()
		j.want(t, "receive 0", "stop "+actors.ErrRevoked.Error())
	})
}

// stoppable writes down what happens to it.
type stoppable struct {
	j       *journal
	receive func(context.Context, *actors.Record) error
}

func (s *stoppable) Receive(ctx context.Context, rec *actors.Record) error {
	s.j.add("receive %d", rec.Offset)
	return s.receive(ctx, rec)
}

func (s *stoppable) Stop(_ context.Context, cause error) error {
	s.j.add("stop %v", cause)
	return nil
}

// A call that ignores its context outlives the revoke; the partition comes back to
// this member, and nothing starts in the lane until the old call has returned.
func TestQuarantineOutlivesTheAssignment(t *testing.T) {
	t.Parallel()
	var j journal
	var release chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		first := true
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("enter %d", rec.Offset)
			if first {
				first = false
				<-release
			}
			j.add("leave %d", rec.Offset)
			return nil
		})
	}, func(r *rig) {
		release = make(chan struct{})
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		begun := time.Now()
		r.e.Revoked([]observe.TopicPartition{tp(0)})
		if took := time.Since(begun); took != drainFor {
			t.Errorf("the revoke took %v, want DrainTimeout", took)
		}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "enter 0")
		close(release)
		time.Sleep(time.Second)
		synctest.Wait()
		j.want(t, "enter 0", "leave 0", "enter 0", "leave 0")
		r.wantCommitted(0, 1)
	})
}

func TestEscalationRebuildsFromTheLineWithSetAndAttempts(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 3
		topic.Supervision.Decide = func(f supervision.Failure) supervision.Directive {
			if f.Attempt == 2 {
				return supervision.Escalate
			}
			return supervision.Resume
		}
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d/%d", rec.Offset, rec.Attempt)
			if rec.Offset == 0 && rec.Attempt < 3 {
				return errBad
			}
			return nil
		})
	}, func(r *rig) {
		keys := laneKeys(3)
		r.assign(0)
		r.fetch(0, keys, 0, 1, 2)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if want := []string{"t/0 gen 1 to 0"}; !slices.Equal(r.client.seeks, want) {
			t.Fatalf("seeks: got %q, want %q", r.client.seeks, want)
		}
		r.fetch(0, keys, 0, 1, 2) // again from the line on
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 3)
		counts := map[string]int{}
		for _, line := range j.lines() {
			counts[line]++
		}
		for _, want := range []string{"0/1", "0/2", "0/3", "1/1", "2/1"} {
			if counts[want] != 1 {
				t.Errorf("%s was delivered %d times, want once: %q", want, counts[want], j.lines())
			}
		}
	})
}

func TestOverThePartitionsBudgetTheRuntimeEnds(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Supervision.MaxRestarts = 2
		topic.Supervision.Decide = func(supervision.Failure) supervision.Directive { return supervision.Escalate }
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return errBad })
	}, func(r *rig) {
		r.assign(0)
		for range 3 {
			r.fetch(0, []string{"k"}, 0)
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}
		select {
		case err := <-r.failed:
			if !errors.Is(err, errBad) {
				t.Errorf("got %v, want the behavior's error", err)
			}
		default:
			t.Error("the runtime goes on")
		}
	})
}

func TestDeadLetterHoldsTheLineUntilItsAck(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Core.DeadLetter = true
		topic.DeadLetter = "dlq.g.t"
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			if rec.Offset == 0 {
				return actors.Discard(errBad)
			}
			return nil
		})
	}, func(r *rig) {
		refuse := atomic.Bool{}
		refuse.Store(true)
		r.client.forwardAs = func(*Forward) error {
			if refuse.Load() {
				return errBad
			}
			return nil
		}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0, 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		r.wantCommitted(0, 0)
		if count[observe.ForwardFailed](r.events) == 0 {
			t.Error("the refusals are not visible")
		}
		refuse.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 2)
		got := map[string]string{}
		for _, h := range r.client.forwards[0].Headers {
			got[h.Key] = string(h.Value)
		}
		for key, want := range map[string]string{
			"__dlq.errors.topic": "t", "__dlq.errors.partition": "0", "__dlq.errors.offset": "0", "__dlq.errors.group": "g",
			"__dlq.errors.delivery.count": "1", "__dlq.errors.message": "bad", "troupe.dlq.hops": "1",
		} {
			if got[key] != want {
				t.Errorf("header %s: got %q, want %q", key, got[key], want)
			}
		}
	})
}

func TestLossFencesAtOnceAndCommitsNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(ctx context.Context, _ *actors.Record) error {
			<-ctx.Done()
			return context.Cause(ctx)
		})
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		begun := time.Now()
		r.e.Lost([]observe.TopicPartition{tp(0)}, errBad)
		synctest.Wait()
		if took := time.Since(begun); took != 0 {
			t.Errorf("the loss took %v", took)
		}
		time.Sleep(time.Minute)
		if len(r.client.commits) != 0 {
			t.Errorf("commits after a loss: %v", r.client.commits)
		}
	})
}

func TestFencedCommitLosesEverythingAndJoinsAnew(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return nil })
	}, func(r *rig) {
		r.client.commitAs = func(CommitLine) CommitResult {
			return CommitResult{Outcome: observe.Refused, Err: errBad, Fenced: true}
		}
		r.assign(0)
		r.assign(1)
		r.fetch(1, []string{"k"}, 0)
		time.Sleep(2 * commitEvery)
		synctest.Wait()
		if got := count[observe.Lost](r.events); got != 2 {
			t.Errorf("lost: got %d partitions, want both", got)
		}
		if len(r.client.rebuilds) != 1 {
			t.Errorf("rebuilds: got %d, want 1", len(r.client.rebuilds))
		}
	})
}

func TestNothingStartsPastTheSessionLease(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("%d", rec.Offset)
			time.Sleep(8 * time.Second)
			return nil
		})
	}, func(r *rig) {
		r.assign(0)
		r.e.lease.set(time.Now().Add(10 * time.Second)) // the heartbeats stop
		r.fetch(0, []string{"k"}, 0, 1, 2)
		time.Sleep(time.Minute)
		synctest.Wait()
		j.want(t, "0", "1")
		if got := count[observe.Lost](r.events); got != 1 {
			t.Errorf("lost: got %d, want 1", got)
		}
		if len(r.client.rebuilds) != 1 {
			t.Errorf("rebuilds: got %d, want 1", len(r.client.rebuilds))
		}
	})
}

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

func TestRestartLaneForcedRunsBesideTheOldCall(t *testing.T) {
	t.Parallel()
	var j journal
	var release chan struct{}
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Timeout = time.Second
		topic.Behavior = actors.Func(func(_ context.Context, rec *actors.Record) error {
			j.add("enter %d/%d", rec.Offset, rec.Attempt)
			if rec.Attempt == 1 {
				<-release
			}
			return nil
		})
	}, func(r *rig) {
		release = make(chan struct{})
		vp := actors.VirtualPartition{Topic: "t"}
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(10 * time.Second)
		if err := r.e.RestartLane(vp, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		j.want(t, "enter 0/1")
		if err := r.e.RestartLane(vp, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		j.want(t, "enter 0/1", "enter 0/2")
		r.wantCommitted(0, 1)
		close(release)
		synctest.Wait()
		if got := count[observe.Freed](r.events); got != 0 {
			t.Errorf("the old call freed the lane %d times", got)
		}
	})
}

func TestDrainAtShutdownNamesWhatStillRuns(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { time.Sleep(time.Hour); return nil })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		begun := time.Now()
		running, _ := r.e.Drain(ctx)
		if want := []string{"t/0/0"}; !slices.Equal(running, want) {
			t.Errorf("running: got %q, want %q", running, want)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(2 * time.Hour)
	})
}

func TestARecordThatLoopsStopsItsLane(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Core.DeadLetter, topic.DeadLetter = true, "dlq"
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return actors.Discard(errBad) })
	}, func(r *rig) {
		r.assign(0)
		r.e.Fetched([]Batch{{TP: tp(0), Epoch: r.epoch, Records: []actors.Record{
			{Topic: "t", Attempt: 1, Headers: []actors.Header{{Key: headerHops, Value: []byte("4")}}},
			{Topic: "t", Attempt: 1, Offset: 1, Headers: []actors.Header{{Key: headerHops, Value: []byte("4")}, {Key: headerHops, Value: []byte("5")}}},
		}}})
		time.Sleep(10 * time.Second)
		synctest.Wait()
		r.wantCommitted(0, 1)
		if got := len(r.client.forwards); got != 1 {
			t.Errorf("forwards: got %d, want that of the first record", got)
		}
		if got := count[observe.Halted](r.events); got != 1 {
			t.Errorf("halted: got %d events, want 1", got)
		}
	})
}

func TestARecordWithNowhereToGoIsWarnedAboutOnceAMinute(t *testing.T) {
	t.Parallel()
	inBubble(t, func(topic *Topic) {
		topic.Core.Lanes = 1
		topic.Core.Retry = supervision.Backoff{Min: time.Second, Max: time.Second}
		topic.Behavior = actors.Func(func(context.Context, *actors.Record) error { return errBad })
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, []string{"k"}, 0)
		time.Sleep(9*time.Second - time.Millisecond)
		synctest.Wait()
		if got := count[observe.Warned](r.events); got != 0 {
			t.Errorf("%d warnings before the tenth attempt", got)
		}
		time.Sleep(2*time.Minute + 30*time.Second)
		synctest.Wait()
		if got := count[observe.Warned](r.events); got != 3 {
			t.Errorf("warnings in 2.5 minutes: got %d, want 3", got)
		}
	})
}

func TestDrainLetsStopHooksEnd(t *testing.T) {
	t.Parallel()
	var j journal
	inBubble(t, func(topic *Topic) {
		topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
			return &probe{at: func(place string) {
				if place == "stop" {
					time.Sleep(time.Second)
					j.add("stopped")
				}
			}}
		}
	}, func(r *rig) {
		r.assign(0)
		r.fetch(0, laneKeys(2), 0, 1)
		begun := time.Now()
		r.e.Drain(context.Background())
		if took := time.Since(begun); took != time.Second {
			t.Errorf("the drain took %v, want 1s: as long as the hooks of two lanes side by side", took)
		}
		j.want(t, "stopped", "stopped")
	})
}
