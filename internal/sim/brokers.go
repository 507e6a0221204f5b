package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokers are how many there are. Their ids are 0, 1 and 2.
const brokers = 3

const firstPort = 9092

func address(broker int32) string {
	if broker < 0 {
		return ""
	}
	return fmt.Sprintf("localhost:%d", firstPort+broker)
}

func (n *nemesis) brokers(f *injected) {
	k := n.w.kafka
	switch f.Kind {
	case FaultAnswer:
		n.answer(f)
	case FaultSlow:
		n.slow(f)
	case FaultMove:
		n.move(f, f.Topic, f.Partition, f.Broker)
	case FaultShuffle:
		rng := rand.New(rand.NewPCG(n.w.plan.Seed, uint64(f.index))) //nolint:gosec // an index
		for i := range n.w.plan.Topics {
			t := &n.w.plan.Topics[i]
			for p := range t.Partitions {
				n.move(f, t.Name, p, rng.Int32N(brokers))
			}
		}
	case FaultRehash:
		k.RehashCoordinators()
		f.hits.Add(1)
	case FaultDeleteRecords:
		n.deleteRecords(f)
	case FaultCompact:
		k.Compact()
		f.hits.Add(1)
	case FaultBounce:
		n.bounce(f)
	}
}

// deleteRecords deletes from a log's start on. Of what goes before the group has a line there
// nobody is to hear: that begins behind it.
func (n *nemesis) deleteRecords(f *injected) {
	k := n.w.kafka
	info := k.PartitionInfo(f.Topic, f.Partition)
	to := info.LogStartOffset + (info.LastStableOffset-info.LogStartOffset)*int64(f.Count)/100
	if to <= info.LogStartOffset {
		return
	}
	of := k.GroupInfo(group)
	if k.DeleteRecords(f.Topic, f.Partition, to) != nil {
		return
	}
	f.hits.Add(1)
	begun := false
	if of != nil {
		_, begun = of.Commits[f.Topic][f.Partition]
	}
	if !begun {
		n.w.observer.GroupStart(tp(f.Topic, f.Partition), to)
	}
}

// bounce takes a broker away: its partitions move, its connections are cut, and it takes
// no new ones. One that does not come back takes the coordinators that it was with it. One
// that does is not removed and added: kfake would go on serving, as a broker that leads
// nothing, connections that it had.
func (n *nemesis) bounce(f *injected) {
	to := address(f.Broker)
	if n.w.isDown(to) {
		return
	}
	n.w.setDown(to, true)
	f.hits.Add(1)
	if f.For == 0 {
		if err := n.w.kafka.RemoveNode(f.Broker); err != nil {
			n.w.broken("broker %d does not go: %v", f.Broker, err)
		}
	} else {
		n.evacuate(f)
		f.end = func() { n.w.setDown(to, false) }
	}
	n.w.clients.Cut(to)
	for _, node := range n.w.nodes {
		node.link.Cut(to)
	}
}

// evacuate moves what a broker leads.
func (n *nemesis) evacuate(f *injected) {
	for i := range n.w.plan.Topics {
		for _, topic := range []string{n.w.plan.Topics[i].Name, deadLetters(n.w.plan.Topics[i].Name)} {
			for _, p := range n.w.kafka.PartitionInfos(topic) {
				if n.w.kafka.LeaderFor(topic, p.Partition) == f.Broker {
					n.move(f, topic, p.Partition, (f.Broker+1+p.Partition%2)%brokers)
				}
			}
		}
	}
}

func (w *world) isDown(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.down[address]
}

func (w *world) setDown(address string, down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down[address] = down
}

// move fails where the broker is away.
func (n *nemesis) move(f *injected, topic string, partition, broker int32) {
	if n.w.kafka.LeaderFor(topic, partition) != broker && n.w.kafka.MoveTopicPartition(topic, partition, broker) == nil {
		f.hits.Add(1)
	}
}

func keyOf(request string) (kmsg.Key, bool) {
	for key := range kmsg.Key(kmsg.MaxKey + 1) {
		if key.Name() == request {
			return key, true
		}
	}
	return 0, false
}

// topLevel are the requests whose answers have one error.
var topLevel = []string{"Heartbeat", "JoinGroup", "SyncGroup"} //nolint:gochecknoglobals // a table

func (n *nemesis) answer(f *injected) {
	key, ok := keyOf(f.Request)
	err, known := errorOf(f.Error)
	if !ok || !known {
		n.w.broken("fault %d: request %q, error %q: unknown", f.index, f.Request, f.Error)
		return
	}
	h := n.w.kafka.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: f.Topic, Err: err, Count: max(f.Count, 1), TopLevel: slices.Contains(topLevel, f.Request), When: members})
	f.count, f.end = h.Hits, h.Remove
}

// members are the requests that are no corrections of kfake.
func members(req kmsg.Request) bool { return !kept(req) }

func errorOf(name string) (*kerr.Error, bool) {
	for code := range int16(200) {
		if err := kerr.TypedErrorForCode(code); err != nil && err.Message == name {
			return err, true
		}
	}
	return nil, false
}

// slow lets a request sleep at its broker, which goes on with others. One sleeps at a time
// in the whole cluster: with several kfake's loop never rests. One that waited behind it
// comes at the instant at which it goes on, and does not sleep: kfake has a data race there.
func (n *nemesis) slow(f *injected) {
	key, ok := keyOf(f.Request)
	if !ok {
		n.w.broken("fault %d: request %q: unknown", f.index, f.Request)
		return
	}
	var over atomic.Bool
	left := max(f.Count, 1)
	n.w.kafka.ControlKey(int16(key), func(req kmsg.Request) (kmsg.Response, error, bool) {
		if left == 0 || over.Load() {
			n.w.kafka.DropControl()
			return nil, nil, false
		}
		if kept(req) || time.Now().UnixNano() <= n.rested.Load() || !n.sleeping.CompareAndSwap(false, true) {
			return nil, nil, false
		}
		left--
		f.hits.Add(1)
		n.w.kafka.SleepControl(func() { time.Sleep(time.Duration(f.Lag)) })
		n.rested.Store(time.Now().UnixNano())
		n.sleeping.Store(false)
		return nil, nil, false
	})
	f.end = func() { over.Store(true) }
}
