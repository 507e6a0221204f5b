//go:build synctests

package kafka

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/runtime/observe"
)

func (n *node) commit(partition int32, next int64) Result {
	return n.Commit(context.Background(), []Offset{{TP: tp(partition), Next: next}})[0]
}

func TestCommitOutcomes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer *kerr.Error
		want   observe.Outcome
		fenced bool
		line   int64 // what the broker holds then
	}{
		{kerr.UnknownMemberID, observe.Refused, true, 0},
		{kerr.IllegalGeneration, observe.Refused, true, 0},
		{kerr.RebalanceInProgress, observe.Refused, false, 0},
		{kerr.OffsetMetadataTooLarge, observe.Refused, false, 0},
		{kerr.TopicAuthorizationFailed, observe.Refused, false, 0},
		{kerr.GroupAuthorizationFailed, observe.Refused, false, 0},
		{kerr.UnknownServerError, observe.Unknown, false, 0},
		{kerr.RequestTimedOut, observe.Unknown, false, 1}, // kfake stores it
	} {
		t.Run(test.answer.Message, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				r.produce(0, "a", "b")
				n := r.start()
				n.fetches(0, "0:0=a", "0:1=b")
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: test.answer})
				got := n.commit(0, 1)
				if got.Outcome != test.want || got.Fenced != test.fenced || !errors.Is(got.Err, test.answer) {
					r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
				}
				if line := r.line(0); line != test.line {
					r.t.Errorf("the line is %d, want %d", line, test.line)
				}
				n.stores(0, 2)
			})
		})
	}
}

func TestCommitAnswersInOrder(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0, 1, 2)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Partitions: []int32{1}, Err: kerr.OffsetMetadataTooLarge})
		got := n.Commit(context.Background(), []Offset{{TP: tp(2), Next: 2}, {TP: tp(1), Next: 1}, {TP: tp(0)}})
		if len(got) != 3 || got[0].Err != nil || !errors.Is(got[1].Err, kerr.OffsetMetadataTooLarge) || got[2].Err != nil {
			r.t.Errorf("got %+v", got)
		}
		if r.line(2) != 2 || r.line(1) != 0 {
			r.t.Errorf("lines %d and %d, want 2 and 0", r.line(2), r.line(1))
		}
	}, kfake.SeedTopics(3, testTopic))
}

// The answer comes after the commit timeout, and the broker stores it all the same (K7).
func TestCommitAnswerLost(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		r.cluster.ControlKey(keyOffsetCommit, func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.DropControl()
			r.cluster.SleepControl(func() { time.Sleep(4 * time.Second) })
			return nil, nil, false
		})
		began := time.Now()
		got := n.commit(0, 1)
		if got.Outcome != observe.Unknown || got.Fenced {
			r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
		}
		if took := time.Since(began); took != 3*time.Second {
			r.t.Errorf("took %v, want the commit timeout of 3s", took)
		}
		eventually(r.t, "the late commit", func() bool { return r.line(0) == 1 })
		n.stores(0, 2)
	})
}

// kgo sends a commit again when the connection breaks: what the second answer refuses
// the first may have stored.
func TestCommitRefusedOnTheSecondTryIsUnknown(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		r.cluster.ControlKey(keyOffsetCommit, func(kmsg.Request) (kmsg.Response, error, bool) {
			return nil, errors.New("cut"), true
		})
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.RebalanceInProgress})
		if got := n.commit(0, 1); got.Outcome != observe.Unknown || !errors.Is(got.Err, kerr.RebalanceInProgress) {
			r.t.Errorf("got %v: %v", got.Outcome, got.Err)
		}
	})
}

// What was sent twice and stored may be stored once more, later.
func TestCommitStoredOnTheSecondTryIsResent(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		if got := n.commit(0, 1); got.Outcome != observe.OK || got.Resent {
			r.t.Errorf("the first: %+v", got)
		}
		r.cluster.ControlKey(keyOffsetCommit, func(kmsg.Request) (kmsg.Response, error, bool) {
			return nil, errors.New("cut"), true
		})
		if got := n.commit(0, 2); got.Outcome != observe.OK || !got.Resent {
			r.t.Errorf("the second: %+v", got)
		}
	})
}

func TestCommitThatNeverLeftIsRefused(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if got := n.Commit(ctx, []Offset{{TP: tp(0), Next: 1}})[0]; got.Outcome != observe.Refused || !errors.Is(got.Err, context.Canceled) {
			r.t.Errorf("got %v: %v", got.Outcome, got.Err)
		}
	})
}

func TestCommitOfAnotherMemberIsNotSent(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		commits := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Observe: true, Count: -1})
		m := n.member()
		m.mu.Lock()
		m.id = "somebody else"
		m.mu.Unlock()
		if got := n.commit(0, 1); got.Outcome != observe.Refused || !got.Fenced {
			r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
		}
		if commits.Hits() > 0 {
			r.t.Error("it was sent")
		}
	})
}

func TestCommitAfterStop(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		n.Stop()
		_ = n.ended()
		if got := n.commit(0, 1); got.Outcome != observe.Refused || got.Fenced || got.Err == nil {
			r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
		}
	})
}

// A commit is neither refused nor held up by a join that is pending.
func TestCommitWhileAJoinIsPending(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		slow := r.start(func(_ *Options, rec *recorder) {
			rec.on = func(n note) {
				if n.what == "revoked" {
					time.Sleep(8 * time.Second)
				}
			}
		})
		slow.joined(0, 1, 2)
		n := r.start()
		gone := slow.revokedOne()
		eventually(r.t, "a partition of the second", func() bool { return len(n.assignments(gone)) > 0 })
		r.second()
		time.Sleep(4 * time.Second) // its join waits for slow's
		began := time.Now()
		if got := n.commit(gone.Partition, 0); got.Outcome != observe.OK {
			r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
		}
		if took := time.Since(began); took > time.Second {
			r.t.Errorf("took %v", took)
		}
	}, kfake.SeedTopics(3, testTopic))
}

