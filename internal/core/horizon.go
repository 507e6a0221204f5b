package core

import (
	"time"

	"github.com/troupe-go/troupe/internal/metadata"
)

// costAt is offsets.cost as of the record at place, whose block is not finished.
func (o *offsets) costAt(place uint64) int64 {
	b := o.block(place)
	cost := b.cost
	for i := uint64(1); i <= place%blockSize; i++ {
		cost += metadata.Sevenths(b.offsets[i] - b.offsets[i-1])
	}
	return cost
}

// spread is what the records above the line may take in a commit. It is exact where that
// is more than least, and 0 where it is not.
func (o *offsets) spread(least int64) int64 {
	if o.first == o.total || o.cost-o.block(o.first).cost <= least {
		return 0
	}
	return o.cost - o.costAt(o.first)
}

// horizon is an offset that is above those of all unfinished records that fit into room, if
// they are finished before the line moves, and not above those of the others.
func (o *offsets) horizon(room int64) Offset {
	if o.spread(room) <= room {
		return unlimited
	}
	limit := o.costAt(o.first) + room
	in := o.block(o.first) // the last block of which anything fits
	for i := 1; i < o.blocks.len() && o.blocks.at(i).cost <= limit; i++ {
		in = o.blocks.at(i)
	}
	if in.offsets == nil {
		return in.to
	}
	i, cost := 1, in.cost
	for ; i < blockSize; i++ {
		if cost += metadata.Sevenths(in.offsets[i] - in.offsets[i-1]); cost > limit {
			return in.offsets[i]
		}
	}
	return in.offsets[blockSize-1] + 1
}

// lookAhead notes how far lanes may go. What is fetched brings the horizon nearer, and a
// line that moves pushes it on.
func (m *Machine) lookAhead() {
	m.horizon = unlimited
	if m.cfg.Room > 0 {
		m.offsets.advance()
		m.horizon = m.offsets.horizon(m.cfg.Room)
	}
}

// goOn serves the lanes that the horizon held, once it is further on.
func (m *Machine) goOn(now time.Time, out []Effect) []Effect {
	if m.lookAhead(); m.horizon == m.reached {
		return out
	}
	m.reached = m.horizon
	return m.serveAll(now, out)
}
