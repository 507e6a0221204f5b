package runtime

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/engine"
	"github.com/troupe-go/troupe/internal/kafka"
	"github.com/troupe-go/troupe/internal/metadata"
	"github.com/troupe-go/troupe/runtime/observe"
	"github.com/troupe-go/troupe/supervision"
)

// Hand-overs grow and shrink towards taking handOverTime: long enough that a record
// costs next to nothing on the way, short enough that a revoke waits for little.
const (
	handOverMax  = 512
	handOverTime = 5 * time.Millisecond
)

// forwardRetry spaces the tries to write one dead letter, while the line is held.
func forwardRetry() supervision.Backoff {
	return supervision.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}
}

// handler tells the engine what the client says. The two do not know each other.
type handler struct{ r *Runtime }

// Assigned begins partitions.
func (h *handler) Assigned(as []kafka.Assignment) {
	begin := make([]engine.Assignment, 0, len(as))
	for _, a := range as {
		h.r.observer.Emit(observe.Assigned{
			TP: a.TP, Epoch: a.Epoch, Committed: a.Committed, Start: a.Start, LogStart: a.LogStart, LogEnd: a.LogEnd,
		})
		if a.Gap != nil {
			h.gap(a.TP, a.Epoch, *a.Gap)
		}
		start := a.Start
		if a.Gap != nil {
			start = behind(*a.Gap)
		}
		begin = append(begin, engine.Assignment{
			TP: a.TP, Epoch: a.Epoch, Start: start, LogEnd: a.LogEnd, Halted: a.Gap != nil && a.Gap.Stopped,
			InDoubt:   a.InDoubt && a.Gap == nil, // the line is not committed past a gap before its time
			Committed: a.Committed, Metadata: a.Metadata, TopicID: a.TopicID,
		})
	}
	h.r.engine.Assigned(begin)
	h.r.readyOnce.Do(func() { close(h.r.ready) })
}

// Fetched passes batches on.
func (h *handler) Fetched(batches []kafka.Batch) {
	out := make([]engine.Batch, len(batches))
	for i := range batches {
		out[i] = engine.Batch(batches[i])
	}
	h.r.engine.Fetched(out)
}

// Revoked drains, commits and fences.
func (h *handler) Revoked(tps []observe.TopicPartition) { h.r.engine.Revoked(tps) }

// Lost fences.
func (h *handler) Lost(tps []observe.TopicPartition, cause error) { h.r.engine.Lost(tps, cause) }

// Gapped tells of records that are gone.
func (h *handler) Gapped(tp observe.TopicPartition, epoch observe.Epoch, gap kafka.Gap, gen uint32) {
	h.gap(tp, epoch, gap)
	h.r.engine.Gapped(tp, epoch, gen, behind(gap), gap.Stopped)
}

// behind is where a partition goes on after a gap. Where nothing is known to be gone that
// is where it was: an operator's restart tries again.
func behind(g kafka.Gap) int64 {
	if g.Err != nil {
		return g.From
	}
	return g.To
}

func (h *handler) gap(tp observe.TopicPartition, epoch observe.Epoch, g kafka.Gap) {
	h.r.observer.Emit(observe.Gap{TP: tp, Epoch: epoch, From: g.From, To: g.To, Possible: g.Possible, Err: g.Err})
}

// Ended lets go of a partition whose topic is gone; with the last one Run ends.
func (h *handler) Ended(tp observe.TopicPartition, cause error) {
	if h.r.engine.Ended(tp, cause) == 0 {
		h.r.fail(fmt.Errorf("no partition is left: %s: %w", tp, cause))
	}
}

// Failed ends Run.
func (h *handler) Failed(err error) { h.r.fail(err) }

// kafkaClient is what the engine asks of the client.
type kafkaClient struct{ c *kafka.Client }

// Pause stops fetching tp.
func (k kafkaClient) Pause(tp observe.TopicPartition) { k.c.Pause(tp) }

// Resume fetches tp again.
func (k kafkaClient) Resume(tp observe.TopicPartition) { k.c.Resume(tp) }

// PauseSoon stops fetching tp unless it is resumed in moments.
func (k kafkaClient) PauseSoon(tp observe.TopicPartition) { k.c.PauseSoon(tp) }

// Seek goes on at offset.
func (k kafkaClient) Seek(tp observe.TopicPartition, epoch observe.Epoch, gen uint32, offset int64) {
	k.c.Seek(tp, epoch, gen, offset)
}

// Rebuild joins the group anew.
func (k kafkaClient) Rebuild(cause error) { k.c.Rebuild(cause) }

// Commit stores commit lines.
func (k kafkaClient) Commit(ctx context.Context, lines []engine.CommitLine) []engine.CommitResult {
	offsets := make([]kafka.Offset, len(lines))
	for i, l := range lines {
		offsets[i] = kafka.Offset(l)
	}
	results := k.c.Commit(ctx, offsets)
	out := make([]engine.CommitResult, len(results))
	for i, r := range results {
		out[i] = engine.CommitResult(r)
	}
	return out
}

