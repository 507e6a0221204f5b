//go:build synctests

package kafka

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func TestMissingTopicsAreNamed(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start(func(o *Options, _ *recorder) {
			o.Topics[0].DeadLetter = "dlq"
			o.Topics = append(o.Topics, Topic{Name: "absent"})
		})
		err := n.ended()
		wantErr(r.t, err, ErrTopicUnknown)
		if got := topicsOf(err); len(got) != 2 || !got["dlq"] || !got["absent"] {
			r.t.Errorf("named %v, want dlq and absent: %v", got, err)
		}
		wantErr(r.t, n.all("failed")[0].err, ErrTopicUnknown)
	})
}

func topicsOf(err error) map[string]bool {
	got := map[string]bool{}
	var each func(error)
	each = func(err error) {
		var topic *TopicError
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				each(e)
			}
		} else if errors.As(err, &topic) {
			got[topic.Topic] = true
		}
	}
	each(err)
	return got
}

// A topic that was created a moment ago is unknown to some brokers.
func TestNewTopicIsFound(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: testTopic, Err: kerr.UnknownTopicOrPartition, Count: unknownTries - 1})
		r.start().joined(0)
	})
}

// credentials are of users that newSecured creates.
func credentials(name, password string) func(*Options, *recorder) {
	return func(o *Options, _ *recorder) {
		o.SASL = &SASL{Mechanism: "SCRAM-SHA-256", Username: name, Password: func() (string, error) { return password, nil }}
	}
}

func allow(resource kmsg.ACLResourceType, name string, op kmsg.ACLOperation) kfake.ACL {
	return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true}
}

// refuse answers a wrong password as Kafka does; kfake closes the connection.
func (r *rig) refuse() {
	r.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SASLAuthenticate}, TopLevel: true, Err: kerr.SaslAuthenticationFailed, Count: -1})
}

// secured is a cluster with ACLs: reader may read the topic and the group, writer may
// write the dead letter topic too, stranger may do nothing.
func secured(t *testing.T, f func(r *rig), opts ...kfake.Opt) {
	t.Helper()
	read := []kfake.ACL{
		allow(kmsg.ACLResourceTypeTopic, testTopic, kmsg.ACLOperationRead),
		allow(kmsg.ACLResourceTypeTopic, "dlq", kmsg.ACLOperationDescribe),
	}
	group := allow(kmsg.ACLResourceTypeGroup, testGroup, kmsg.ACLOperationRead)
	bubble(t, func(r *rig) {
		r.admin = r.connect(kgo.SASL(scram.Auth{User: "admin", Pass: "admin"}.AsSha256Mechanism()))
		f(r)
	}, append(opts, kfake.SeedTopics(1, "dlq"), kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser("SCRAM-SHA-256", "admin", "admin"),
		kfake.User("SCRAM-SHA-256", "stranger", "s"),
		kfake.User("SCRAM-SHA-256", "loner", "l", read...),
		kfake.User("SCRAM-SHA-256", "reader", "r", append(read, group)...),
		kfake.User("SCRAM-SHA-256", "writer", "w", append(read, group,
			allow(kmsg.ACLResourceTypeTopic, "dlq", kmsg.ACLOperationWrite))...),
	)...)
}

func deadLetters(o *Options, _ *recorder) { o.Topics[0].DeadLetter = "dlq" }

func TestAuthorization(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change []func(*Options, *recorder)
		topics []string
		want   error
	}{
		"input":        {[]func(*Options, *recorder){credentials("stranger", "s")}, []string{testTopic}, ErrTopicUnauthorized},
		"dead letters": {[]func(*Options, *recorder){credentials("reader", "r"), deadLetters}, []string{"dlq"}, ErrTopicUnauthorized},
		"group":        {[]func(*Options, *recorder){credentials("loner", "l")}, nil, ErrGroupUnauthorized},
		"password":     {[]func(*Options, *recorder){credentials("reader", "wrong")}, nil, ErrAuthentication},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			secured(t, func(r *rig) {
				n := r.start(test.change...)
				err := n.ended()
				wantErr(r.t, err, test.want)
				wantErr(r.t, n.all("failed")[0].err, test.want)
				got := topicsOf(err)
				for _, topic := range test.topics {
					if !got[topic] {
						r.t.Errorf("%s is not named: %v", topic, err)
					}
				}
			})
		})
	}
}

func TestRefusedPassword(t *testing.T) {
	t.Parallel()
	secured(t, func(r *rig) {
		r.refuse()
		began := time.Now()
		n := r.start(credentials("reader", "wrong"))
		wantErr(r.t, n.ended(), ErrAuthentication)
		if took := time.Since(began); took > time.Second {
			r.t.Errorf("took %v", took)
		}
	})
}

