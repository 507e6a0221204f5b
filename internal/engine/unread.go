package engine

import (
	"sync/atomic"
	"time"
)

// unread counts the batches of one Fetched that lie in mailboxes.
//
// A partition says that it is full when it reads a batch. A poll goroutine that ran ahead
// of it would fill its mailbox meanwhile, without a limit. So before it hands over what
// one poll brought it waits for what the poll before did: behind the batch that fills a
// partition one more can be on its way.
type unread struct {
	left atomic.Int32
	none chan struct{} // closed when all are read
}

// unreadBatch is a batch on its way to a partition.
type unreadBatch struct {
	batch  *Batch
	unread *unread
}

// readPatience bounds the wait for a partition whose actor panicked, and reads no more, or
// is held up by a hook of the user: the others get their records.
const readPatience = 100 * time.Millisecond

// newUnread counts one for who hands over, until all is handed over.
func newUnread() *unread {
	u := &unread{none: make(chan struct{})}
	u.left.Store(1)
	return u
}

// read takes one batch off the count.
func (u *unread) read() {
	if u.left.Add(-1) == 0 {
		close(u.none)
	}
}

// wait returns when all are read, or after readPatience.
func (u *unread) wait() {
	if u.left.Load() == 0 {
		return
	}
	timer := time.NewTimer(readPatience)
	defer timer.Stop()
	select {
	case <-u.none:
	case <-timer.C:
	}
}
