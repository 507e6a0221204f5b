//go:build synctests

package kafka

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestSeekGenerations(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, numbers(0, 4)...)
		n := r.start()
		n.fetches(0, "0:0=0", "0:1=1", "0:2=2", "0:3=3")
		e := n.epochOf(tp(0))
		n.Seek(tp(0), e, 1, 2)
		n.fetches(0, "0:0=0", "0:1=1", "0:2=2", "0:3=3", "1:2=2", "1:3=3")
		n.Seek(tp(0), e, 2, 3)
		n.Seek(tp(0), e, 3, 4)
		r.produce(0, "4")
		eventually(r.t, "the last seek's record", func() bool { return slices.Contains(n.values(tp(0)), "3:4=4") })
		n.Seek(tp(0), e, 2, 0) // older than what was done: two asked at once
		n.Seek(tp(0), e-1, 9, 0)
		n.Seek(tp(0), e+1, 9, 0)
		time.Sleep(10 * time.Second)
		if got := n.values(tp(0)); got[len(got)-1] != "3:4=4" {
			r.t.Errorf("a seek of another epoch was done: %v", got)
		}
	})
}

// Seek from within Assigned comes before kgo has a position that could be moved.
func TestSeekFromAssigned(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b", "c")
		var n *node
		n = r.node(func(_ *Options, rec *recorder) {
			rec.on = func(got note) {
				if got.what == "assigned" {
					n.Seek(tp(0), got.as[0].Epoch, 1, 2)
					time.Sleep(3 * seekAgain)
				}
			}
		})
		n.run()
		eventually(r.t, "c under generation 1", func() bool { return slices.Contains(n.values(tp(0)), "1:2=c") })
		time.Sleep(10 * time.Second)
		if got := n.values(tp(0)); got[len(got)-1] != "1:2=c" {
			r.t.Errorf("fetched %v", got)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start()
		n.fetches(0, "0:0=a")
		n.Pause(tp(0))
		n.Pause(tp(0))
		n.Pause(tp(99))
		r.produce(0, "b")
		time.Sleep(30 * time.Second)
		n.fetches(0, "0:0=a")
		if age := time.Since(n.Turned()); age > pollFor {
			r.t.Errorf("the loop last turned %v ago", age)
		}
		n.Resume(tp(0))
		n.Resume(tp(0))
		n.fetches(0, "0:0=a", "0:1=b")
	})
}

func TestSeekKeepsThePause(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b")
		n := r.start()
		n.fetches(0, "0:0=a", "0:1=b")
		n.Pause(tp(0))
		n.Seek(tp(0), n.epochOf(tp(0)), 1, 1)
		time.Sleep(30 * time.Second)
		n.fetches(0, "0:0=a", "0:1=b")
		n.Resume(tp(0))
		n.fetches(0, "0:0=a", "0:1=b", "1:1=b")
	})
}

// kgo that fetched from the old position would have to give that fetch up: it closes the
// connection then, and fetches again after 250 ms.
func TestNothingIsFetchedBeforeASeek(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		var asked time.Time
		var fetches atomic.Int32
		r.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			r.cluster.KeepControl()
			fetches.Add(1)
			return nil, nil, false
		})
		var n *node
		n = r.node(func(_ *Options, rec *recorder) {
			rec.on = func(now note) {
				switch {
				case now.what != "fetched":
				case asked.IsZero(): // the poll loop is held up
					n.Pause(tp(0))
					time.Sleep(2 * fetchWait) // what was under way has ended
					before := fetches.Load()
					n.Seek(tp(0), n.epochOf(tp(0)), 1, 0)
					n.Resume(tp(0))
					time.Sleep(time.Millisecond)
					if more := fetches.Load() - before; more != 0 {
						r.t.Errorf("%d fetches from the old position", more)
					}
					asked = time.Now()
				default:
					if late := time.Since(asked); late != 0 {
						r.t.Errorf("the record came %v after the seek", late)
					}
				}
			}
		})
		n.run()
		n.fetches(0, "0:0=a", "1:0=a")
	})
}

