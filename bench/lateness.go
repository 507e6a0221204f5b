package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// lateness hands over n records of a delayed topic, produced one each millisecond, and
// prints how late they were beside as many bare timers.
func lateness(c config, delay time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	topic := fmt.Sprintf("%s-late-%d", c.topic, time.Now().UnixNano())
	cl := must(kgo.NewClient(kgo.SeedBrokers(c.brokers), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0)))
	defer cl.Close()
	must0(must(kadm.NewClient(cl).CreateTopics(ctx, int32(c.parts), 1, nil, topic)).Error())
	late := newSample(c.n)
	rt := must(runtime.New(runtime.Config{
		Brokers: []string{c.brokers}, Group: topic, Logger: zap.NewNop(),
		Topics: []runtime.Topic{{
			Name: topic, Delay: delay, VirtualPartitions: runtime.VirtualPartitions{Max: c.lanes},
			Behavior: actors.Func(func(_ context.Context, rec *actors.Record) error {
				late.add(time.Since(rec.Timestamp.Add(delay)))
				return nil
			}),
		}},
	}))
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	<-rt.Ready()
	timers := newSample(c.n)
	ticker := time.NewTicker(time.Millisecond)
	for i := range c.n {
		<-ticker.C
		cl.Produce(ctx, &kgo.Record{Key: fmt.Appendf(nil, "k%d", i)}, func(_ *kgo.Record, err error) { must0(err) })
		due := time.Now().Add(delay)
		time.AfterFunc(delay, func() { timers.add(time.Since(due)) })
	}
	late.wait()
	timers.wait()
	cancel()
	must0(<-done)
	fmt.Printf("lateness of %d records, delay %v: %s\n", c.n, delay, late)
	fmt.Printf("lateness of as many bare timers in the same process: %s\n", timers)
}

// sample is a set of durations of known size.
type sample struct {
	mu   sync.Mutex
	all  []time.Duration
	full sync.WaitGroup
}

func newSample(n int) *sample {
	s := &sample{}
	s.full.Add(n)
	return s
}

func (s *sample) add(d time.Duration) {
	s.mu.Lock()
	s.all = append(s.all, d)
	s.mu.Unlock()
	s.full.Done()
}

func (s *sample) wait() { s.full.Wait() }

// String is the percentiles; early counts what came before its time.
func (s *sample) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.Sort(s.all)
	at := func(q float64) time.Duration { return s.all[int(q*float64(len(s.all)-1))].Round(time.Microsecond) }
	early, _ := slices.BinarySearch(s.all, 0)
	return fmt.Sprintf("p50 %v p90 %v p99 %v max %v, early %d", at(0.5), at(0.9), at(0.99), at(1), early)
}
