package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	setUpFor   = 5 * time.Second
	topicPause = 50 * time.Millisecond // between two looks at new topics
)

// names are those of a run's topics and group.
type names struct{ orders, payments, reminders, group string }

func newNames(prefix string) names {
	return names{prefix + "orders", prefix + "payments", prefix + "reminders", prefix + "demo"}
}

// deadLetters is where the orders go that nobody could handle: "auto" in the runtime's config.
func (n names) deadLetters() string { return "dlq." + n.group + "." + n.orders }

// inputs are the topics that are consumed, with their partitions.
func (n names) inputs() map[string]int32 {
	return map[string]int32{n.orders: 4, n.payments: 2, n.reminders: 2}
}

// all are the topics of the run.
func (n names) all() []string { return []string{n.orders, n.payments, n.reminders, n.deadLetters()} }

// cluster is the Kafka of a run. Its own connection serves to set up, to observe and to
// clean up; the runtime has others.
type cluster struct {
	brokers  []string
	embedded *kfake.Cluster // nil: brokers of somebody else, where topics and group are removed
	names    names
	client   *kgo.Client
	admin    *kadm.Client
	made     bool // there may be topics to remove
}

// openCluster starts the embedded broker unless there are brokers, and makes the topics.
// What it returns with an error is to be closed too.
func openCluster(ctx context.Context, brokers []string, runID string) (*cluster, error) {
	c := &cluster{brokers: brokers, names: newNames("troupe-demo-" + runID + ".")}
	if len(brokers) == 0 {
		embedded, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return c, fmt.Errorf("embedded broker: %w", err)
		}
		c.embedded, c.brokers, c.names = embedded, embedded.ListenAddrs(), newNames("")
	}
	client, err := c.connect()
	if err != nil {
		return c, err
	}
	c.client, c.admin = client, kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(ctx, setUpFor)
	defer cancel()
	return c, c.createTopics(ctx)
}

// connect makes a client with connections of its own.
func (c *cluster) connect(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.brokers...), kgo.ClientID("troupe-demo"), kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(topicPause), // or a look at new topics is answered from 5 seconds ago
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", strings.Join(c.brokers, ","), err)
	}
	return client, nil
}

func (c *cluster) createTopics(ctx context.Context) error {
	timestamps := "CreateTime" // a delay counts from what the producer says, whatever the cluster's default
	configs := map[string]*string{"message.timestamp.type": &timestamps}
	if err := c.client.Ping(ctx); err != nil {
		return fmt.Errorf("no broker of %s answered within %v: %w", strings.Join(c.brokers, ","), setUpFor, err)
	}
	c.made = true
	partitions := c.names.inputs()
	partitions[c.names.deadLetters()] = 1
	for topic, n := range partitions {
		if _, err := c.admin.CreateTopic(ctx, n, -1, configs, topic); err != nil {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return c.awaitTopics(ctx)
}

// awaitTopics waits until the new topics have leaders: brokers learn of a topic after
// they said that it was created.
func (c *cluster) awaitTopics(ctx context.Context) error {
	for {
		topics, err := c.admin.ListTopics(ctx, c.names.all()...)
		if err != nil {
			return fmt.Errorf("list topics: %w", err)
		}
		if led(topics) {
			return nil
		}
		if err := wait(ctx, topicPause); err != nil {
			return fmt.Errorf("the new topics have no leaders: %w", errors.Join(topics.Error(), err))
		}
	}
}

func led(topics kadm.TopicDetails) bool {
	for _, t := range topics {
		if t.Err != nil || len(t.Partitions) == 0 {
			return false
		}
		for _, p := range t.Partitions {
			if p.Err != nil || p.Leader < 0 {
				return false
			}
		}
	}
	return true
}

// topicIDs are the names of topics by the ids that newer requests use.
func (c *cluster) topicIDs(ctx context.Context) (map[[16]byte]string, error) {
	topics, err := c.admin.ListTopics(ctx, c.names.all()...)
	if err != nil {
		return nil, fmt.Errorf("topic ids: %w", err)
	}
	ids := map[[16]byte]string{}
	for name, t := range topics {
		ids[t.ID] = name
	}
	return ids, nil
}

// close removes what the run made.
func (c *cluster) close(ctx context.Context) error {
	defer c.stopEmbedded()
	if c.client == nil {
		return nil
	}
	defer c.client.Close()
	if c.embedded != nil || !c.made {
		return nil
	}
	topics, err := c.admin.DeleteTopics(ctx, c.names.all()...)
	errs := []error{err}
	for _, r := range topics {
		if r.Err != nil && !errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			errs = append(errs, fmt.Errorf("%s: %w", r.Topic, r.Err))
		}
	}
	if _, err := c.admin.DeleteGroup(ctx, c.names.group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		errs = append(errs, fmt.Errorf("group %s: %w", c.names.group, err))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove what the run made: %w", err)
	}
	return nil
}

func (c *cluster) stopEmbedded() {
	if c.embedded != nil {
		c.embedded.Close()
	}
}
