package engine

import (
	"slices"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
	"github.com/troupe-go/troupe/internal/deadletter"
	"github.com/troupe-go/troupe/internal/failpoint"
	"github.com/troupe-go/troupe/runtime/observe"
)

func (p *partition) fetched(b *Batch) {
	if b.Gen != p.gen || p.a.fence.raised() {
		return
	}
	p.a.sawEnd(b.LogEnd, time.Now())
	if p.e.opts.Record != nil && len(b.Records) > 0 {
		p.e.opts.Record(observe.Fetched{
			TP: p.a.tp, Epoch: p.a.epoch, Count: len(b.Records),
			First: b.Records[0].Offset, Last: b.Records[len(b.Records)-1].Offset,
		})
	}
	if p.keyer != nil {
		p.keyer.ask(b)
		return
	}
	p.enter(b, nil)
}

// enter puts a batch into the machine. keys are nil where records are keyed by their
// own keys.
func (p *partition) enter(b *Batch, keys *keyedBatch) {
	p.e.steps.Pass(failpoint.Enter)
	p.recs = p.recs[:0]
	control := b.Control
	for i := range b.Records {
		rec := &b.Records[i]
		for len(control) > 0 && control[0] < rec.Offset {
			p.recs = append(p.recs, core.Record{Offset: control[0], Control: true})
			control = control[1:]
		}
		if p.topic.Groups != nil && p.isForeign(rec) {
			p.recs = append(p.recs, core.Record{Offset: rec.Offset, Control: true})
			continue
		}
		p.recs = append(p.recs, p.record(rec, keys, i))
	}
	for _, offset := range control {
		p.recs = append(p.recs, core.Record{Offset: offset, Control: true})
	}
	p.lead(b)
	p.ev.fetched.Records = nil
	clear(p.recs)
}

// isForeign tells whether a record is a dead letter of a group that the topic is not for,
// and counts it.
func (p *partition) isForeign(rec *actors.Record) bool {
	group := deadletter.Group(rec)
	if group == "" || slices.Contains(p.topic.Groups, group) {
		return false
	}
	p.a.foreign.Add(1)
	if p.e.opts.Record != nil {
		p.e.opts.Record(observe.Foreign{TP: p.a.tp, Epoch: p.a.epoch, Offset: rec.Offset, Group: group})
	}
	return true
}

// lead gives the machine what each leader wrote by itself.
func (p *partition) lead(b *Batch) {
	recs, epoch := p.recs, b.LeaderEpoch
	for _, next := range b.Later {
		n := slices.IndexFunc(recs, func(r core.Record) bool { return r.Offset >= next.From })
		p.ev.fetched = core.Fetched{Gen: p.gen, LeaderEpoch: epoch, Records: recs[:n]}
		p.step(&p.ev.fetched)
		recs, epoch = recs[n:], next.Epoch
	}
	if len(recs) > 0 {
		p.ev.fetched = core.Fetched{Gen: p.gen, LeaderEpoch: epoch, Records: recs}
		p.step(&p.ev.fetched)
	}
}

// record is what the machine gets of a record.
func (p *partition) record(rec *actors.Record, keys *keyedBatch, i int) core.Record {
	r := core.Record{Offset: rec.Offset, Timestamp: -1, Bytes: size(rec), Handle: rec}
	r.Looped = len(rec.Headers) > 0 && deadletter.Hops(rec) >= hopsMax
	if !rec.Timestamp.IsZero() {
		r.Timestamp = rec.Timestamp.UnixMilli()
	}
	switch {
	case keys == nil:
		r.Lane = p.laneOf(rec.Key)
	case keys.errs[i] != nil:
		r.Lane = p.laneOf(rec.Key)
		r.Handle = &unkeyed{rec, keys.errs[i]}
	default:
		r.Lane = p.laneOf(keys.keys[i])
	}
	return r
}

func size(rec *actors.Record) int32 {
	n := len(rec.Key) + len(rec.Value)
	for i := range rec.Headers {
		n += len(rec.Headers[i].Key) + len(rec.Headers[i].Value)
	}
	return int32(n) //nolint:gosec // a record is smaller than 2 GiB
}

// laneOf is the lane of a key: see the documentation of package actors.
func (p *partition) laneOf(key []byte) core.LaneID {
	if key == nil {
		return p.m.Acquire(0)
	}
	return p.m.Acquire(hash(key))
}