// A password that is refused while the client runs ends it too.
func TestPasswordRefusedWhileRunning(t *testing.T) {
	t.Parallel()
	secured(t, func(r *rig) {
		n := r.start(credentials("reader", "r"))
		n.joined(0)
		r.refuse()
		if err := r.cluster.RemoveNode(r.cluster.LeaderFor(testTopic, 0)); err != nil { // cuts the connections
			r.t.Fatal(err)
		}
		wantErr(r.t, n.ended(), ErrAuthentication)
	}, kfake.NumBrokers(2), kfake.Ports(9092, 9093))
}

func TestAuthorizedMemberWorks(t *testing.T) {
	t.Parallel()
	secured(t, func(r *rig) {
		r.produce(0, "a")
		n := r.start(credentials("writer", "w"), deadLetters)
		n.fetches(0, "0:0=a")
		n.stores(0, 1)
		if err := n.forward(&Forward{Topic: "dlq"}); err != nil {
			r.t.Error(err)
		}
	})
}

// The password is asked for once per connection, so that it can be rotated.
func TestPasswordIsReadPerSession(t *testing.T) {
	t.Parallel()
	secured(t, func(r *rig) {
		var asked atomic.Int32
		n := r.start(credentials("reader", "r"), func(o *Options, _ *recorder) {
			o.SASL.Password = func() (string, error) { asked.Add(1); return "r", nil }
		})
		n.joined(0)
		if got := asked.Load(); got < 2 {
			r.t.Errorf("asked %d times for several connections", got)
		}
	})
}

func TestUnreachableBroker(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.cluster.Close()
		n := r.start()
		for range 30 {
			time.Sleep(10 * time.Second)
			if age := time.Since(n.Turned()); age > describeFor+pollFor {
				r.t.Fatalf("the loop last turned %v ago", age)
			}
		}
		if got := len(n.warnings()); got < 8 || got > 11 {
			r.t.Errorf("%d warnings in 5 min, want one every 30 s", got)
		}
		if !n.Answered().IsZero() {
			r.t.Error("answered by nobody")
		}
		began := time.Now()
		n.Stop()
		if err := n.ended(); err != nil {
			r.t.Errorf("Run: %v", err)
		}
		if took := time.Since(began); took > 0 {
			r.t.Errorf("took %v to stop", took)
		}
	})
}

func TestDescribeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		r.cluster.Close()
		n := r.node()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		wantErr(r.t, n.Describe(ctx), context.DeadlineExceeded)
	})
}

func TestAnswered(t *testing.T) {
	t.Parallel()
	bubble(t, func(r *rig) {
		n := r.start()
		n.joined(0)
		time.Sleep(time.Minute)
		if age := time.Since(n.Answered()); age > 5*time.Second {
			r.t.Errorf("last answered %v ago", age)
		}
		r.cluster.Close()
		time.Sleep(time.Minute)
		if age := time.Since(n.Answered()); age < 55*time.Second {
			r.t.Errorf("last answered %v ago, by a cluster that is closed", age)
		}
	})
}

func TestDeletedTopicEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		again bool
		want  error
	}{"deleted": {false, ErrTopicUnknown}, "created again": {true, ErrTopicRecreated}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bubble(t, func(r *rig) {
				n := r.start(func(o *Options, _ *recorder) {
					o.Topics = append(o.Topics, Topic{Name: "other"})
					// kfake forgets a partition by its topic's name, which a deleted one has
					// no more: within a session it answers for it in a hot loop.
					o.Extra = append(o.Extra, kgo.DisableFetchSessions())
				})
				n.joined(0)
				r.produce(0, "a")
				n.fetches(0, "0:0=a")
				if err := r.cluster.DeleteTopic("orders"); err != nil {
					r.t.Fatal(err)
				}
				if test.again {
					if err := r.cluster.CreateTopic("orders", 1, nil); err != nil {
						r.t.Fatal(err)
					}
				}
				eventually(r.t, "an end", func() bool { return len(n.all("ended")) == 1 })
				wantErr(r.t, n.all("ended")[0].err, test.want)
				time.Sleep(30 * time.Second)
				if got := n.values(tp(0)); len(got) != 1 {
					r.t.Errorf("fetched %v", got)
				}
				if len(n.all("failed")) > 0 {
					r.t.Errorf("failed: %v", n.all("failed")[0].err)
				}
			}, kfake.SeedTopics(1, testTopic, "other"))
		})
	}
}
