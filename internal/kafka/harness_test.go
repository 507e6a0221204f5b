package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime/observe"
)

const (
	testTopic = "orders"
	testGroup = "shop"
)

func tp(partition int32) observe.TopicPartition {
	return observe.TopicPartition{Topic: testTopic, Partition: partition}
}

// note is one call of the handler.
type note struct {
	what  string
	tps   []observe.TopicPartition
	as    []Assignment
	batch Batch
	gap   Gap
	gen   uint32
	err   error
}

// recorder is a Handler that writes down what it hears. on answers calls, before they
// return, and may block; it is set before the client runs.
type recorder struct {
	on func(note)

	mu     sync.Mutex
	notes  []note
	epochs map[observe.TopicPartition]observe.Epoch
}

func (r *recorder) add(n note) {
	r.mu.Lock()
	r.notes = append(r.notes, n)
	r.mu.Unlock()
	if r.on != nil {
		r.on(n)
	}
}

func (r *recorder) Assigned(as []Assignment) {
	r.mu.Lock()
	if r.epochs == nil {
		r.epochs = map[observe.TopicPartition]observe.Epoch{}
	}
	for _, a := range as {
		r.epochs[a.TP] = a.Epoch
	}
	r.mu.Unlock()
	r.add(note{what: "assigned", as: as})
}

func (r *recorder) Fetched(batches []Batch) {
	for i := range batches {
		r.add(note{what: "fetched", batch: batches[i]})
	}
}

func (r *recorder) Revoked(tps []observe.TopicPartition) { r.add(note{what: "revoked", tps: tps}) }

func (r *recorder) Lost(tps []observe.TopicPartition, cause error) {
	r.add(note{what: "lost", tps: tps, err: cause})
}

func (r *recorder) Gapped(tp observe.TopicPartition, _ observe.Epoch, gap Gap, gen uint32) {
	r.add(note{what: "gapped", tps: []observe.TopicPartition{tp}, gap: gap, gen: gen})
}

func (r *recorder) Ended(tp observe.TopicPartition, cause error) {
	r.add(note{what: "ended", tps: []observe.TopicPartition{tp}, err: cause})
}

func (r *recorder) Failed(err error) { r.add(note{what: "failed", err: err}) }

// all returns the calls named what.
func (r *recorder) all(what string) []note {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []note
	for _, n := range r.notes {
		if n.what == what {
			out = append(out, n)
		}
	}
	return out
}

func (r *recorder) epochOf(tp observe.TopicPartition) observe.Epoch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.epochs[tp]
}

// assignments returns those of a partition.
func (r *recorder) assignments(tp observe.TopicPartition) []Assignment {
	var out []Assignment
	for _, n := range r.all("assigned") {
		for _, a := range n.as {
			if a.TP == tp {
				out = append(out, a)
			}
		}
	}
	return out
}

// values returns what was handed over of a partition, as "epoch.gen:offset=value" with
// the epoch counted from the partition's first.
func (r *recorder) values(tp observe.TopicPartition) []string {
	var out []string
	for _, n := range r.all("fetched") {
		if n.batch.TP != tp {
			continue
		}
		for i := range n.batch.Records {
			rec := &n.batch.Records[i]
			out = append(out, fmt.Sprintf("%d:%d=%s", n.batch.Gen, rec.Offset, rec.Value))
		}
	}
	return out
}

// rig is a cluster and what tests do to it.
type rig struct {
	t       *testing.T
	cluster *kfake.Cluster
	dial    func(context.Context, string, string) (net.Conn, error) // nil: loopback
	brokers []string
	admin   *kgo.Client
}

func newRig(t *testing.T, dial func(context.Context, string, string) (net.Conn, error), opts ...kfake.Opt) *rig {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, testTopic)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	r := &rig{t: t, cluster: cluster, dial: dial, brokers: cluster.ListenAddrs()}
	return r
}

func (r *rig) connect(opts ...kgo.Opt) *kgo.Client {
	r.t.Helper()
	if r.dial != nil {
		opts = append(opts, kgo.Dialer(r.dial))
	}
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(r.brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(cl.Close)
	return cl
}

func (r *rig) client() *kgo.Client {
	if r.admin == nil {
		r.admin = r.connect()
	}
	return r.admin
}

func (r *rig) adm() *kadm.Client { return kadm.NewClient(r.client()) }

// produce writes values to a partition.
func (r *rig) produce(partition int32, values ...string) {
	r.t.Helper()
	for _, v := range values {
		res := r.client().ProduceSync(context.Background(), &kgo.Record{Topic: testTopic, Partition: partition, Value: []byte(v)})
		if err := res.FirstErr(); err != nil {
			r.t.Fatalf("produce: %v", err)
		}
	}
}

// numbers is from, from+1, … below to, as text.
func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, strconv.Itoa(i))
	}
	return out
}

