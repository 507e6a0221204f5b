package engine

import (
	"fmt"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/internal/core"
)

// keyer asks a topic's own KeyBy for the keys of a partition's records, on a
// goroutine beside the supervisor: user code that hangs there holds this partition's
// new records, visibly, and nothing else.
type keyer struct {
	p       *partition
	work    chan *keyedBatch // capacity 1: one batch is under way at a time
	waiting []*keyedBatch
	busy    bool
	slow    bool // the reason KeyBy is set
	ticks   int  // commit ticks since the batch under way was given
}

// keyedBatch is a batch and what KeyBy said of each of its records.
type keyedBatch struct {
	batch *Batch
	keys  [][]byte
	errs  []error // nil, or why a record has no key
}

// newKeyer starts the goroutine. It ends when stop closes its channel and the call
// under way has returned.
func newKeyer(p *partition) *keyer {
	k := &keyer{p: p, work: make(chan *keyedBatch, 1)}
	go keyAll(k.work, p.topic.KeyBy, func(kb *keyedBatch) { p.e.root.Send(p.a.pid(), keyed{kb}) })
	return k
}

func keyAll(work <-chan *keyedBatch, keyBy func(*actors.Record) []byte, done func(*keyedBatch)) {
	for kb := range work {
		recs := kb.batch.Records
		kb.keys, kb.errs = make([][]byte, len(recs)), make([]error, len(recs))
		for i := range recs {
			kb.keys[i], kb.errs[i] = keyOne(keyBy, &recs[i])
		}
		done(kb)
	}
}

// keyOne turns a panic into the record's failure.
func keyOne(keyBy func(*actors.Record) []byte, rec *actors.Record) (key []byte, err error) { //nolint:nonamedreturns // set by the deferred recover
	defer func() {
		if v := recover(); v != nil {
			key, err = nil, fmt.Errorf("KeyBy: panic: %v", v)
		}
	}()
	return keyBy(rec), nil
}

func (k *keyer) ask(b *Batch) {
	k.waiting = append(k.waiting, &keyedBatch{batch: b})
	if k.busy {
		k.mark(true)
		return
	}
	k.next()
}

func (k *keyer) next() {
	if len(k.waiting) == 0 {
		return
	}
	kb := k.waiting[0]
	k.waiting = k.waiting[1:]
	k.busy, k.ticks = true, 0
	k.work <- kb
}

// keyedBack puts a batch into the machine whose keys are known.
func (p *partition) keyedBack(kb *keyedBatch) {
	k := p.keyer
	k.busy = false
	if kb.batch.Gen == p.gen {
		p.enter(kb.batch, kb)
	}
	k.next()
	if !k.busy {
		k.mark(false)
	}
}

// tick shows a call of KeyBy that takes longer than a commit interval.
func (k *keyer) tick() {
	if !k.busy {
		return
	}
	if k.ticks++; k.ticks > 1 {
		k.mark(true)
	}
}

func (k *keyer) mark(slow bool) {
	if k.slow == slow {
		return
	}
	k.slow = slow
	if slow {
		k.p.step(&core.Paused{Reason: core.KeyBy})
	} else {
		k.p.step(&core.Resumed{Reason: core.KeyBy})
	}
}

func (k *keyer) stop() { close(k.work) }
