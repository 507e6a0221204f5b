//go:build synctests

package scenarios

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime/observe"
)

// nonsense is what a broker makes of a batch, and what a member says of it. Where it says
// nothing, it takes the batch for one whose end the broker has cut off, as brokers may.
type nonsense struct {
	spoil func(batch []byte) []byte
	says  string
}

func nonsenses() map[string]nonsense {
	const length, attributes, records, body = 8, 21, 57, 61 // where these are in a batch
	put := func(at int, b ...byte) func([]byte) []byte {
		return func(batch []byte) []byte {
			copy(batch[at:], b)
			return seal(batch)
		}
	}
	return map[string]nonsense{
		"truncated batch":   {func(batch []byte) []byte { return batch[:len(batch)/2] }, ""},
		"truncated record":  {func(batch []byte) []byte { return seal(batch[:len(batch)-2]) }, ""},
		"negative length":   {put(length, 0xff, 0xff, 0xff, 0xff), "not enough data"},
		"huge length":       {put(length, 0x7f, 0xff, 0xff, 0xff), ""},
		"negative count":    {put(records, 0xff, 0xff, 0xff, 0xff), "negative record count"},
		"huge count":        {put(records, 0x7f, 0xff, 0xff, 0xff), ""},
		"negative record":   {put(body, 0x01), ""},
		"huge record":       {put(body, 0xfe, 0xff, 0xff, 0xff, 0x0f), ""},
		"wrong checksum":    {func(batch []byte) []byte { seal(batch)[len(batch)-1] ^= 0xff; return batch }, "does not match calculated crc"},
		"unknown encoding":  {put(attributes+1, 7), "unknown compression codec"},
		"not what it says":  {put(attributes+1, 1), "unable to decompress"}, // gzip
		"nothing but noise": {func(batch []byte) []byte { return bytes.Repeat([]byte{0xa5}, len(batch)) }, ""},
	}
}

// A broker answers fetches with nonsense, whose checksum is right but in one case: the
// member neither panics nor skips a record, and no gap is told of.
func TestScenario062NonsenseFromABroker(t *testing.T) {
	t.Parallel()
	for name, bad := range nonsenses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders"}, []string{check.S1, check.S2, check.S5}, func(w *world) {
				var seen tape
				n := w.start("a", noted(&seen))
				w.produce("orders", 0, "k", numbers(0, 5)...)
				w.drained(time.Minute, map[string][]int64{"orders": {5}})
				batch := w.batch(5)
				spoiled := 0
				w.c.Broker().ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
					fetch, ok := req.(*kmsg.FetchRequest)
					if !ok {
						return nil, errors.New("not a fetch"), true
					}
					if spoiled++; spoiled > 3 {
						w.c.Broker().DropControl()
						return nil, nil, false
					}
					w.c.Broker().KeepControl()
					w.hit("nonsense sent")
					return w.answer(fetch, bad.spoil(slices.Clone(batch))), nil, true
				})
				w.produce("orders", 0, "k", numbers(5, 8)...)
				w.drained(3*time.Minute, map[string][]int64{"orders": {8}})
				seen.want(t, numbers(0, 8)...)
				if told := w.logged(bad.says); !told || count[observe.Gap](n) != 0 {
					t.Errorf("the log has %q: %t, and %d gaps were told of; want it, and none", bad.says, told, count[observe.Gap](n))
				}
			})
		})
	}
}

// answer is a fetch's, with what a broker says orders/0 holds.
func (w *world) answer(fetch *kmsg.FetchRequest, batches []byte) kmsg.Response {
	resp := fetch.ResponseKind().(*kmsg.FetchResponse) //nolint:forcetypeassert // it says so
	topic, p := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset, p.RecordBatches = 6, 6, 0, batches
	topic.Topic, topic.TopicID, topic.Partitions = "orders", w.info, append(topic.Partitions, p)
	resp.Topics = append(resp.Topics, topic)
	return resp
}

// logged reports whether a node's log has a text.
func (w *world) logged(text string) bool {
	return slices.ContainsFunc(w.h.Events(), func(e history.Event) bool {
		return e.Kind == history.Logged && strings.Contains(e.Text, text)
	})
}

// What comes from brokers is not even frames: lengths that are negative or huge, and noise.
// Connections are closed, and the member goes on with others.
func TestScenario062NonsenseInFrames(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(frame []byte){
		"negative length": func(frame []byte) { copy(frame, []byte{0xff, 0xff, 0xff, 0xff}) },
		"huge length":     func(frame []byte) { copy(frame, []byte{0x7f, 0xff, 0xff, 0xff}) },
		"noise": func(frame []byte) {
			for i := range frame[8:] { // behind length and correlation
				frame[8+i] = 0xa5
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, []string{"orders:4"}, flow, func(w *world) {
				var spoils atomic.Bool
				n := w.startDialed("a", func(c net.Conn) net.Conn { return &noisy{Conn: c, w: w, on: &spoils, spoil: spoil} }, working())
				ends := w.steady(300, map[int]func(){50: func() { spoils.Store(true) }, 250: func() { spoils.Store(false) }})
				w.drained(2*time.Minute, ends)
				if got := count[observe.Gap](n); got != 0 {
					t.Errorf("%d gaps were told of", got)
				}
			})
		})
	}
}

// noisy is a connection in which now and then a frame from the broker is spoiled.
type noisy struct {
	net.Conn
	w     *world
	on    *atomic.Bool
	spoil func(frame []byte)
	reads int // of the one goroutine that reads
}

// Read is net.Conn's.
func (c *noisy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	const each = 5
	if c.on.Load() && n > 8 {
		if c.reads++; c.reads%each == 0 {
			c.spoil(b[:n])
			c.w.hit("frame spoiled")
		}
	}
	return n, err
}

// batch is a batch of one record at an offset, as a broker would send it.
func (w *world) batch(at int64) []byte {
	w.t.Helper()
	w.info = w.c.Broker().TopicInfo("orders").TopicID
	b := batchOf(at, time.Now().UnixMilli(), strconv.FormatInt(at, 10))
	return b.AppendTo(nil)
}

// seal gives a batch the checksum of what it holds.
func seal(batch []byte) []byte {
	const checked = 21 // what follows the checksum
	binary.BigEndian.PutUint32(batch[checked-4:], crc32.Checksum(batch[checked:], crc32.MakeTable(crc32.Castagnoli)))
	return batch
}

// batchOf is a batch of one record with the key k, without its checksum.
func batchOf(at, millis int64, value string) kmsg.RecordBatch {
	rec := kmsg.Record{Key: []byte("k"), Value: []byte(value)}
	rec.Length = int32(len(rec.AppendTo(nil)) - 1) //nolint:gosec // small
	b := kmsg.RecordBatch{
		FirstOffset: at, Magic: 2, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, Records: rec.AppendTo(nil),
		PartitionLeaderEpoch: 0, FirstTimestamp: millis, MaxTimestamp: millis,
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12) //nolint:gosec // small
	return b
}
