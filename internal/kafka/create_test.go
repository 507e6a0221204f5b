//go:build synctests

package kafka

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func created(o *Options, _ *recorder) {
	o.Topics[0].DeadLetter, o.Topics[0].CreateDeadLetter = "dlq", true
}

// partitions is how many a topic has.
func (r *rig) partitions(topic string) int32 {
	n := int32(0)
	for r.cluster.PartitionInfo(topic, n) != nil {
		n++
	}
	return n
}

// The topic gets as many partitions as the largest input that shares it.
func TestAMissingDeadLetterTopicIsCreated(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start(created, func(o *Options, _ *recorder) {
			o.Topics = append(o.Topics, Topic{Name: "jobs", DeadLetter: "dlq", CreateDeadLetter: true})
		})
		n.joined(0)
		if got := r.partitions("dlq"); got != 3 {
			r.t.Errorf("the dead letter topic has %d partitions, want 3", got)
		}
		if err := n.forward(&Forward{Topic: "dlq"}); err != nil {
			r.t.Error(err)
		}
	}, kfake.SeedTopics(3, "jobs"))
}

// One that is there stays as it is, also when a broker has not heard of it yet.
func TestADeadLetterTopicIsNotCreatedTwice(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "dlq", Err: kerr.UnknownTopicOrPartition, Count: 1})
		r.start(created).joined(0)
		if got := r.partitions("dlq"); got != 2 {
			r.t.Errorf("the dead letter topic has %d partitions, want 2", got)
		}
	}, kfake.SeedTopics(2, "dlq"))
}

func TestACreationThatIsRefusedIsATypedError(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answer, want error }{
		"topic":   {kerr.TopicAuthorizationFailed, ErrTopicUnauthorized},
		"cluster": {kerr.ClusterAuthorizationFailed, ErrTopicUnauthorized},
		"policy":  {kerr.PolicyViolation, kerr.PolicyViolation},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				r.cluster.ControlKey(int16(kmsg.CreateTopics), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
					r.cluster.KeepControl()
					resp := kreq.ResponseKind().(*kmsg.CreateTopicsResponse)
					topic := kmsg.NewCreateTopicsResponseTopic()
					topic.Topic = "dlq"
					var answer *kerr.Error
					if errors.As(tt.answer, &answer) {
						topic.ErrorCode = answer.Code
					}
					resp.Topics = append(resp.Topics, topic)
					return resp, nil, true
				})
				err := r.start(created).ended()
				wantErr(r.t, err, tt.want)
				if !topicsOf(err)["dlq"] {
					r.t.Errorf("the error names no topic: %v", err)
				}
			})
		})
	}
}

// A missing input is named, and nothing is created beside it.
func TestNothingIsCreatedBesideAMissingInput(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		err := r.start(created, func(o *Options, _ *recorder) { o.Topics = append(o.Topics, Topic{Name: "absent"}) }).ended()
		wantErr(r.t, err, ErrTopicUnknown)
		if got := topicsOf(err); len(got) != 1 || !got["absent"] || r.cluster.TopicInfo("dlq") != nil {
			r.t.Errorf("named %v, and the dead letter topic is %+v", got, r.cluster.TopicInfo("dlq"))
		}
	})
}

// A dead letter topic that is consumed has dead letters of its own.
func TestAChainOfDeadLetterTopicsIsCreated(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.start(func(o *Options, _ *recorder) {
			o.Topics = []Topic{
				{Name: "later", DeadLetter: "never", CreateDeadLetter: true},
				{Name: testTopic, DeadLetter: "later", CreateDeadLetter: true},
			}
		}).joined(0)
		if later, never := r.partitions("later"), r.partitions("never"); later != 1 || never != 1 {
			r.t.Errorf("%d and %d partitions, want 1 each", later, never)
		}
	})
}