// Forward produces a record.
func (k kafkaClient) Forward(f *engine.Forward, done func(error)) {
	k.c.Produce(context.Background(), kafkaForward(f), done)
}

func kafkaForward(f *engine.Forward) *kafka.Forward {
	out := &kafka.Forward{Topic: f.Topic, Record: f.Record, Headers: f.Headers, Partition: f.Record.Partition}
	if f.Smaller != nil {
		out.Smaller = func() *kafka.Forward { return kafkaForward(f.Smaller()) }
	}
	return out
}

func (r *Runtime) kafkaOptions() kafka.Options {
	opts := r.cfg.kafkaOptions()
	opts.Logger, opts.Emit, opts.Owner = r.cfg.Logger, r.observer.Emit, r
	opts.Lease = func(sent time.Time, ttl time.Duration) { r.engine.Renew(sent, ttl) }
	return opts
}

// kafkaOptions is what the client takes from cfg.
func (cfg *Config) kafkaOptions() kafka.Options {
	opts := kafka.Options{
		Brokers: cfg.Brokers, Group: cfg.Group, InstanceID: cfg.InstanceID,
		SessionTimeout: cfg.SessionTimeout, RebalanceTimeout: cfg.RebalanceTimeout,
		CommitTimeout: cfg.CommitTimeout, DrainTimeout: cfg.DrainTimeout, LeaveOnShutdown: cfg.LeaveOnShutdown,
		MaxDecompressedBatch: cfg.MaxDecompressedBatch, ReadUncommitted: cfg.ReadUncommitted,
		TLS: cfg.TLS, Extra: cfg.KafkaOptions,
	}
	if cfg.GroupProtocol == GroupConsumer {
		opts.Protocol = kafka.Consumer
	}
	if cfg.SASL.Mechanism != "" {
		opts.SASL = &kafka.SASL{
			Mechanism: cfg.SASL.Mechanism, Username: cfg.SASL.Username, Password: cfg.SASL.Password.Reveal,
		}
	}
	for i := range cfg.Topics {
		t := &cfg.Topics[i]
		topic := kafka.Topic{Name: t.Name, GapGoOn: t.OnGap == GapContinue, DeadLetter: t.DeadLetter.Topic, CreateDeadLetter: t.DeadLetter.Create}
		if t.StartAt == Latest {
			topic.StartAt = kafka.Latest
		}
		opts.Topics = append(opts.Topics, topic)
	}
	return opts
}

func (r *Runtime) engineOptions() engine.Options {
	cfg := &r.cfg
	opts := engine.Options{
		Group: cfg.Group, CommitInterval: cfg.CommitInterval, CommitTimeout: cfg.CommitTimeout,
		DrainTimeout: cfg.DrainTimeout, Client: kafkaClient{r.client}, Logger: cfg.Logger,
		Emit: r.observer.Emit, Jitter: jitter, Fail: r.fail, Owner: r,
	}
	if r.observer.wantsRecords() {
		opts.Record = r.observer.Record
	}
	for i := range cfg.Topics {
		opts.Topics = append(opts.Topics, engineTopic(&cfg.Topics[i], cfg.SessionTimeout))
	}
	return opts
}

// engineTopic is what the engine takes from t. A commit that is still on its way counts
// in the generation that it was sent in alone, and a member whose requests are held up for
// longer than the session loses that: what is held up, and sent again at intervals that
// double at most, arrives within another session.
func engineTopic(t *Topic, session time.Duration) engine.Topic {
	out := engine.Topic{
		Name: t.Name, Behavior: t.Behavior, Timeout: t.Timeout, DeadLetter: t.DeadLetter.Topic,
		Supervision: t.Supervision,
		Core: core.Config{
			Lanes: t.VirtualPartitions.Max, Delay: t.Delay, MaxSkew: t.MaxSkew,
			MaxAttempts: max(t.Retry.MaxAttempts, 0), DeadLetter: t.DeadLetter.Topic != "",
			Retry: t.Retry.Backoff, ForwardRetry: forwardRetry(), Supervision: t.Supervision,
			BufferRecords: t.Buffer.Records, BufferBytes: t.Buffer.Bytes,
			MaxAhead: t.MaxAhead, MaxForwards: t.MaxForwards,
			HandOverMax: handOverMax, HandOverTime: handOverTime, Doubt: session,
		},
	}
	if !slices.Contains(t.DeadLettersOf, everyGroup) {
		out.Groups = t.DeadLettersOf
	}
	out.Form, _ = t.DeadLetter.Form.onTheWire() // Validate refuses others
	if t.OnAhead == AheadPause {
		out.Core.Room = metadata.Room(metadata.MaxBytes)
	}
	if !isByKey(t.VirtualPartitions.KeyBy) {
		out.KeyBy = t.VirtualPartitions.KeyBy
	}
	return out
}

// isByKey recognizes the default, which needs no call per record.
func isByKey(keyBy func(*actors.Record) []byte) bool {
	return reflect.ValueOf(keyBy).Pointer() == reflect.ValueOf(actors.ByKey).Pointer()
}
