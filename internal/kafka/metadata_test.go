//go:build synctests

package kafka

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/kfakefix"
	"github.com/troupe-go/troupe/runtime/observe"
)

// commitWith sets the commit line and its metadata while the group is empty.
func (r *rig) commitWith(next int64, text string) {
	r.t.Helper()
	var os kadm.Offsets
	os.Add(kadm.Offset{Topic: testTopic, At: next, LeaderEpoch: -1, Metadata: text})
	if err := r.adm().CommitAllOffsets(context.Background(), testGroup, os); err != nil {
		r.t.Fatalf("commit: %v", err)
	}
}

// What was stored with a commit line comes with the next assignment, whichever way the
// line is asked for; and with it the id that tells the topic from a later one.
func TestMetadataComesWithTheLine(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*kfake.Fault{
		"at once":    nil,
		"by repairs": {Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.TopicAuthorizationFailed, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				r.produce(0, "a", "b", "c")
				r.commitWith(1, "a note")
				if fault != nil {
					r.cluster.Fault(*fault)
				}
				n := r.start()
				n.joined(1)
				n.fetches(0, "0:1=b", "0:2=c")
				if a := n.assignments(tp(0))[0]; a.Metadata != "a note" || a.TopicID == [16]byte{} {
					r.t.Errorf("assignment %+v", a)
				}
				if a := n.assignments(tp(1))[0]; a.Metadata != "" {
					r.t.Errorf("of a partition without a line: %+v", a)
				}
				got := n.Commit(context.Background(), []Offset{{TP: tp(0), Next: 2, Metadata: "another"}})[0]
				if got.Outcome != observe.OK {
					r.t.Fatal(got.Err)
				}
				n.Stop()
				if err := n.ended(); err != nil {
					r.t.Fatal(err)
				}
				second := r.start()
				second.joined(0)
				if a := second.assignments(tp(0))[0]; a.Metadata != "another" || a.Start != 2 {
					r.t.Errorf("the next assignment: %+v", a)
				}
			}, kfake.SeedTopics(2, testTopic))
		})
	}
}

// Where the log ends below the line, what was written of records there is of no use.
func TestMetadataOfATruncatedLogIsLeftOut(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.produce(0, "a", "b")
		r.commitWith(9, "a note")
		n := r.start()
		n.joined(0)
		if a := n.assignments(tp(0))[0]; a.Gap == nil || a.Metadata != "" {
			r.t.Errorf("assignment %+v", a)
		}
	})
}

// A broker refuses metadata that is too long, and says so of that partition alone.
func TestMetadataThatIsTooLarge(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		kfakefix.Metadata(r.cluster)
		n := r.start()
		n.joined(0, 1)
		for length, large := range map[int]bool{4096: false, 4097: true} {
			got := n.Commit(context.Background(), []Offset{
				{TP: tp(0), Next: 0, Metadata: strings.Repeat("x", length)}, {TP: tp(1), Next: 0},
			})
			if got[0].TooLarge != large || (got[0].Outcome == observe.Refused) != large || got[1].Outcome != observe.OK || got[1].TooLarge {
				r.t.Errorf("%d bytes: %+v", length, got)
			}
		}
	}, kfake.SeedTopics(2, testTopic))
}

// A batch tells from where on which leader wrote it.
func TestABatchTellsItsLeaders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		epochs []int32
		want   []Leader
	}{
		"one record": {[]int32{3}, nil},
		"one leader": {[]int32{3, 3, 3}, nil},
		"three":      {[]int32{3, 3, 4, 7, 7, 7}, []Leader{{12, 4}, {13, 7}}},
		"not known":  {[]int32{-1, -1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var records []*kgo.Record
			for i, epoch := range c.epochs {
				records = append(records, &kgo.Record{Offset: 10 + int64(i), LeaderEpoch: epoch})
			}
			if got := laterLeaders(records); !slices.Equal(got, c.want) {
				t.Errorf("leaders %v, want %v", got, c.want)
			}
		})
	}
}