// line is the group's commit line; -1: none.
func (r *rig) line(partition int32) int64 {
	r.t.Helper()
	got, err := r.adm().FetchOffsets(context.Background(), testGroup)
	if err != nil {
		r.t.Fatalf("fetch offsets: %v", err)
	}
	if o, ok := got.Lookup(testTopic, partition); ok {
		return o.At
	}
	return -1
}

// commit sets the commit line while the group is empty.
func (r *rig) commit(partition int32, next int64) {
	r.t.Helper()
	var os kadm.Offsets
	os.Add(kadm.Offset{Topic: testTopic, Partition: partition, At: next, LeaderEpoch: -1})
	if err := r.adm().CommitAllOffsets(context.Background(), testGroup, os); err != nil {
		r.t.Fatalf("commit: %v", err)
	}
}

// node is a Client under test and what it told.
type node struct {
	*recorder
	*Client
	t    *testing.T
	done chan error

	emu    sync.Mutex
	events []observe.Event
	leases []leaseCall
}

type leaseCall struct {
	at, sent time.Time
	ttl      time.Duration
}

// options are short enough for tests, and as one would set them.
func (r *rig) options() Options {
	o := Options{
		Brokers: r.brokers, Group: testGroup, Topics: []Topic{{Name: testTopic}},
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 20 * time.Second, CommitTimeout: 3 * time.Second,
		MaxDecompressedBatch: 1 << 20,
	}
	if r.dial != nil {
		o.Extra = []kgo.Opt{kgo.Dialer(r.dial)}
	}
	return o
}

// start runs a client until the end of the test.
func (r *rig) start(change ...func(*Options, *recorder)) *node {
	r.t.Helper()
	n := r.node(change...)
	n.run()
	return n
}

func (r *rig) node(change ...func(*Options, *recorder)) *node {
	r.t.Helper()
	opts := r.options()
	n := &node{recorder: &recorder{}, t: r.t, done: make(chan error, 1)}
	opts.Emit = func(ev observe.Event) {
		n.emu.Lock()
		defer n.emu.Unlock()
		n.events = append(n.events, ev)
	}
	opts.Lease = func(sent time.Time, ttl time.Duration) {
		n.emu.Lock()
		defer n.emu.Unlock()
		n.leases = append(n.leases, leaseCall{time.Now(), sent, ttl})
	}
	for _, f := range change {
		f(&opts, n.recorder)
	}
	c, err := New(opts, n.recorder)
	if err != nil {
		r.t.Fatal(err)
	}
	n.Client = c
	return n
}

func (n *node) run() {
	go func() { n.done <- n.Run(context.Background()) }()
	n.t.Cleanup(func() {
		n.Stop()
		select {
		case err := <-n.done:
			n.done <- err
		case <-time.After(time.Minute):
			n.t.Error("Run did not return within a minute of Stop")
		}
	})
}

// ended waits for Run to return.
func (n *node) ended() error {
	n.t.Helper()
	select {
	case err := <-n.done:
		n.done <- err
		return err
	case <-time.After(time.Minute):
		n.t.Fatal("Run did not return within a minute")
		return nil
	}
}

func (n *node) warnings() []observe.Warned {
	n.emu.Lock()
	defer n.emu.Unlock()
	var out []observe.Warned
	for _, ev := range n.events {
		if w, ok := ev.(observe.Warned); ok {
			out = append(out, w)
		}
	}
	return out
}

// eventually polls until ok holds, for a minute at most: of the bubble's clock in a
// bubble.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("within a minute: %s", what)
		}
	}
}

// fetches waits until exactly want was handed over of partition.
func (n *node) fetches(partition int32, want ...string) {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("%v fetched of %d, not %v", want, partition, n.values(tp(partition))), func() bool {
		return slices.Equal(n.values(tp(partition)), want)
	})
}

// joined waits for the partitions.
func (n *node) joined(partitions ...int32) {
	n.t.Helper()
	eventually(n.t, fmt.Sprintf("%v assigned", partitions), func() bool {
		return !slices.ContainsFunc(partitions, func(p int32) bool { return len(n.assignments(tp(p))) == 0 })
	})
}

// stores commits one line and wants it stored.
func (n *node) stores(partition int32, next int64) {
	n.t.Helper()
	if r := n.Commit(context.Background(), []Offset{{TP: tp(partition), Next: next}})[0]; r.Outcome != observe.OK || r.Err != nil {
		n.t.Fatalf("commit %d of partition %d: %v %v", next, partition, r.Outcome, r.Err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("error %v, want %v", got, want)
	}
}

var _ actors.Record
