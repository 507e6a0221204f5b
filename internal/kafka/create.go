package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// errCreated says that topics were created: describe them again.
var errCreated = errors.New("kafka: topics were created")

// toCreate are the dead letter topics that are to be created where they are missing, with
// their number of partitions: that of the input topic, of the largest where several share
// one. An input that is a dead letter topic itself may have to be created too.
func (c *Client) toCreate(resp *kmsg.MetadataResponse) map[string]int32 {
	partitions := map[string]int32{}
	for i := range resp.Topics {
		if t := &resp.Topics[i]; t.Topic != nil {
			partitions[*t.Topic] = int32(len(t.Partitions)) //nolint:gosec // no topic has so many
		}
	}
	create := map[string]int32{}
	for range c.opts.Topics { // a chain is no longer than that
		for _, t := range c.opts.Topics {
			if t.CreateDeadLetter {
				create[t.DeadLetter] = max(create[t.DeadLetter], partitions[t.Name], create[t.Name])
			}
		}
	}
	return create
}

// create makes topics with the brokers' default replication. It returns errCreated, or a
// *TopicError for each topic that was refused, joined.
func (c *Client) create(ctx context.Context, cl *kgo.Client, names []string, partitions map[string]int32) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = int32(describeFor.Milliseconds())
	for _, name := range names {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions[name], -1
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	var errs []error
	for i := range resp.Topics {
		t := &resp.Topics[i]
		err := creationProblem(t)
		switch {
		case err == nil:
			c.opts.Logger.Info("dead letter topic created", zap.String("topic", t.Topic), zap.Int32("partitions", partitions[t.Topic]))
		case kerr.IsRetriable(err) && !errors.Is(err, ErrTopicUnknown):
			return fmt.Errorf("create topic %q: %w", t.Topic, err)
		default:
			errs = append(errs, &TopicError{Topic: t.Topic, Err: err})
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	return errCreated
}

// creationProblem reads one topic of an answer.
func creationProblem(t *kmsg.CreateTopicsResponseTopic) error {
	err := kerr.ErrorForCode(t.ErrorCode)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.TopicAlreadyExists): // the broker that was described does not know yet
		return fmt.Errorf("%w: %w", ErrTopicUnknown, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fmt.Errorf("%w: may not create: %w", ErrTopicUnauthorized, err)
	case t.ErrorMessage != nil && *t.ErrorMessage != "":
		return fmt.Errorf("create: %w: %s", err, *t.ErrorMessage)
	}
	return fmt.Errorf("create: %w", err)
}
