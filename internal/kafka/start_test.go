//go:build synctests

package kafka

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/runtime/observe"
)

func latest(o *Options, _ *recorder) { o.Topics[0].StartAt = Latest }

func goOn(o *Options, _ *recorder) { o.Topics[0].GapGoOn = true }

func TestStartIsCommittedBeforeTheFirstDelivery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Options, *recorder)
		start  int64
		want   []string
	}{
		"earliest": {func(*Options, *recorder) {}, 0, []string{"0:0=a", "0:1=b", "0:2=c"}},
		"latest":   {latest, 2, []string{"0:2=c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				r.produce(0, "a", "b")
				line := int64(-2)
				n := r.start(test.change, func(_ *Options, rec *recorder) {
					rec.on = func(n note) {
						if n.what == "assigned" {
							line = r.line(0)
						}
					}
				})
				n.joined(0)
				r.produce(0, "c")
				n.fetches(0, test.want...)
				if line != test.start {
					r.t.Errorf("the group's line is %d as the handler hears of the partition, want %d", line, test.start)
				}
				a := n.assignments(tp(0))[0]
				if a.Committed != -1 || a.Start != test.start || a.LogStart != 0 || a.LogEnd != 2 || a.Gap != nil {
					r.t.Errorf("assignment %+v", a)
				}
			})
		})
	}
}

func TestStartFromTheLine(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b", "c")
		r.commit(0, 1)
		n := r.start(latest)
		n.fetches(0, "0:1=b", "0:2=c")
		if a := n.assignments(tp(0))[0]; a.Committed != 1 || a.Start != 1 || a.Gap != nil {
			r.t.Errorf("assignment %+v", a)
		}
	})
}

func TestNoGapAtTheLogStart(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, numbers(0, 5)...)
		r.commit(0, 3)
		r.deleteTo(3)
		n := r.start()
		n.fetches(0, "0:3=3", "0:4=4")
		if a := n.assignments(tp(0))[0]; a.Gap != nil {
			r.t.Errorf("gap %+v where nothing is missing", a.Gap)
		}
	})
}

func (r *rig) deleteTo(offset int64) {
	r.t.Helper()
	if err := r.cluster.DeleteRecords(testTopic, 0, offset); err != nil {
		r.t.Fatal(err)
	}
}

func TestGapAtTheStartStops(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, numbers(0, 5)...)
		r.commit(0, 1)
		r.deleteTo(3)
		n := r.start()
		n.joined(0)
		a := n.assignments(tp(0))[0]
		if want := (Gap{From: 1, To: 3, Stopped: true}); a.Gap == nil || *a.Gap != want {
			r.t.Fatalf("gap %+v, want %+v", a.Gap, want)
		}
		time.Sleep(30 * time.Second)
		n.fetches(0)
		if got := r.line(0); got != 1 {
			r.t.Errorf("the line went from 1 to %d by itself", got)
		}
		n.Seek(tp(0), a.Epoch, 7, 3)
		n.fetches(0, "7:3=3", "7:4=4")
	})
}

func TestGapAtTheStartGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, numbers(0, 5)...)
		r.commit(0, 1)
		r.deleteTo(3)
		n := r.start(goOn)
		n.fetches(0, "0:3=3", "0:4=4")
		a := n.assignments(tp(0))[0]
		if want := (Gap{From: 1, To: 3}); a.Gap == nil || *a.Gap != want || a.Start != 3 || a.Committed != 1 {
			r.t.Errorf("assignment %+v with gap %+v, want %+v", a, a.Gap, want)
		}
	})
}

func TestLineAboveTheLogStops(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b")
		r.commit(0, 9)
		n := r.start(goOn)
		n.joined(0)
		a := n.assignments(tp(0))[0]
		if a.Gap == nil || a.Gap.From != 9 || a.Gap.To != 2 || !a.Gap.Possible || !a.Gap.Stopped {
			r.t.Fatalf("gap %+v", a.Gap)
		}
		wantErr(r.t, a.Gap.Err, ErrTruncated)
		r.produce(0, "c")
		time.Sleep(30 * time.Second)
		n.fetches(0)
		if got := r.line(0); got != 9 {
			r.t.Errorf("the line went from 9 to %d by itself", got)
		}
		n.Seek(tp(0), a.Epoch, 1, 2)
		n.fetches(0, "1:2=c")
	})
}

func TestStartTable(t *testing.T) {
	t.Parallel()
	log := extent{start: 10, end: 20, high: 25}
	for name, test := range map[string]struct {
		topic Topic
		line  int64
		want  Assignment
	}{
		"none, earliest":        {Topic{}, -1, Assignment{Start: 10}},
		"none, latest":          {Topic{StartAt: Latest}, -1, Assignment{Start: 20}},
		"within":                {Topic{}, 15, Assignment{Start: 15}},
		"at the start":          {Topic{}, 10, Assignment{Start: 10}},
		"at the end":            {Topic{}, 20, Assignment{Start: 20}},
		"in a transaction":      {Topic{}, 23, Assignment{Start: 23}},
		"at the high watermark": {Topic{}, 25, Assignment{Start: 25}},
		"above":                 {Topic{}, 26, Assignment{Start: 25, Gap: &Gap{From: 26, To: 25, Possible: true, Stopped: true, Err: ErrTruncated}}},
		"above, go on":          {Topic{GapGoOn: true}, 26, Assignment{Start: 25, Gap: &Gap{From: 26, To: 25, Possible: true, Stopped: true, Err: ErrTruncated}}},
		"below":                 {Topic{}, 9, Assignment{Start: 10, Gap: &Gap{From: 9, To: 10, Stopped: true}}},
		"below, go on":          {Topic{GapGoOn: true}, 9, Assignment{Start: 10, Gap: &Gap{From: 9, To: 10}}},
	} {
		test.want.Committed, test.want.LogStart, test.want.LogEnd = test.line, 10, 20
		got := start(test.topic, test.line, log)
		gap, wantGap := got.Gap, test.want.Gap
		got.Gap, test.want.Gap = nil, nil
		if got != test.want || (gap == nil) != (wantGap == nil) || (gap != nil && *gap != *wantGap) {
			t.Errorf("%s: got %+v gap %+v, want %+v gap %+v", name, got, gap, test.want, wantGap)
		}
	}
}

