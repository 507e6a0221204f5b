//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/deadletter"
	"github.com/troupe-go/troupe/internal/check"
	deadletterv1 "github.com/troupe-go/troupe/proto/troupe/deadletter/v1"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

const dlq = "dlq.g.orders"

// lettered dead-letters the value "poison" after two attempts, and "discard" at once.
func lettered(seen *tape) runtime.Topic {
	return runtime.Topic{
		Name: "orders", VirtualPartitions: lanes(2),
		Retry:      runtime.Retry{MaxAttempts: 2, Backoff: patient(time.Second)},
		DeadLetter: runtime.DeadLetter{Topic: "auto"},
		Behavior: handle(func(_ context.Context, rec *actors.Record) error {
			seen.add("%s/%d", rec.Value, rec.Attempt)
			switch string(rec.Value) {
			case "poison":
				return errPoison
			case "discard":
				return actors.Discard(errPoison)
			}
			return nil
		}),
	}
}

func headers(rec *actors.Record) map[string]string {
	m := map[string]string{}
	for _, h := range rec.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

func TestDeadLettersAreFaithfulCopies(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2, check.S5, check.S10}, func(w *world) {
		w.dead = []string{dlq}
		var seen tape
		w.start("a", lettered(&seen))
		at := time.Now().Add(-time.Hour)
		w.produceRecords(&actors.Record{
			Topic: "orders", Key: []byte("k"), Value: []byte("poison"), Timestamp: at,
			Headers: []actors.Header{{Key: "trace", Value: []byte("1")}},
		})
		w.produce("orders", 0, "k", "fine", "discard")
		w.drained(10*time.Second, map[string][]int64{"orders": {3}})
		seen.want(t, "poison/1", "poison/2", "fine/1", "discard/1")
		dead := w.c.Records(dlq)
		if len(dead) != 2 {
			t.Fatalf("%d dead letters, want 2", len(dead))
		}
		d := dead[0]
		if string(d.Key) != "k" || string(d.Value) != "poison" || d.Headers[0].Key != "trace" || time.Since(d.Timestamp) > time.Minute {
			t.Errorf("the copy is %+v", d)
		}
		h := headers(d)
		for key, want := range map[string]string{
			"__dlq.errors.topic": "orders", "__dlq.errors.partition": "0", "__dlq.errors.offset": "0", "__dlq.errors.group": group,
			"__dlq.errors.delivery.count": "2", "__dlq.errors.message": "poison", "troupe.dlq.timestamp": strconv.FormatInt(at.UnixMilli(), 10),
		} {
			if h[key] != want {
				t.Errorf("header %s is %q, want %q", key, h[key], want)
			}
		}
	})
}

// produceFault refuses what is written to the dead letter topic.
func (w *world) produceFault(err *kerr.Error) *kfake.FaultHandle {
	return w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: dlq, Err: err, Count: -1})
}

// wantHeld: the line holds at the dead letter, its lane runs on, and it is visible.
func (w *world) wantHeld(n *node) {
	w.t.Helper()
	w.wantCommitted("orders", 0, 1)
	s := n.partition("orders", 0)
	if s.Forwarding != 1 || s.Next != 1 || s.Lag != 2 {
		w.t.Errorf("stats: %d forwarding, next %d, lag %d; want 1, 1 and 2", s.Forwarding, s.Next, s.Lag)
	}
	if s.ForwardingSince.IsZero() || time.Since(s.ForwardingSince) > 5*time.Minute {
		w.t.Errorf("stats: forwarding since %v", s.ForwardingSince)
	}
}

// wantTold: the tries that failed are in Stats and were events.
func wantTold(t *testing.T, n *node) {
	t.Helper()
	if s := n.partition("orders", 0); s.ForwardTries == 0 || s.ForwardErr == nil {
		t.Errorf("stats: %d tries, error %v", s.ForwardTries, s.ForwardErr)
	}
	if count[observe.ForwardFailed](n) == 0 {
		t.Error("no event")
	}
}

func TestScenario088ADeadLetterTopicRefuses(t *testing.T) {
	t.Parallel()
	for _, refusal := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.NotEnoughReplicas} {
		t.Run(refusal.Message, func(t *testing.T) {
			t.Parallel()
			deadLetterRefused(t, refusal)
		})
	}
}

// A copy that the broker finds too large is never dropped: the line waits until it is
// allowed.
func TestScenario090ADeadLetterIsTooLarge(t *testing.T) {
	t.Parallel()
	deadLetterRefused(t, kerr.MessageTooLarge)
}

