//go:build synctests

package scenarios

import (
	"slices"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// sent is a commit of a partition as it came to the broker.
type sent struct {
	member    string
	partition int32
	next      int64
}

// witness sees the group's commits as they come to the broker.
type witness struct {
	mu   sync.Mutex
	seen []sent // guarded by mu
}

func (w *world) witness() *witness {
	w.t.Helper()
	x := &witness{}
	w.c.Broker().ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.c.Broker().KeepControl()
		if commit, ok := req.(*kmsg.OffsetCommitRequest); ok {
			x.add(commit)
		}
		return nil, nil, false
	})
	return x
}

func (x *witness) add(commit *kmsg.OffsetCommitRequest) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range commit.Topics {
		for _, p := range commit.Topics[i].Partitions {
			x.seen = append(x.seen, sent{commit.MemberID, p.Partition, p.Offset})
		}
	}
}

func (x *witness) since(n int) []sent {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.seen[n:])
}

// onWire is a history of commits that the broker took, in a group that was stable.
func (w *world) onWire(all []sent, info *kfake.GroupInfo) []history.Event {
	h := history.New()
	o := history.NewObserver(h)
	for _, c := range all {
		owner := slices.IndexFunc(info.Members, func(m kfake.GroupMember) bool { return assigns(w.t, m, c.partition) })
		o.CommitOnWire(history.WireCommit{TP: tp("orders", c.partition), Next: c.next, Member: c.member, Owner: info.Members[owner].MemberID, Answer: observe.OK})
	}
	return h.Events()
}

// assigns reports whether a member has a partition of orders.
func assigns(t *testing.T, m kfake.GroupMember, partition int32) bool {
	t.Helper()
	return slices.Contains(m.Assignment["orders"], partition)
}
