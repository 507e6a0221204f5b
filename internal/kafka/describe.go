package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// unknownTries is how often in a row a topic has to be unknown: brokers hear of a
	// new one one after the other.
	unknownTries = 3
	// describeFor bounds one try.
	describeFor = 10 * time.Second

	// cutTries is how many connections in a row have to be closed amid authentication
	// before that counts as a refusal.
	cutTries = 4
	keySASL  = 36

	mayRead  = 1 << int(kmsg.ACLOperationRead)
	mayWrite = 1 << int(kmsg.ACLOperationWrite)
)

// Describe checks that the input topics and the dead letter topics exist, and that this
// client may read the former and write the latter, as far as the brokers tell. Dead
// letter topics that are missing are created where Topic.CreateDeadLetter says so.
//
// It returns a *TopicError for each topic with a problem, joined, or ErrAuthentication
// when a broker refuses the client. While none can be reached it goes on trying, with a
// warning every 30 s, until ctx ends.
func (c *Client) Describe(ctx context.Context) error {
	opts, err := c.opts.connection(nil)
	if err != nil {
		return err
	}
	watch := &saslWatch{answered: func(t time.Time) { c.answered.Store(&t) }}
	try, cancel := context.WithCancel(ctx)
	defer cancel()
	watch.refused = cancel
	cl, err := kgo.NewClient(append(opts, kgo.WithHooks(watch))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	unknown := 0
	for tries := 0; ; tries++ {
		c.turn()
		err := c.describe(try, cl)
		var topic *TopicError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case isAuthentication(err):
			return typed(err)
		case watch.cut.Load() >= cutTries:
			return fmt.Errorf("%w: the broker closes the connection: %w", ErrAuthentication, err)
		case errors.Is(err, errCreated): // brokers hear of it one after the other
		case errors.Is(err, ErrTopicUnknown):
			if unknown++; unknown == unknownTries {
				return err
			}
		case errors.As(err, &topic):
			return err
		default:
			unknown = 0
			c.warn("the topics cannot be described; trying again", err)
		}
		if !c.sleep(ctx, backoff(tries)) {
			return context.Cause(ctx)
		}
	}
}

// describe asks once.
func (c *Client) describe(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, describeFor)
	defer cancel()
	needs := map[string]int32{}
	for _, t := range c.opts.Topics {
		needs[t.Name] |= mayRead
		if t.DeadLetter != "" {
			needs[t.DeadLetter] |= mayWrite
		}
	}
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	req.IncludeTopicAuthorizedOperations = true
	for name := range needs {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	var (
		errs    []error
		missing []string
	)
	create := c.toCreate(resp)
	for i := range resp.Topics {
		t := &resp.Topics[i]
		if t.Topic == nil {
			continue
		}
		if err := topicProblem(t, needs[*t.Topic]); err != nil {
			if kerr.IsRetriable(err) && !errors.Is(err, ErrTopicUnknown) {
				return fmt.Errorf("topic %q: %w", *t.Topic, err)
			}
			if create[*t.Topic] > 0 && errors.Is(err, ErrTopicUnknown) {
				missing = append(missing, *t.Topic)
			} else {
				errs = append(errs, &TopicError{Topic: *t.Topic, Err: err})
			}
		}
		delete(needs, *t.Topic)
	}
	for name := range needs {
		return fmt.Errorf("topic %q: %w", name, errNoAnswer)
	}
	if len(errs) == 0 && len(missing) > 0 {
		return c.create(ctx, cl, missing, create)
	}
	return errors.Join(errs...)
}

// topicProblem reads one topic of an answer.
func topicProblem(t *kmsg.MetadataResponseTopic, needs int32) error {
	if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
		return typed(err)
	}
	const untold = -1 << 31
	if may := t.AuthorizedOperations; may != untold && may != 0 && may&needs != needs {
		what := "read"
		if needs&^may&mayWrite != 0 {
			what = "write"
		}
		return fmt.Errorf("%w: may not %s", ErrTopicUnauthorized, what)
	}
	return nil
}

// saslWatch counts connections that were closed amid authentication, which is how some
// brokers refuse a password.
type saslWatch struct {
	answered func(time.Time)
	refused  func() // ends what would be tried again
	cut      atomic.Int32
}

// OnBrokerE2E sees an answer come, or not come.
func (w *saslWatch) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, e2e kgo.BrokerE2E) {
	switch {
	case e2e.Err() == nil:
		w.answered(time.Now())
	case key == keySASL && errors.Is(e2e.ReadErr, io.EOF):
		if w.cut.Add(1) >= cutTries {
			w.refused()
		}
	}
}
