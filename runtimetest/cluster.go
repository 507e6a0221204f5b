package runtimetest

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/troupe-go/troupe/internal/link"
	"github.com/troupe-go/troupe/runtime"
)

// Cluster is a Kafka in memory, inside the test's synctest bubble. What goes wrong fails
// the test. It belongs to the test's goroutine, but for [Cluster.Kill].
type Cluster struct {
	tb      testing.TB
	kafka   *kfake.Cluster
	network kfake.VirtualNetwork
	client  *kgo.Client

	mu      sync.Mutex // Kill may come from any goroutine
	members []*member  // guarded by mu where it grows and where Kill looks
}

// member is a runtime that the cluster started.
type member struct {
	rt    *runtime.Runtime
	group string
	link  *link.Link
	ended chan struct{} // closed when Run has returned
	err   error         // of Run; to be read when ended is closed
	asked bool          // the test knows that it ended
}

const (
	readyFor = time.Minute // how long Start waits
	askFor   = time.Minute // how long a request of the cluster's own may take
	waitFor  = time.Hour   // how long Wait waits
)

// New starts a cluster of three brokers with the topics, each "name" with one partition
// or "name:partitions". It is called in a synctest bubble and lasts until the test ends.
//
// It fails the test when the test was not built with the tag synctests: without it the
// bubble's clock would stand still.
func New(tb testing.TB, topics ...string) *Cluster {
	tb.Helper()
	if !tagged {
		tb.Fatal("runtimetest: the in-memory cluster needs a build tag; run:\n\n\tgo test -tags synctests ./...\n")
	}
	if !inBubble() {
		tb.Fatal("runtimetest: New is called in a bubble: synctest.Test(t, func(t *testing.T) { c := runtimetest.New(t, ...) })")
	}
	c := &Cluster{tb: tb}
	kafka, err := kfake.NewCluster(kfake.ListenFn(c.network.Listen), kfake.Ports(9092, 9093, 9094))
	if err != nil {
		tb.Fatalf("runtimetest: %v", err)
	}
	c.kafka = kafka
	tb.Cleanup(kafka.Close)
	c.client = c.Client(kgo.ProducerLinger(0), kgo.RecordPartitioner(partitioner{kgo.StickyKeyPartitioner(nil)}))
	for _, topic := range topics {
		c.create(topic)
	}
	tb.Cleanup(c.stopAll)
	return c
}

// inBubble reports whether the goroutine is in a bubble: Wait panics outside of one.
func inBubble() (yes bool) { //nolint:nonamedreturns // set by the deferred recover
	defer func() { yes = recover() == nil }()
	synctest.Wait()
	return yes
}

func (c *Cluster) create(topic string) {
	c.tb.Helper()
	name, count, counted := strings.Cut(topic, ":")
	partitions := 1
	if counted {
		var err error
		if partitions, err = strconv.Atoi(count); err != nil {
			c.tb.Fatalf("runtimetest: topic %q: want name or name:partitions", topic)
		}
	}
	if err := c.kafka.CreateTopic(name, int32(partitions), nil); err != nil { //nolint:gosec // as many as the test wants
		c.tb.Fatalf("runtimetest: topic %q: %v", topic, err)
	}
}

// Config is cfg with what connects it to the cluster, for a program that makes its
// runtime itself: Brokers is set and a dialer added to KafkaOptions. Without a Logger
// warnings and errors go to the test's log.
func (c *Cluster) Config(cfg runtime.Config) runtime.Config {
	cfg, _ = c.connect(cfg)
	return cfg
}

func (c *Cluster) connect(cfg runtime.Config) (runtime.Config, *link.Link) {
	l := link.New(c.network.DialContext, nil)
	cfg.Brokers = c.kafka.ListenAddrs()
	cfg.KafkaOptions = append(cfg.KafkaOptions[:len(cfg.KafkaOptions):len(cfg.KafkaOptions)], kgo.Dialer(l.Dial))
	if cfg.Logger == nil {
		cfg.Logger = zaptest.NewLogger(c.tb, zaptest.Level(zap.WarnLevel))
	}
	return cfg, l
}