func TestIllegalGenerationWithinARebalance(t *testing.T) {
	t.Parallel()
	got := outcome(kerr.IllegalGeneration, false, true)
	if got.Outcome != observe.Refused || got.Fenced {
		t.Errorf("within: %v fenced %v", got.Outcome, got.Fenced)
	}
	got = outcome(kerr.IllegalGeneration, false, false)
	if got.Outcome != observe.Refused || !got.Fenced {
		t.Errorf("outside: %v fenced %v", got.Outcome, got.Fenced)
	}
}

// The broker takes a join, and the group's generation moves on with it, before kgo says
// that it wrote one: a commit that is refused in between expels nobody.
func TestIllegalGenerationBeforeTheJoinIsKnown(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b")
		n := r.start()
		n.fetches(0, "0:0=a", "0:1=b")
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration})
		late := time.AfterFunc(pendingGrace/2, func() {
			n.member().lease.OnBrokerWrite(kgo.BrokerMetadata{}, keyJoinGroup, 0, 0, 0, nil)
		})
		defer late.Stop()
		got := n.commit(0, 1)
		if got.Outcome != observe.Refused || got.Fenced || !errors.Is(got.Err, kerr.IllegalGeneration) {
			r.t.Errorf("got %v fenced %v: %v, want a plain refusal of the generation", got.Outcome, got.Fenced, got.Err)
		}
		n.stores(0, 2)
		if lost := n.all("lost"); len(lost) > 0 {
			r.t.Errorf("lost %v", lost)
		}
	})
}

// One that waits behind another is not sent under the generation of later: the partition may
// have been another member's in between, whose line it would take back.
func TestCommitHasTheGenerationThatItWasAskedIn(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start(func(o *Options, _ *recorder) { o.CommitTimeout = 9 * time.Second })
		n.joined(0, 1)
		m := n.member()
		_, before := m.cl.GroupMetadata()
		m.committing <- struct{}{} // the other one
		answered := make(chan Result, 1)
		go func() { answered <- n.commit(0, 1) }()
		synctest.Wait()
		r.start()
		eventually(r.t, "the next generation", func() bool {
			_, now := m.cl.GroupMetadata()
			return now != before && !m.lease.rebalancing()
		})
		<-m.committing
		if got := <-answered; got.Outcome != observe.Refused || got.Fenced || !errors.Is(got.Err, kerr.IllegalGeneration) {
			r.t.Errorf("got %v fenced %v: %v, want a plain refusal of the generation", got.Outcome, got.Fenced, got.Err)
		}
		if line := r.line(0); line != 0 {
			r.t.Errorf("the line is %d, want 0", line)
		}
	}, kfake.SeedTopics(2, testTopic))
}

func TestFencedInstanceByCommit(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start(func(o *Options, _ *recorder) { o.InstanceID = "one" })
		n.joined(0)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.FencedInstanceID})
		got := n.commit(0, 1)
		if got.Outcome != observe.Refused || !got.Fenced {
			r.t.Errorf("got %v fenced %v: %v", got.Outcome, got.Fenced, got.Err)
		}
		wantErr(r.t, got.Err, ErrFencedInstance)
		wantErr(r.t, n.ended(), ErrFencedInstance)
	})
}

// A static member that joins anew has another member id, and what it committed under the one
// before is refused: nobody else has its instance id.
func TestFencedByItsOwnNextJoin(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start(func(o *Options, _ *recorder) { o.InstanceID, o.CommitTimeout = "one", 9*time.Second })
		n.joined(0)
		m := n.member()
		before, _ := m.cl.GroupMetadata()
		m.committing <- struct{}{} // another one
		answered := make(chan Result, 1)
		go func() { answered <- n.commit(0, 1) }()
		synctest.Wait()
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Err: kerr.UnknownMemberID, TopLevel: true})
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Err: kerr.UnknownMemberID, TopLevel: true})
		eventually(r.t, "another member id", func() bool {
			id, _ := m.cl.GroupMetadata()
			return id != "" && id != before && !m.lease.rebalancing()
		})
		<-m.committing
		n.fencedAndGoesOn(<-answered)
	})
}

// The broker takes the join before its answer is there, and before kgo says that it wrote it.
func TestFencedInstanceWhileItsOwnJoinIsPending(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"known": 0, "not known yet": pendingGrace / 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				n := r.start(func(o *Options, _ *recorder) { o.InstanceID = "one" })
				n.joined(0)
				r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.FencedInstanceID})
				joins := time.AfterFunc(after, func() {
					n.member().lease.OnBrokerWrite(kgo.BrokerMetadata{}, keyJoinGroup, 0, 0, 0, nil)
				})
				defer joins.Stop()
				synctest.Wait()
				n.fencedAndGoesOn(n.commit(0, 1))
			})
		})
	}
}

// fencedAndGoesOn wants a refusal of the instance id that does not end the client.
func (n *node) fencedAndGoesOn(got Result) {
	n.t.Helper()
	if got.Outcome != observe.Refused || !got.Fenced || !errors.Is(got.Err, kerr.FencedInstanceID) {
		n.t.Errorf("got %v fenced %v: %v, want a refusal of the instance id", got.Outcome, got.Fenced, got.Err)
	}
	n.stores(0, 2)
	if got := n.all("failed"); len(got) > 0 {
		n.t.Errorf("failed: %v", got[0].err)
	}
}
