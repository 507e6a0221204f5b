package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordPool takes back the memory of kgo's records once convert has copied what they
// say: half of what a fetch allocates. It never holds keys or values, which the
// copies go on using; so nothing that a behavior sees is ever used again.
type recordPool struct{ slabs sync.Pool }

// slab is what the pool holds, behind a pointer so that putting it allocates no more
// than that.
type slab struct{ records []kgo.Record }

// GetRecords returns a slice with room for n records.
func (p *recordPool) GetRecords(n int) []kgo.Record {
	if s, ok := p.slabs.Get().(*slab); ok && cap(s.records) >= n {
		return s.records[:0]
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords takes a slab back, whose records are zero by then.
func (p *recordPool) PutRecords(records []kgo.Record) { p.slabs.Put(&slab{records}) }
