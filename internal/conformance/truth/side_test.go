//go:build kafka

package truth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/kfakefix"
)

func TestMain(m *testing.M) {
	if os.Getenv("TROUPE_KAFKA") == "" {
		fmt.Fprintln(os.Stderr, "these tests need Apache Kafka: run them with `make test-kafka`")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// side is one of the two brokers, as one question sees it: with a topic of two partitions
// and a group of its own.
type side struct {
	t       *testing.T
	broker  string
	cl      *kgo.Client
	fake    *kfake.Cluster // nil: Apache Kafka
	topic   string
	topicID [16]byte
	group   string
	said    []string
}

// kafkaSide is a question to Apache Kafka.
func kafkaSide(t *testing.T) *side {
	t.Helper()
	return newSide(t, nil, os.Getenv("TROUPE_KAFKA"))
}

// fakeSide is a question to a broker in memory, corrected or as it is.
func fakeSide(t *testing.T, corrected bool) *side {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{
		"group.min.session.timeout.ms": "1000", "group.consumer.session.timeout.ms": "45000",
		"group.consumer.heartbeat.interval.ms": "5000", "group.initial.rebalance.delay.ms": "0",
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	if corrected {
		stop, err := kfakefix.Install(cluster, kfakefix.Options{Session: longSession})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stop)
	}
	return newSide(t, cluster, cluster.ListenAddrs()[0])
}

func newSide(t *testing.T, fake *kfake.Cluster, broker string) *side {
	t.Helper()
	name := "truth-" + strings.ToLower(rand.Text()[:10])
	s := &side{t: t, broker: broker, fake: fake, topic: name, group: name}
	s.cl = s.client()
	s.createTopic()
	if fake == nil { // one in memory is there from the start
		s.eventually("the group has a coordinator", s.coordinated)
	}
	return s
}

// coordinated says whether the group's coordinator answers. A new broker has none at first,
// and the client does not repeat a heartbeat of KIP-848 that it could send nobody.
func (s *side) coordinated() bool {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = s.group
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, s.cl)
	return err == nil && len(resp.Groups) == 1 && resp.Groups[0].ErrorCode == 0
}

// client is a new one: a join that is pending holds up the joins behind it on its
// connection.
func (s *side) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.broker), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(cl.Close)
	return cl
}

func (s *side) createTopic(settings ...string) {
	s.t.Helper()
	configs := map[string]*string{}
	for i := 0; i < len(settings); i += 2 {
		configs[settings[i]] = &settings[i+1]
	}
	adm := kadm.NewClient(s.cl)
	created, err := adm.CreateTopic(s.t.Context(), 2, 1, configs, s.topic)
	if err != nil {
		s.t.Fatal(err)
	}
	s.topicID = created.ID
	topic := s.topic
	s.t.Cleanup(func() { _, _ = adm.DeleteTopics(context.Background(), topic) })
	s.eventually("the topic has leaders", func() bool {
		ends, err := adm.ListEndOffsets(s.t.Context(), topic)
		return err == nil && ends.Error() == nil && len(ends[topic]) == 2
	})
}

const patience = 60 * time.Second

// eventually polls until ok holds. It is how everything here waits.
func (s *side) eventually(what string, ok func() bool) {
	s.t.Helper()
	if !s.within(patience, ok) {
		s.t.Fatalf("not within %v: %s", patience, what)
	}
}

func (s *side) within(limit time.Duration, ok func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return false
		}
	}
	return true
}

// say notes an answer.
func (s *side) say(what, answer string) { s.said = append(s.said, what+" "+answer) }

func (s *side) sayf(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf(format, args...))
}

// name is what an error code is called.
func name(code int16) string {
	var e *kerr.Error
	if err := kerr.ErrorForCode(code); errors.As(err, &e) {
		return e.Message
	}
	return "ok"
}

// ask sends a request and returns the answer, of its own kind.
func ask[R kmsg.Response](s *side, req kmsg.Request) R {
	s.t.Helper()
	return askBy[R](s, s.cl, req)
}

// askBy asks by a client.
func askBy[R kmsg.Response](s *side, cl *kgo.Client, req kmsg.Request) R {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	resp, err := cl.Request(ctx, req)
	if err != nil {
		s.t.Fatalf("%s: %v", kmsg.NameForKey(req.Key()), err)
	}
	answer, ok := resp.(R)
	if !ok {
		s.t.Fatalf("%s is answered by a %T", kmsg.NameForKey(req.Key()), resp)
	}
	return answer
}

// commitAs commits an offset of a partition and returns what the broker says.
func (s *side) commitAs(id string, generation int32, instance *string, partition int32, offset int64, metadata string) string {
	s.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.MemberID, req.Generation, req.InstanceID = s.group, id, generation, instance
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic, t.TopicID = s.topic, s.topicID
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset, p.Metadata = partition, offset, &metadata
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return name(ask[*kmsg.OffsetCommitResponse](s, req).Topics[0].Partitions[0].ErrorCode)
}

// committed is what the group has committed of a partition.
func (s *side) committed(partition int32, stable bool) string {
	s.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = stable
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = s.group
	t := kmsg.NewOffsetFetchRequestGroupTopic()
	t.Topic, t.TopicID, t.Partitions = s.topic, s.topicID, []int32{partition}
	g.Topics = append(g.Topics, t)
	req.Groups = append(req.Groups, g)
	got := ask[*kmsg.OffsetFetchResponse](s, req).Groups[0]
	if got.ErrorCode != 0 {
		return name(got.ErrorCode)
	}
	p := got.Topics[0].Partitions[0]
	if p.ErrorCode != 0 {
		return name(p.ErrorCode)
	}
	return strconv.FormatInt(p.Offset, 10)
}
