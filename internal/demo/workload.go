package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/history"
)

const (
	tick  = 20 * time.Millisecond // records are sent in bursts
	delay = 2 * time.Second       // of the reminders

	// headerID carries the producer's name of a record. The verdict goes by it: what a
	// broker or a client says of offsets is what is being judged.
	headerID = "demo.id"
)

// task is the value of a record: what handling it takes.
type task struct {
	WorkMicros int64 `json:"work_us"`
	Fails      int   `json:"fails,omitempty"`  // so many attempts fail
	Panics     int   `json:"panics,omitempty"` // so many attempts panic
}

const (
	always            = 1 << 20 // as Fails or Panics: the record is poison
	leastForAccidents = 100     // orders
)

// entry is a record that is to be sent.
type entry struct {
	share float64       // of the time of sending that is over by then
	at    time.Duration // since the first
	topic string
	id    string
	key   []byte
	value []byte
	delay time.Duration // how long after its timestamp it may be handed over
}

// plan draws a run's records, ordered by when they are sent. Beside the orders there are
// a quarter as many payments and a twentieth as many reminders.
func plan(n names, seed uint64, orders int, over time.Duration) []entry {
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a workload, not a secret
	all := spread(n.orders, orders, 0, func(i int) (string, []byte) { return drawOrder(rng, i, orders) })
	all = append(all, spread(n.payments, orders/4, 0, func(int) (string, []byte) {
		return fmt.Sprintf("account-%d", rng.IntN(100)), encode(task{WorkMicros: 1000})
	})...)
	all = append(all, spread(n.reminders, orders/20, delay, func(int) (string, []byte) {
		return fmt.Sprintf("customer-%d", rng.IntN(100)), encode(task{WorkMicros: 500})
	})...)
	for i := range all {
		all[i].at = time.Duration(float64(over) * all[i].share)
	}
	slices.SortStableFunc(all, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
	return all
}

func spread(topic string, count int, delay time.Duration, draw func(i int) (string, []byte)) []entry {
	all := make([]entry, count)
	for i := range all {
		key, value := draw(i)
		all[i] = entry{
			share: float64(i) / float64(count), topic: topic, id: fmt.Sprintf("%s#%d", topic, i),
			key: []byte(key), value: value, delay: delay,
		}
	}
	return all
}

// drawOrder draws the i-th of n orders. Two hot customers place one in sixteen of them,
// one in fifty is slow, one in fifty fails once or twice; eight make the behavior panic
// once. A quarter of the way through comes one that always fails, at half one that always
// panics, and at three quarters one that is no order at all.
func drawOrder(rng *rand.Rand, i, n int) (string, []byte) {
	key := fmt.Sprintf("customer-%d", rng.IntN(1000))
	t := task{WorkMicros: 10_000 + rng.Int64N(4_000)}
	kind, extra := rng.IntN(400), rng.Int64N(70_000)
	switch {
	case n >= leastForAccidents && i == n/4:
		t.Fails = always
	case n >= leastForAccidents && i == n/2:
		t.Panics = always
	case n >= leastForAccidents && i == n/4*3:
		return key, []byte("not an order")
	case n >= leastForAccidents && i%(n/8) == n/16:
		t.Panics = 1
	case kind < 25:
		key = fmt.Sprintf("hot-customer-%d", kind%2)
	case kind < 33:
		t.WorkMicros = 80_000 + extra
	case kind < 41:
		t.Fails = 1 + kind%2
	}
	return key, encode(t)
}

func encode(t task) []byte {
	value, err := json.Marshal(t)
	if err != nil {
		panic(err) // three integers
	}
	return value
}

// producer sends a plan and writes down what the broker acknowledged.
type producer struct {
	client  *kgo.Client
	history *history.History
	acked   atomic.Int64
	failed  atomic.Pointer[error] // the first
}

func newProducer(c *cluster, h *history.History) (*producer, error) {
	client, err := c.connect(kgo.ProducerLinger(5*time.Millisecond), kgo.ProducerBatchCompression(kgo.NoCompression()))
	return &producer{client: client, history: h}, err
}

// run sends the plan in its time and returns when all of it is acknowledged, or with the
// first error.
func (p *producer) run(ctx context.Context, plan []entry) error {
	defer p.client.Close()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for began := time.Now(); len(plan) > 0; {
		n := 0
		for n < len(plan) && plan[n].at <= time.Since(began) {
			p.send(ctx, &plan[n])
			n++
		}
		plan = plan[n:]
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
	err := p.client.Flush(ctx)
	if first := p.failed.Load(); first != nil {
		err = errors.Join(*first, err)
	}
	return err
}

func (p *producer) send(ctx context.Context, e *entry) {
	at := time.Now().Truncate(time.Millisecond) // as Kafka keeps it
	r := &kgo.Record{
		Topic: e.topic, Key: e.key, Value: e.value, Timestamp: at,
		Headers: []kgo.RecordHeader{{Key: headerID, Value: []byte(e.id)}},
	}
	sent := history.Event{Kind: history.Sent, Topic: e.topic, ID: e.id, Key: e.key}
	if e.delay > 0 {
		sent.Due = at.Add(e.delay).UnixNano()
	}
	sent.Seq = p.history.Append(sent)
	p.client.Produce(ctx, r, func(r *kgo.Record, err error) {
		answer := sent
		answer.Kind, answer.Ref, answer.Partition, answer.Offset = history.Acked, sent.Seq, r.Partition, r.Offset
		if err != nil {
			err = fmt.Errorf("produce %s: %w", sent.ID, err)
			answer.Kind, answer.Text = history.Unknown, err.Error()
			p.failed.CompareAndSwap(nil, &err)
		} else {
			p.acked.Add(1)
		}
		p.history.Append(answer)
	})
}
