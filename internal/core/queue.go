package core

// queue is a first-in-first-out queue that uses its memory again.
//
// Invariant: 0 <= head <= len(items); items before head are zero.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int { return len(q.items) - q.head }

// at is item i from the front. It holds until the next push.
func (q *queue[T]) at(i int) *T { return &q.items[q.head+i] }

// front is the first n items. It holds until the next push or drop.
func (q *queue[T]) front(n int) []T { return q.items[q.head : q.head+n : q.head+n] }

func (q *queue[T]) push(v T) {
	if len(q.items) == cap(q.items) && q.head >= len(q.items)/2 && q.head > 0 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, v)
}

// drop takes the first n items away and lets go of what they point to.
func (q *queue[T]) drop(n int) {
	clear(q.items[q.head : q.head+n])
	q.head += n
	if q.head == len(q.items) {
		q.items, q.head = q.items[:0], 0
	}
}