func deadLetterRefused(t *testing.T, refusal *kerr.Error) {
	t.Helper()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2, check.S10, check.S15}, func(w *world) {
		w.dead = []string{dlq}
		var seen tape
		n := w.start("a", lettered(&seen))
		fault := w.produceFault(refusal)
		w.produce("orders", 0, canary, "fine", "discard", "fine")
		time.Sleep(3 * time.Minute)
		w.wantHeld(n)
		wantTold(t, n)
		fault.Remove()
		w.drained(time.Minute, map[string][]int64{"orders": {3}})
		seen.want(t, "fine/1", "discard/1", "fine/1")
		if fault.Hits() == 0 {
			t.Error("the fault hit nothing")
		}
	})
}

func TestScenario088ADeadLetterTopicGoesMissing(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2}, func(w *world) {
		w.dead = []string{dlq}
		var seen tape
		n := w.start("a", lettered(&seen))
		w.produce("orders", 0, "k", "discard") // the producer knows the topic
		time.Sleep(commitEvery)
		w.deleteTopic(dlq)
		w.produce("orders", 0, "k", "discard", "fine")
		time.Sleep(3 * time.Minute)
		w.wantHeld(n)
		wantTold(t, n)
		if err := w.c.Broker().CreateTopic(dlq, 1, nil); err != nil {
			t.Fatal(err)
		}
		w.observer.Removed(tp("orders", 0), 0, 1) // its copy went with the topic
		w.drained(5*time.Minute, map[string][]int64{"orders": {3}})
	})
}

// A slow dead letter topic holds the line and not the lane; a stop waits for the answer.
func TestASlowDeadLetterTopicHoldsTheLineAlone(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2}, func(w *world) {
		w.dead = []string{dlq}
		var seen tape
		n := w.start("a", lettered(&seen))
		id := w.c.Broker().TopicInfo(dlq).TopicID
		w.c.Broker().ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			w.c.Broker().KeepControl()
			if !isFor(req, dlq, id) {
				return nil, nil, false
			}
			w.c.Broker().SleepControl(func() { time.Sleep(8 * time.Second) })
			return nil, nil, false
		})
		w.produce("orders", 0, "k", "fine", "discard", "fine")
		time.Sleep(2 * commitEvery)
		w.wantHeld(n)
		seen.want(t, "fine/1", "discard/1", "fine/1")
		if took, err := n.stop(); err != nil || took < 5*time.Second || took > 8*time.Second {
			t.Errorf("the stop took %v and returned %v, want the rest of 8s", took, err)
		}
		w.wantCommitted("orders", 0, 3)
	})
}

// isFor reports whether a request writes to the topic of a name and an id.
func isFor(req kmsg.Request, topic string, id [16]byte) bool {
	p, ok := req.(*kmsg.ProduceRequest)
	return ok && slices.ContainsFunc(p.Topics, func(t kmsg.ProduceRequestTopic) bool { return t.Topic == topic || t.TopicID == id })
}

func TestAMissingDeadLetterTopicIsATypedErrorAtTheStart(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, nil, func(w *world) {
		var seen tape
		err := w.start("a", lettered(&seen)).run()
		var topic *runtime.TopicError
		if !errors.As(err, &topic) || topic.Topic != dlq || !errors.Is(err, runtime.ErrTopicUnknown) {
			t.Errorf("Run returned %v, want that %s is unknown", err, dlq)
		}
	})
}

func TestScenario077APanicUntilItIsADeadLetter(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2, check.S9, check.S10, check.S15}, func(w *world) {
		w.dead = []string{dlq}
		made := 0
		topic := lettered(&tape{})
		topic.VirtualPartitions.Max = 1
		topic.Behavior = func(actors.VirtualPartition) actors.Behavior {
			made++
			return handle(func(_ context.Context, rec *actors.Record) error {
				if string(rec.Value) == canary {
					w.hit("panic")
					panic(errCanary)
				}
				return nil
			})(actors.VirtualPartition{})
		}
		w.start("a", topic)
		w.produce("orders", 0, "k", canary, "fine")
		w.drained(10*time.Second, map[string][]int64{"orders": {2}})
		if made != 3 {
			t.Errorf("%d behaviors were made, want 3: one for each attempt and one behind it", made)
		}
		if h := headers(w.c.Records(dlq)[0]); h["troupe.dlq.panicked"] != "true" {
			t.Errorf("headers %v, want that it panicked", fmt.Sprint(h))
		}
	})
}

