package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
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
}

// openCluster starts the embedded broker unless there are brokers, and makes the topics.
func openCluster(ctx context.Context, brokers []string, runID string) (*cluster, error) {
	c := &cluster{brokers: brokers, names: newNames("troupe-demo-" + runID + ".")}
	if len(brokers) == 0 {
		embedded, err := kfake.NewCluster(kfake.NumBrokers(1))
		if err != nil {
			return nil, fmt.Errorf("embedded broker: %w", err)
		}
		c.embedded, c.brokers, c.names = embedded, embedded.ListenAddrs(), newNames("")
	}
	client, err := c.connect()
	if err != nil {
		c.stopEmbedded()
		return nil, err
	}
	c.client, c.admin = client, kadm.NewClient(client)
	if err := c.createTopics(ctx); err != nil {
		return nil, errors.Join(err, c.close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

// connect makes a client with connections of its own.
func (c *cluster) connect(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.brokers...), kgo.ClientID("troupe-demo"), kgo.DisableClientMetrics(),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", strings.Join(c.brokers, ","), err)
	}
	return client, nil
}

func (c *cluster) createTopics(ctx context.Context) error {
	timestamps := "CreateTime" // a delay counts from what the producer says, whatever the cluster's default
	configs := map[string]*string{"message.timestamp.type": &timestamps}
	partitions := c.names.inputs()
	partitions[c.names.deadLetters()] = 1
	for topic, n := range partitions {
		if _, err := c.admin.CreateTopic(ctx, n, -1, configs, topic); err != nil {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
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
	defer c.client.Close()
	if c.embedded != nil {
		return nil
	}
	var errs []error
	for _, r := range c.mustDelete(ctx, &errs) {
		if r.Err != nil && !errors.Is(r.Err, kerr.UnknownTopicOrPartition) {
			errs = append(errs, fmt.Errorf("remove topic %s: %w", r.Topic, r.Err))
		}
	}
	if _, err := c.admin.DeleteGroup(ctx, c.names.group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		errs = append(errs, fmt.Errorf("remove group %s: %w", c.names.group, err))
	}
	return errors.Join(errs...)
}

func (c *cluster) mustDelete(ctx context.Context, errs *[]error) kadm.DeleteTopicResponses {
	responses, err := c.admin.DeleteTopics(ctx, c.names.all()...)
	if err != nil {
		*errs = append(*errs, fmt.Errorf("remove topics: %w", err))
	}
	return responses
}

func (c *cluster) stopEmbedded() {
	if c.embedded != nil {
		c.embedded.Close()
	}
}
