package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/history"
)

var errAborted = errors.New("sim: the transaction was aborted")

// zipfSkew makes the most frequent of 1,000 keys about a sixth of all.
const zipfSkew = 1.1

// producing is one producer at work.
type producing struct {
	w      *world
	spec   *Producer
	index  int
	rng    *rand.Rand
	zipf   *rand.Zipf
	client *kgo.Client
	sent   int
}

// produce writes a producer's records, and returns when all are answered for.
func (w *world) produce(index int) {
	spec := &w.plan.Producers[index]
	rng := rand.New(rand.NewPCG(w.plan.Seed, uint64(index)+1))                                                                   //nolint:gosec // an index
	p := &producing{w: w, spec: spec, index: index, rng: rng, zipf: rand.NewZipf(rng, zipfSkew, 1, uint64(max(spec.Keys, 1)-1))} //nolint:gosec // small
	opts := []kgo.Opt{kgo.ProducerLinger(0), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.RecordRetries(producerRetries)}
	if spec.Tx {
		opts = append(opts, kgo.TransactionalID(fmt.Sprint("tx-", index)))
	}
	p.client = w.client(opts...)
	if p.client == nil {
		return
	}
	defer p.client.Close()
	for p.sent < spec.Records {
		if spec.Tx {
			p.transaction()
		} else {
			p.answer(p.batch())
		}
		time.Sleep(time.Duration(spec.Every))
	}
}

// century is what a timestamp that cannot be true is ahead by.
const century = 100 * 365 * 24 * time.Hour

// producerRetries is how often a producer tries before it gives up a record, whose fate
// is then unknown.
const producerRetries = 8

// producerFor is how long a producer waits for answers.
const producerFor = 2 * time.Minute

// written is a record on its way.
type written struct {
	record *kgo.Record
	told   *history.Attempted
	err    error
}

// batch writes records and waits for the answers.
func (p *producing) batch() []*written {
	var all []*written
	var recs []*kgo.Record
	by := map[*kgo.Record]*written{}
	for range min(p.spec.Batch, p.spec.Records-p.sent) {
		p.sent++
		rec := &kgo.Record{
			Topic: p.spec.Topic, Value: fmt.Appendf(nil, "p%d-%d %s", p.index, p.sent, canaryValue),
			Headers: []kgo.RecordHeader{{Key: "h", Value: []byte(canaryHeader)}},
		}
		if p.rng.IntN(1000) >= p.spec.NoKey {
			rec.Key = fmt.Appendf(nil, "%s%d", keyPrefix, p.zipf.Uint64())
		}
		if p.spec.Ahead > 0 && p.rng.IntN(1000) < p.spec.Ahead {
			rec.Timestamp = time.Now().Add(century)
		}
		x := &written{record: rec, told: p.w.producer.Sent(rec.Topic, string(rec.Value), rec.Key)}
		all, recs, by[rec] = append(all, x), append(recs, rec), x
	}
	// kgo gives up no record of an idempotent producer that a broker may have.
	patience := time.AfterFunc(producerFor, func() {
		p.w.noted("producer %d got no answer within %v", p.index, producerFor)
		p.sent = p.spec.Records
		p.client.Close()
	})
	defer patience.Stop()
	for _, res := range p.client.ProduceSync(context.Background(), recs...) {
		by[res.Record].err = res.Err
	}
	return all
}

func (*producing) answer(all []*written) {
	for _, x := range all {
		if x.err != nil {
			x.told.Unknown(x.err)
		} else {
			x.told.Acked(x.record.Partition, x.record.Offset)
		}
	}
}

// transaction is a batch that is committed or aborted as a whole.
func (p *producing) transaction() {
	if err := p.client.BeginTransaction(); err != nil {
		p.w.broken("begin transaction: %v", err)
		p.sent = p.spec.Records
		return
	}
	all := p.batch()
	time.Sleep(time.Duration(p.spec.OpenFor))
	end := kgo.TryCommit
	if p.rng.IntN(1000) < p.spec.Aborts {
		end = kgo.TryAbort
	}
	for _, x := range all {
		if x.err != nil {
			end = kgo.TryAbort
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := p.client.EndTransaction(ctx, end)
	for _, x := range all {
		switch {
		case err != nil:
			x.told.Unknown(err)
		case end == kgo.TryAbort:
			x.told.Failed(errAborted)
		default:
			x.told.Acked(x.record.Partition, x.record.Offset)
		}
	}
	if err != nil {
		p.w.noted("end transaction: %v", err)
		p.sent = p.spec.Records // the client is of no use any more
	}
}