// letters are the dead letters as a program reads them, by partition and offset.
func (w *world) letters() []*deadletterv1.DeadLetter {
	w.t.Helper()
	var out []*deadletterv1.DeadLetter
	for _, rec := range w.c.Records(dlq) {
		letter, err := deadletter.Decode(rec)
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, letter)
	}
	return out
}

func TestDeadLettersInEachForm(t *testing.T) {
	t.Parallel()
	for form, header := range map[runtime.DeadLetterForm]string{
		runtime.HeaderForm: "__dlq.errors.topic", runtime.SpringForm: "kafka_dlt-original-topic",
		runtime.ConnectForm: "__connect.errors.topic", runtime.ProtobufForm: "troupe.dlq.form",
	} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders", dlq}, []string{check.S1, check.S10}, func(w *world) {
				w.dead = []string{dlq}
				topic := lettered(&tape{})
				topic.DeadLetter.Form = form
				w.start("a", topic)
				rec := &actors.Record{
					Topic: "orders", Key: []byte("k"), Value: []byte("discard"), Timestamp: time.UnixMilli(1_000_000_000_123).UTC(),
					Headers: []actors.Header{{Key: "trace", Value: []byte("1")}},
				}
				w.produceRecords(rec)
				w.drained(10*time.Second, map[string][]int64{"orders": {1}})
				if h := headers(w.c.Records(dlq)[0]); h[header] == "" {
					t.Errorf("no header %s in %v", header, h)
				}
				letter := w.letters()[0]
				if got := deadletter.Original(letter); !reflect.DeepEqual(got, rec) {
					t.Errorf("the record within is %+v, want %+v", got, rec)
				}
				if letter.GetGroup() != group || letter.GetFailure().GetMessage() != "poison" || letter.GetFailure().GetAttempts() != 1 {
					t.Errorf("letter %v", letter)
				}
			})
		})
	}
}

// trimmedCopy wants one dead letter, whole but for what was left out of its headers.
func (w *world) trimmedCopy(value string, least int32) {
	w.t.Helper()
	all := w.letters()
	if len(all) != 1 {
		w.t.Fatalf("%d dead letters, want 1", len(all))
	}
	got := deadletter.Original(all[0])
	if string(got.Key) != "k" || string(got.Value) != value || len(got.Headers) != 1 || string(got.Headers[0].Value) != "1" {
		w.t.Errorf("the copy has key %q, %d bytes of value, headers %v", got.Key, len(got.Value), got.Headers)
	}
	if all[0].GetTrimmed() < least {
		w.t.Errorf("%d steps were taken, want %d or more", all[0].GetTrimmed(), least)
	}
}

// The broker refuses the whole copy twice, since the first refusal may have been for
// others in its batch, and then one that is smaller.
func TestScenario090ADeadLetterIsTrimmedForTheBroker(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2, check.S10}, func(w *world) {
		w.dead = []string{dlq}
		n := w.start("a", lettered(&tape{}))
		fault := w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: dlq, Err: kerr.MessageTooLarge, Count: 3})
		w.produceRecords(&actors.Record{
			Topic: "orders", Key: []byte("k"), Value: []byte("discard"), Headers: []actors.Header{{Key: "own", Value: []byte("1")}},
		})
		w.drained(10*time.Second, map[string][]int64{"orders": {1}})
		if fault.Hits() != 3 || count[observe.ForwardFailed](n) != 0 {
			t.Errorf("%d refusals and %d failures, want 3 and none", fault.Hits(), count[observe.ForwardFailed](n))
		}
		w.trimmedCopy("discard", 2)
	})
}

// A record that its own topic just took does not fit with the headers of a dead letter:
// the client's own limit is the same as the broker's.
func TestADeadLetterIsTrimmedForTheClient(t *testing.T) {
	t.Parallel()
	for _, form := range []runtime.DeadLetterForm{runtime.HeaderForm, runtime.ProtobufForm} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2, check.S10}, func(w *world) {
				w.dead = []string{dlq}
				value := strings.Repeat("x", 1_000_012-300)
				topic := lettered(&tape{})
				topic.DeadLetter.Form = form
				topic.Behavior = handle(func(context.Context, *actors.Record) error {
					return actors.Discard(errors.New(strings.Repeat("y", 2000)))
				})
				n := w.start("a", topic)
				w.produceRecords(&actors.Record{
					Topic: "orders", Key: []byte("k"), Value: []byte(value), Headers: []actors.Header{{Key: "own", Value: []byte("1")}},
				})
				w.drained(10*time.Second, map[string][]int64{"orders": {1}})
				w.trimmedCopy(value, 1)
				if count[observe.ForwardFailed](n) != 0 {
					t.Error("a try failed")
				}
			})
		})
	}
}

