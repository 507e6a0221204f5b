//go:build kafka

package conformance

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/history"
)

// line is one record for kcat: a key, which may be missing, and a value that no other
// record of the topic has.
type line struct {
	key    string
	hasKey bool
	value  string
}

// lines are n records with the keys in turn.
func lines(n int, keys ...string) []line {
	out := make([]line, n)
	for i := range out {
		out[i] = line{keys[i%len(keys)], true, "v" + strconv.Itoa(i)}
	}
	return out
}

// kcat produces with librdkafka into one partition. It returns when the broker has
// acknowledged all of it; what became of each record is read back.
func (b *bed) kcat(topic string, partition int32, records []line) {
	b.t.Helper()
	attempts := map[string]*history.Attempted{}
	var input strings.Builder
	for i := range records {
		r := &records[i]
		var key []byte
		if r.hasKey {
			key = []byte(r.key)
		}
		id := fmt.Sprintf("%d/%s", partition, r.value)
		attempts[id] = b.produced.Sent(topic, id, key)
	}
	// A run of records with a key, or without, is one kcat: it knows one form of input.
	for begin := 0; begin < len(records); {
		end := begin
		input.Reset()
		for ; end < len(records) && records[end].hasKey == records[begin].hasKey; end++ {
			if records[end].hasKey {
				input.WriteString(records[end].key + "\t")
			}
			input.WriteString(records[end].value + "\n")
		}
		args := []string{"-P", "-b", broker(), "-t", topic, "-p", strconv.Itoa(int(partition)), "-X", "acks=all", "-X", "linger.ms=0"}
		if records[begin].hasKey {
			args = append(args, "-K", "\t")
		}
		b.runKcat(input.String(), args...)
		begin = end
	}
	for _, r := range b.read(topic) {
		if id := fmt.Sprintf("%d/%s", r.Partition, r.Value); attempts[id] != nil {
			attempts[id].Acked(r.Partition, r.Offset)
			delete(attempts, id)
		}
	}
	if len(attempts) > 0 {
		b.t.Fatalf("kcat said that it had produced %d records that are not there", len(attempts))
	}
}

func (b *bed) runKcat(input string, args ...string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "kcat", args...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("kcat %v: %v (Debian: apt-get install kcat)\n%s", args, err, out)
	}
}

// producer makes a client that writes to the partition that a record names.
func (b *bed) producer(opts ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(broker()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
	}, opts...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(cl.Close)
	return cl
}

// produce writes n records into each partition, with the keys in turn.
func (b *bed) produce(topic string, partitions int32, n int, keys ...string) {
	b.t.Helper()
	var records []*kgo.Record
	for i := range n {
		for p := range partitions {
			records = append(records, &kgo.Record{
				Topic: topic, Partition: p, Key: []byte(keys[i%len(keys)]), Value: []byte("v" + strconv.Itoa(i)),
			})
		}
	}
	b.produceRecords(b.producer(), records...)
}

// produceRecords writes records and waits for the broker.
func (b *bed) produceRecords(cl *kgo.Client, records ...*kgo.Record) {
	b.t.Helper()
	for _, r := range records {
		b.send(b.t.Context(), cl, r)
	}
	if err := cl.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// send writes one record without waiting and notes what becomes of it.
func (b *bed) send(ctx context.Context, cl *kgo.Client, r *kgo.Record) {
	attempt := b.produced.Sent(r.Topic, fmt.Sprintf("%d/%s", r.Partition, r.Value), r.Key)
	cl.Produce(ctx, r, func(r *kgo.Record, err error) {
		if err != nil {
			attempt.Unknown(err)
			return
		}
		attempt.Acked(r.Partition, r.Offset)
	})
}

// load is a producer that goes on.
type load struct {
	stop func()
	sent func() int
}

// load writes a record every interval, to the partitions in turn, each with ten keys.
func (b *bed) load(topic string, partitions int32, interval time.Duration) load {
	b.t.Helper()
	cl := b.producer()
	ctx, cancel := context.WithCancel(context.Background())
	var (
		mu   sync.Mutex
		n    int
		done = make(chan struct{})
	)
	go func() {
		defer close(done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			p := int32(i) % partitions
			b.send(context.WithoutCancel(ctx), cl, &kgo.Record{
				Topic: topic, Partition: p, Key: fmt.Appendf(nil, "k%d", i/int(partitions)%10), Value: fmt.Appendf(nil, "load%d", i),
			})
			mu.Lock()
			n++
			mu.Unlock()
		}
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		<-done
		_ = cl.Flush(context.Background()) // what is not acknowledged has no offset and does not count
	})
	b.t.Cleanup(stop)
	return load{stop, func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}}
}

// read is a topic from its start to the end it has now, as read_committed shows it.
func (b *bed) read(topic string, opts ...kgo.Opt) []*kgo.Record {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	listed, err := b.adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		b.t.Fatalf("ends of %s: %v", topic, err)
	}
	// Markers are kept, so that the end is seen where one is the last of the log.
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(broker()), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
	}, opts...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	defer cl.Close()
	open := map[int32]int64{}
	for p, o := range listed[topic] {
		if o.Offset > 0 {
			open[p] = o.Offset
		}
	}
	var out []*kgo.Record
	for len(open) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err0()); err != nil {
			b.t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset+1 >= open[r.Partition] {
				delete(open, r.Partition)
			}
		})
	}
	return out
}

// laneOf is the lane that a key goes to, as package actors documents it.
func laneOf(key string, lanes uint64) uint64 {
	h := xxhash.Sum64String(key)
	// The upper half of the 128 bit product, by halves.
	lo, hi := h&0xffffffff*lanes, h>>32*lanes
	return (hi + lo>>32) >> 32
}

// keyPerLane is a key for each lane.
func keyPerLane(lanes int) []string {
	keys := make([]string, lanes)
	for found, i := 0, 0; found < lanes; i++ {
		key := "key" + strconv.Itoa(i)
		if lane := laneOf(key, uint64(lanes)); keys[lane] == "" {
			keys[lane] = key
			found++
		}
	}
	return keys
}
