package main

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
)

// fill makes the topic and its records.
func fill(c config, keys, size int) {
	cl := must(kgo.NewClient(kgo.SeedBrokers(c.brokers), kgo.DefaultProduceTopic(c.topic),
		kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(5*time.Millisecond)))
	defer cl.Close()
	ctx := context.Background()
	created := must(kadm.NewClient(cl).CreateTopics(ctx, int32(c.parts), 1, nil, c.topic))
	must0(created.Error())
	value := make([]byte, size)
	for i := range c.n {
		key := fmt.Appendf(nil, "k%07d", i*7919%keys)
		cl.Produce(ctx, &kgo.Record{Key: key, Value: value}, func(_ *kgo.Record, err error) { must0(err) })
	}
	must0(cl.Flush(ctx))
	fmt.Printf("%s: %d records in %d partitions, %d keys\n", c.topic, c.n, c.parts, keys)
}

// loop is what one writes by hand: poll, handle in place, commit every so often.
func loop(c config, group string, m *meter) {
	cl := must(kgo.NewClient(kgo.SeedBrokers(c.brokers), kgo.ConsumeTopics(c.topic), kgo.ConsumerGroup(group), kgo.DisableAutoCommit()))
	defer cl.Close()
	ctx := context.Background()
	var committing chan error
	last := time.Now()
	for got := 0; got < c.n; {
		fetches := cl.PollFetches(ctx)
		m.start()
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			must0(p.Err)
			for _, r := range p.Records {
				handle(r.Value, c.wait)
			}
			got += len(p.Records)
		})
		if time.Since(last) >= c.commit {
			if committing != nil {
				must0(<-committing)
			}
			committing = make(chan error, 1)
			go func(done chan<- error) { done <- cl.CommitUncommittedOffsets(ctx) }(committing)
			last = time.Now()
		}
	}
	if committing != nil {
		must0(<-committing)
	}
	must0(cl.CommitUncommittedOffsets(ctx))
}

// handle is the trivial behavior, or the one that waits.
func handle(value []byte, wait time.Duration) {
	if wait > 0 {
		time.Sleep(wait)
		return
	}
	if len(value) > 0 && value[0] == 0xff {
		panic("bad record")
	}
}

// counted is a lane's behavior.
type counted struct {
	m     *meter
	wait  time.Duration
	begun bool
}

func (b *counted) Receive(_ context.Context, rec *actors.Record) error {
	if !b.begun {
		b.begun = true
		b.m.start()
	}
	handle(rec.Value, b.wait)
	return nil
}

// troupe is the runtime with its release defaults.
func troupe(c config, group string, m *meter) {
	rt := must(runtime.New(runtime.Config{
		Brokers: []string{c.brokers}, Group: group, CommitInterval: c.commit, Logger: zap.NewNop(),
		Topics: []runtime.Topic{{
			Name:              c.topic,
			VirtualPartitions: runtime.VirtualPartitions{Max: c.lanes},
			Behavior:          func(actors.VirtualPartition) actors.Behavior { return &counted{m: m, wait: c.wait} },
		}},
	}))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rt.Run(ctx) }()
	<-rt.Ready()
	for finished := int64(0); finished < int64(c.n); {
		time.Sleep(10 * time.Millisecond)
		finished = 0
		for _, p := range rt.Stats().Partitions {
			finished += p.Next
		}
	}
	cancel()
	must0(<-done) // the last commit, and leaving the group
}