// Dead letters of a key go to one partition, in the order of their offsets, whatever is
// refused on the way.
func TestDeadLettersOfAKeyKeepTheirOrder(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S10}, func(w *world) {
		if err := w.c.Broker().CreateTopic(dlq, 3, nil); err != nil {
			t.Fatal(err)
		}
		w.dead = []string{dlq}
		topic := lettered(&tape{})
		topic.VirtualPartitions = lanes(4)
		n := w.start("a", topic)
		var refused []*kfake.FaultHandle
		for _, err := range []*kerr.Error{kerr.TopicAuthorizationFailed, kerr.MessageTooLarge, kerr.NotEnoughReplicas} {
			refused = append(refused, w.inject(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: dlq, Err: err, Count: 3}))
		}
		const keys, each = 6, 10
		for i := range keys * each {
			w.produce("orders", 0, strconv.Itoa(i%keys), "discard")
		}
		w.drained(time.Minute, map[string][]int64{"orders": {keys * each}})
		for _, f := range refused {
			if f.Hits() == 0 {
				t.Error("a fault hit nothing")
			}
		}
		if count[observe.ForwardFailed](n) == 0 {
			t.Error("no try failed")
		}
		last, where, seen := map[string]int64{}, map[string]int32{}, 0
		for _, rec := range w.c.Records(dlq) {
			letter, err := deadletter.Decode(rec)
			if err != nil {
				t.Fatal(err)
			}
			key, offset := string(rec.Key), letter.GetRecord().GetOffset()
			if before, ok := last[key]; ok && (offset <= before || where[key] != rec.Partition) {
				t.Errorf("key %s: offset %d in partition %d behind %d in %d", key, offset, rec.Partition, before, where[key])
			}
			last[key], where[key] = offset, rec.Partition
			seen++
		}
		if seen != keys*each {
			t.Errorf("%d dead letters, want %d", seen, keys*each)
		}
	})
}

// Two groups share a dead letter topic, and the one consumes it too: it gets its own dead
// letters and plain records, unless it asks for others.
func TestASharedDeadLetterTopicIsReadByGroup(t *testing.T) {
	t.Parallel()
	letter := func(group, value string) *actors.Record {
		return &actors.Record{Topic: dlq, Value: []byte(value), Headers: []actors.Header{{Key: "__dlq.errors.group", Value: []byte(group)}}}
	}
	for name, tt := range map[string]struct {
		of      []string
		owns    bool // the topic is the dead letter topic of another one
		want    []string
		foreign int64
	}{
		"own":        {nil, true, []string{"mine", "plain", "poison"}, 2},
		"all":        {[]string{"*"}, true, []string{"mine", "theirs", "plain", "third", "poison"}, 0},
		"named":      {[]string{"other"}, true, []string{"theirs", "plain"}, 3},
		"a reader":   {nil, false, []string{"mine", "theirs", "plain", "third"}, 0},
		"a choosing": {[]string{"other", "third"}, false, []string{"theirs", "plain", "third"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders", dlq}, []string{check.S1, check.S2}, func(w *world) {
				var seen tape
				dead := runtime.Topic{Name: dlq, DeadLettersOf: tt.of, Behavior: handle(func(_ context.Context, rec *actors.Record) error {
					seen.add("%s", rec.Value)
					return nil
				})}
				orders := lettered(&tape{})
				if !tt.owns {
					orders.DeadLetter, orders.Retry = runtime.DeadLetter{}, runtime.Retry{}
				}
				w.produceRecords(letter(group, "mine"), letter("other", "theirs"), &actors.Record{Topic: dlq, Value: []byte("plain")}, letter("third", "third"))
				n := w.start("a", orders, dead)
				ends := map[string][]int64{dlq: {4}}
				if tt.owns {
					w.dead = []string{dlq}
					w.produce("orders", 0, "k", "poison")
					ends = map[string][]int64{"orders": {1}, dlq: {5}}
				}
				w.drained(20*time.Second, ends)
				seen.want(t, tt.want...)
				if got := n.partition(dlq, 0).Foreign; got != tt.foreign {
					t.Errorf("%d were passed over, want %d", got, tt.foreign)
				}
			})
		})
	}
}