// A start that cannot be resolved is tried until it can, and never replaced by a guess.
func TestStartIsTriedUntilItIsKnown(t *testing.T) {
	t.Parallel()
	faults := map[string]kfake.Fault{
		"line":              {Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.TopicAuthorizationFailed},
		"line, coordinator": {Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.CoordinatorLoadInProgress, TopLevel: true},
		"ends of the log":   {Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.TopicAuthorizationFailed},
		"leader":            {Keys: []kmsg.Key{kmsg.ListOffsets}, Err: kerr.NotLeaderForPartition},
		"commit":            {Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorNotAvailable},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				r.produce(0, "a", "b")
				if name != "commit" {
					r.commit(0, 1)
				}
				fault.Count = -1
				h := r.cluster.Fault(fault)
				n := r.start(latest)
				time.Sleep(70 * time.Second)
				if as := n.assignments(tp(0)); len(as) > 0 {
					r.t.Fatalf("assigned %+v while the broker answered %v", as, fault.Err)
				}
				if len(n.warnings()) < 2 {
					r.t.Errorf("%d warnings in 70 s, want one every 30 s", len(n.warnings()))
				}
				h.Remove()
				n.joined(0)
				r.produce(0, "c")
				if name == "commit" {
					n.fetches(0, "0:2=c")
				} else {
					n.fetches(0, "0:1=b", "0:2=c")
				}
				n.stores(0, 3)
			})
		})
	}
}

// Requests name a topic by its id, and so do their answers: no commit would ever be
// answered of a partition that began without. kgo's own metadata may be in order by then.
func TestStartWaitsForTheIDOfItsTopic(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start(func(o *Options, _ *recorder) { o.Topics = append(o.Topics, Topic{Name: "other"}) })
		n.joined(0)
		m := n.member()
		m.mu.Lock()
		clear(m.ids)
		m.mu.Unlock()
		topics := map[string][]int32{testTopic: {0}, "other": {0}}
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: testTopic, Err: kerr.LeaderNotAvailable})
		if unknown := m.learn(context.Background(), topics); len(unknown) != 1 || !errors.Is(unknown[testTopic], kerr.LeaderNotAvailable) || h.Hits() != 1 {
			r.t.Errorf("not learned: %v, hits %d", unknown, h.Hits())
		}
		if got := n.commit(0, 0); got.Outcome != observe.Unknown {
			r.t.Errorf("a commit without the id: %+v", got)
		}
		if unknown := m.learn(context.Background(), topics); len(unknown) != 0 {
			r.t.Errorf("not learned: %v", unknown)
		}
		if got := n.commit(0, 0); got.Outcome != observe.OK {
			r.t.Errorf("a commit with the id: %+v", got)
		}
	}, kfake.SeedTopics(1, testTopic, "other"))
}

// The commit of a start may be stored when the line is beyond it.
func TestStartIsInDoubtWhenItsCommitIs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		answer *kerr.Error
		want   bool
	}{{kerr.RequestTimedOut, true}, {kerr.RebalanceInProgress, false}} {
		t.Run(test.answer.Message, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: test.answer})
				n := r.start()
				n.joined(0)
				if as := n.assignments(tp(0)); len(as) != 1 || as[0].InDoubt != test.want || h.Hits() != 1 {
					r.t.Errorf("assigned %+v after %d answers, want one in doubt: %t", as, h.Hits(), test.want)
				}
			})
		})
	}
}

func TestStartWaitsForAnOpenTransaction(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		h := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: -1})
		n := r.start()
		time.Sleep(40 * time.Second)
		if as := n.assignments(tp(0)); len(as) > 0 {
			r.t.Fatalf("assigned %+v before the commit line was stable", as)
		}
		h.Remove()
		n.fetches(0, "0:0=a")
	})
}

func TestOneTopicThatCannotBeginHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		h := r.cluster.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "other", Err: kerr.TopicAuthorizationFailed, Count: -1,
		})
		n := r.start(func(o *Options, _ *recorder) { o.Topics = append(o.Topics, Topic{Name: "other"}) })
		n.fetches(0, "0:0=a")
		other := observe.TopicPartition{Topic: "other"}
		if len(n.assignments(other)) > 0 {
			r.t.Error("the other topic was assigned")
		}
		h.Remove()
		eventually(r.t, "other assigned", func() bool { return len(n.assignments(other)) == 1 })
		if got, err := n.EndOffsets(context.Background(), []observe.TopicPartition{tp(0), other}); err != nil || len(got) != 2 || got[0].LogEnd != 1 {
			r.t.Errorf("end offsets %+v, %v", got, err)
		}
	}, kfake.SeedTopics(1, testTopic, "other"))
}