// Start runs a runtime against the cluster until the test ends, as one more member of its
// group. It returns once the runtime is ready, or has ended; see [Cluster.Wait]. One that
// ends by itself with an error that no Wait asks for fails the test.
func (c *Cluster) Start(cfg runtime.Config) *runtime.Runtime {
	c.tb.Helper()
	cfg, l := c.connect(cfg)
	m := &member{group: cfg.Group, link: l, ended: make(chan struct{})}
	if err := cfg.Validate(); err != nil {
		c.tb.Fatalf("runtimetest: %v", err)
	}
	cfg.Topics = append([]runtime.Topic(nil), cfg.Topics...)
	for i := range cfg.Topics {
		cfg.Topics[i].Behavior = mortal(l, cfg.Topics[i].Behavior)
	}
	rt, err := runtime.New(cfg)
	if err != nil {
		c.tb.Fatalf("runtimetest: %v", err)
	}
	m.rt = rt
	c.mu.Lock()
	c.members = append(c.members, m)
	c.mu.Unlock()
	go func() { // ends with Run, which stopAll waits for
		defer close(m.ended)
		m.err = rt.Run(context.Background())
	}()
	timer := time.NewTimer(readyFor)
	defer timer.Stop()
	select {
	case <-rt.Ready():
	case <-m.ended:
	case <-timer.C:
	}
	return rt
}

// Wait waits until the runtime has ended and returns what Run returned. After an hour of
// the bubble's time it fails the test.
func (c *Cluster) Wait(rt *runtime.Runtime) error {
	c.tb.Helper()
	m := c.member(rt)
	m.asked = true
	timer := time.NewTimer(waitFor)
	defer timer.Stop()
	select {
	case <-m.ended:
	case <-timer.C:
		c.tb.Fatalf("runtimetest: the runtime of the group %q has not ended within %v", m.group, waitFor)
	}
	return m.err
}

// Stop shuts the runtime down and returns what Run returned.
func (c *Cluster) Stop(rt *runtime.Runtime) error {
	c.tb.Helper()
	if err := rt.Shutdown(context.Background()); err != nil {
		c.tb.Fatalf("runtimetest: Shutdown: %v", err)
	}
	return c.Wait(rt)
}

// Settle waits until nothing more can happen before the clock moves. To let time pass,
// sleep: time.Sleep takes none in a bubble.
func (c *Cluster) Settle() { synctest.Wait() }

// Broker is the fake Kafka itself, for faults and for what else this package does not
// offer. It is franz-go's, and so is its compatibility.
func (c *Cluster) Broker() *kfake.Cluster { return c.kafka }

// Client is a Kafka client of one's own, for the service under test or the test itself.
// It is closed when the test ends.
func (c *Cluster) Client(opts ...kgo.Opt) *kgo.Client {
	c.tb.Helper()
	opts = append([]kgo.Opt{kgo.SeedBrokers(c.kafka.ListenAddrs()...), kgo.Dialer(c.network.DialContext)}, opts...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		c.tb.Fatalf("runtimetest: client: %v", err)
	}
	c.tb.Cleanup(client.Close)
	return client
}

func (c *Cluster) member(rt *runtime.Runtime) *member {
	c.tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.rt == rt {
			return m
		}
	}
	c.tb.Fatal("runtimetest: the runtime was not started by this cluster's Start")
	return nil
}

// stopAll ends the runtimes. One that cannot drain is none of the test's business by now.
func (c *Cluster) stopAll() {
	for _, m := range c.members {
		select {
		case <-m.ended:
			if m.err != nil && !m.asked && !m.link.Killed() {
				c.tb.Errorf("runtimetest: a runtime of the group %q ended: %v", m.group, m.err)
			}
		default:
		}
	}
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for _, m := range c.members {
		if m.link.Killed() {
			_ = m.rt.Shutdown(over) // which says that over is over
		}
	}
	for _, m := range c.members {
		_ = m.rt.Shutdown(context.Background())
		<-m.ended
		m.link.Wait()
	}
}

// String names the cluster in failures.
func (c *Cluster) String() string { return fmt.Sprintf("cluster %v", c.kafka.ListenAddrs()) }
