//go:build kafka

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// bed is what one test works in: a group, topics, members, and the history of it all.
type bed struct {
	t     *testing.T
	group string
	dir   string

	protocol runtime.GroupProtocol // of the members that start
	cl       *kgo.Client
	adm      *kadm.Client // by cl

	history  *history.History // what the producers and the observers saw
	produced *history.Producer
	observed *history.Observer

	observing sync.Mutex                       // what is read first is written down first
	lines     map[observe.TopicPartition]int64 // guarded by observing: as written down last

	compacted map[string]bool // topics that compaction takes records out of

	topics  []string
	all     []*member
	members int
}

// beds counts them, so that a test that is repeated has names of its own each time.
var beds atomic.Int64

// own is the client for everything that tests do themselves.
var own = sync.OnceValues(func() (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(broker()), kgo.ClientID("conformance"))
})

func newBed(t *testing.T) *bed {
	t.Helper()
	cl, err := own()
	if err != nil {
		t.Fatal(err)
	}
	h := history.New()
	b := &bed{
		t: t, group: fmt.Sprintf("%s.%d.%s", runID, beds.Add(1), strings.Map(nameable, t.Name())), dir: t.TempDir(), cl: cl, adm: kadm.NewClient(cl),
		history: h, produced: history.NewProducer(h), observed: history.NewObserver(h),
		compacted: map[string]bool{}, lines: map[observe.TopicPartition]int64{},
	}
	t.Cleanup(b.remove)
	t.Cleanup(b.save)
	b.awaitCoordinator()
	b.watch()
	return b
}

// awaitCoordinator waits until the group's coordinator answers: a broker that has just
// started has none.
func (b *bed) awaitCoordinator() {
	b.t.Helper()
	eventually(b.t, "the group has a coordinator", func() bool {
		_, err := b.adm.FetchOffsets(b.t.Context(), b.group)
		return err == nil || errors.Is(err, kerr.GroupIDNotFound)
	})
}

// nameable turns the name of a test into one that Kafka takes.
func nameable(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-':
		return r
	case r == '/':
		return '.'
	}
	return -1
}

// topic creates one and returns its name. Settings are keys and values in turn.
func (b *bed) topic(name string, partitions int32, settings ...string) string {
	b.t.Helper()
	full := b.group + "." + name
	configs := map[string]*string{}
	for i := 0; i < len(settings); i += 2 {
		configs[settings[i]] = &settings[i+1]
	}
	if _, err := b.adm.CreateTopic(b.t.Context(), partitions, 1, configs, full); err != nil {
		b.t.Fatalf("create %s: %v", full, err)
	}
	b.topics = append(b.topics, full)
	eventually(b.t, full+" has leaders", func() bool {
		ends, err := b.adm.ListEndOffsets(b.t.Context(), full)
		return err == nil && ends.Error() == nil && len(ends[full]) == int(partitions)
	})
	return full
}

// remove takes the group and the topics away. It runs after the members were killed.
func (b *bed) remove() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := b.expel(ctx); err != nil {
		b.t.Errorf("expel the members of %s: %v", b.group, err)
	}
	if _, err := b.adm.DeleteGroup(ctx, b.group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		b.t.Errorf("delete group %s: %v", b.group, err)
	}
	if len(b.topics) > 0 {
		if _, err := b.adm.DeleteTopics(ctx, b.topics...); err != nil {
			b.t.Errorf("delete topics: %v", err)
		}
	}
}

// expel takes members out that were killed.
func (b *bed) expel(ctx context.Context) error {
	if b.protocol == runtime.GroupConsumer {
		return b.expelConsumers(ctx)
	}
	groups, err := b.adm.DescribeGroups(ctx, b.group)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = b.group
	for _, m := range groups[b.group].Members {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID, member.InstanceID = m.MemberID, m.InstanceID
		req.Members = append(req.Members, member)
	}
	if len(req.Members) == 0 {
		return nil
	}
	_, err = req.RequestWith(ctx, b.cl)
	return err
}

