package demo

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// The second member joins and leaves when so much of the records has been sent.
const (
	joinAt  = 0.3
	leaveAt = 0.7
)

const (
	visitLeast = 1500 * time.Millisecond // with partitions
	visitMost  = 8 * time.Second         // in all
)

var (
	errSend  = errors.New("the records could not be sent in time")
	errAlone = errors.New("member a ended before its time")
)

// perform is the run itself: a member, records, a second member that comes and goes, and
// a clean end. All it started has ended when it returns.
func (r *run) perform(ctx context.Context) error {
	side, stopSide := context.WithCancel(ctx)
	var others sync.WaitGroup
	defer others.Wait()
	defer stopSide()
	var observed error
	others.Go(func() { observed = r.observer.run(side) })
	others.Go(func() { r.loop.run(side) })
	others.Go(func() { newTable(r.opts.Out).run(side, r.snapshot) })

	err := r.withMembers(ctx)
	stopSide()
	others.Wait()
	if err = errors.Join(err, observed); err != nil {
		return err
	}
	return r.observer.finish(ctx)
}

func (r *run) withMembers(ctx context.Context) error {
	r.enter("the group forms")
	a, err := r.join(ctx, "a")
	if err != nil {
		return err
	}
	if err := a.ready(ctx); err != nil {
		return errors.Join(err, r.leave(ctx, a))
	}
	var work sync.WaitGroup
	var produced, visited error
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	r.enter("orders arrive")
	work.Go(func() { produced = r.producer.run(working, r.plan) })
	work.Go(func() { visited = r.visit(working) })
	err = r.watch(ctx, a, &work)
	cancel()
	work.Wait()
	return errors.Join(err, produced, visited, r.leave(ctx, a))
}

// visit lets a second member join and leave. It stays until it has worked for a while,
// unless the group takes too long to give it anything.
func (r *run) visit(ctx context.Context) error {
	if wait(ctx, r.part(joinAt)) != nil {
		return nil
	}
	began := time.Now()
	r.enter("b joins")
	b, err := r.join(ctx, "b")
	if err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, visitMost)
	defer cancel()
	if b.ready(patient) == nil {
		r.enter("a and b share the partitions")
		_ = wait(patient, max(visitLeast, r.part(leaveAt-joinAt)-time.Since(began)))
	}
	r.enter("b leaves")
	err = r.leave(ctx, b)
	r.enter("a goes on alone")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.guest = [2]time.Duration{began.Sub(r.began), time.Since(r.began)}
	return err
}

// part is a share of the time for which records are sent.
func (r *run) part(share float64) time.Duration {
	return time.Duration(share * float64(r.opts.Duration))
}

// watch waits until all that was sent is committed, as the observer sees it, or until
// there is no use in waiting.
func (r *run) watch(ctx context.Context, a *member, work *sync.WaitGroup) error {
	worked := make(chan struct{})
	go func() { // ends with work, which the caller waits for
		work.Wait()
		close(worked)
	}()
	deadline := time.NewTimer(settleBy - time.Since(r.began))
	defer deadline.Stop()
	select {
	case <-worked:
	case <-deadline.C:
		return errSend
	case <-a.ended:
		return errors.Join(errAlone, a.failure())
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	r.enter("the rest is finished")
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for last := r.observer.samples.Load(); ; {
		// A sample that began before the last record was acknowledged says nothing.
		if r.observer.samples.Load() > last+1 && r.observer.caughtUp.Load() {
			return nil
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			return nil // the verdict will say what is missing
		case <-a.ended:
			return errors.Join(errAlone, a.failure())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *run) join(ctx context.Context, name string) (*member, error) {
	m, err := r.crew.join(context.WithoutCancel(ctx), name) // it is stopped by leave, cleanly
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = append(r.members, m)
	return m, nil
}

func (r *run) leave(ctx context.Context, m *member) error {
	err := m.stop(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members = slices.DeleteFunc(slices.Clone(r.members), func(o *member) bool { return o == m }) // the table reads the old slice
	return err
}

func (r *run) enter(phase string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase = phase
}