// gapped runs a node up to a gap [2, 5) in what is left of records 0 to 6.
func gapped(r *rig, change ...func(*Options, *recorder)) *node {
	r.t.Helper()
	r.produce(0, "0", "1")
	n := r.start(change...)
	n.fetches(0, "0:0=0", "0:1=1")
	n.Pause(tp(0))
	time.Sleep(10 * time.Second)
	r.produce(0, numbers(2, 7)...)
	r.deleteTo(5)
	n.Resume(tp(0))
	eventually(r.t, "a gap", func() bool { return len(n.all("gapped")) > 0 })
	return n
}

func TestGapWhileRunningGoesOn(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := gapped(r, goOn)
		n.fetches(0, "0:0=0", "0:1=1", "1:5=5", "1:6=6")
		got := n.all("gapped")
		if len(got) != 1 || got[0].gap != (Gap{From: 2, To: 5}) || got[0].gen != 1 {
			r.t.Errorf("gaps %+v", got)
		}
	})
}

func TestGapWhileRunningStops(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := gapped(r)
		time.Sleep(30 * time.Second)
		n.fetches(0, "0:0=0", "0:1=1")
		got := n.all("gapped")
		if len(got) != 1 || got[0].gap != (Gap{From: 2, To: 5, Stopped: true}) {
			r.t.Errorf("gaps %+v", got)
		}
		n.Resume(tp(0))
		time.Sleep(30 * time.Second)
		n.fetches(0, "0:0=0", "0:1=1")
		n.Seek(tp(0), n.epochOf(tp(0)), got[0].gen+1, 5)
		n.fetches(0, "0:0=0", "0:1=1", "2:5=5", "2:6=6")
	})
}

func TestPositionAboveTheLogStops(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start(goOn)
		n.fetches(0, "0:0=a")
		n.Seek(tp(0), n.epochOf(tp(0)), 1, 50)
		eventually(r.t, "a gap", func() bool { return len(n.all("gapped")) == 1 })
		gap := n.all("gapped")[0].gap
		if gap.From != 50 || gap.To != 1 || !gap.Possible || !gap.Stopped {
			r.t.Errorf("gap %+v", gap)
		}
		wantErr(r.t, gap.Err, ErrTruncated)
	})
}

// A broker that is behind says out of range too; nothing is missing then.
func TestOutOfRangeWithoutAGap(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetOutOfRange, Count: 3})
		r.produce(0, "a", "b")
		n.fetches(0, "0:0=a", "0:1=b")
		if got := n.all("gapped"); len(got) > 0 {
			r.t.Errorf("gaps %+v", got)
		}
	})
}

// An error that kgo reports and does not mend stops the one partition, says so, and ends.
func TestFetchErrorIsVisibleAndEnds(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0, 1)
		h := r.cluster.Fault(kfake.Fault{
			Keys: []kmsg.Key{kmsg.Fetch}, Partitions: []int32{1}, Err: kerr.TopicAuthorizationFailed, Count: -1,
		})
		fetches := r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
		time.Sleep(time.Second)
		r.produce(0, "a")
		r.produce(1, "b")
		n.fetches(0, "0:0=a")
		time.Sleep(70 * time.Second)
		n.fetches(1)
		if got := len(n.warnings()); got < 2 || got > 4 {
			r.t.Errorf("%d warnings in 70 s, want one every 30 s: %v", got, n.warnings())
		}
		if hits := fetches.Hits(); hits > 200 {
			r.t.Errorf("%d fetches in 70 s: a hot loop", hits)
		}
		h.Remove()
		n.fetches(1, "0:0=b")
		if got := n.all("gapped"); len(got) > 0 {
			r.t.Errorf("gaps %+v", got)
		}
	}, kfake.SeedTopics(2, testTopic))
}