// watch writes down, until the end of the test, what the group has committed.
func (b *bed) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			b.observe(ctx)
		}
	}()
	b.t.Cleanup(func() {
		cancel()
		<-done
	})
}

// observe writes down what the group has committed, where that has changed.
func (b *bed) observe(ctx context.Context) {
	b.observing.Lock()
	defer b.observing.Unlock()
	for tp, offset := range b.committed(ctx) {
		if before, ok := b.lines[tp]; !ok || before != offset {
			b.lines[tp] = offset
			b.observed.Committed(tp, offset)
		}
	}
}

// committed is what the group has committed, read with a client that is not the
// runtime's; nothing while it cannot be read.
func (b *bed) committed(ctx context.Context) map[observe.TopicPartition]int64 {
	responses, err := b.adm.FetchOffsets(ctx, b.group)
	if err != nil {
		return nil
	}
	out := map[observe.TopicPartition]int64{}
	responses.Each(func(r kadm.OffsetResponse) {
		if r.Err == nil && r.At >= 0 {
			out[observe.TopicPartition{Topic: r.Topic, Partition: r.Partition}] = r.At
		}
	})
	return out
}

// line is what is committed of a partition; -1: nothing.
func (b *bed) line(topic string, partition int32) int64 {
	b.t.Helper()
	if offset, ok := b.committed(b.t.Context())[observe.TopicPartition{Topic: topic, Partition: partition}]; ok {
		return offset
	}
	return -1
}

// waitLine waits until offset is committed of a partition.
func (b *bed) waitLine(topic string, partition int32, offset int64) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%d is committed of %s/%d", offset, topic, partition), func() bool {
		return b.line(topic, partition) == offset
	})
}

// ends are the ends of the logs of a topic, markers included.
func (b *bed) ends(topic string) map[observe.TopicPartition]int64 {
	b.t.Helper()
	listed, err := b.adm.ListEndOffsets(b.t.Context(), topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		b.t.Fatalf("ends of %s: %v", topic, err)
	}
	out := map[observe.TopicPartition]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		out[observe.TopicPartition{Topic: o.Topic, Partition: o.Partition}] = o.Offset
	})
	return out
}

// waitDrained waits until everything in topics is committed.
func (b *bed) waitDrained(topics ...string) {
	b.t.Helper()
	eventually(b.t, "the lag is 0", func() bool {
		got := b.committed(b.t.Context())
		for _, topic := range topics {
			for tp, end := range b.ends(topic) {
				if offset, ok := got[tp]; end > 0 && (!ok || offset != end) {
					return false
				}
			}
		}
		return true
	})
}

// groupState is the group's state and its members, by client id.
func (b *bed) groupState() (string, map[string]bool) {
	b.t.Helper()
	members := map[string]bool{}
	if b.protocol == runtime.GroupConsumer {
		g, err := b.consumerGroup(b.t.Context())
		if err != nil {
			return err.Error(), nil
		}
		for i := range g.Members {
			members[g.Members[i].ClientID] = true
		}
		return g.State, members
	}
	groups, err := b.adm.DescribeGroups(b.t.Context(), b.group)
	if err != nil {
		return err.Error(), nil
	}
	for i := range groups[b.group].Members {
		members[groups[b.group].Members[i].ClientID] = true
	}
	return groups[b.group].State, members
}

// waitStable waits until the group is stable with exactly these members.
func (b *bed) waitStable(names ...string) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("the group is stable with %v", names), func() bool {
		state, members := b.groupState()
		for _, name := range names {
			if _, ok := members[name]; !ok {
				return false
			}
		}
		return state == "Stable" && len(members) == len(names)
	})
}

// file is one in the test's folder.
func (b *bed) file(name string) string { return filepath.Join(b.dir, name) }

// release creates the file that scripts wait for.
func (b *bed) release(file string) {
	b.t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
