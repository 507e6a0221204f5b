// Package runtimetest tests behaviors and the services that embed them.
//
// [Receive] delivers a record to a behavior and tells what the runtime would do. It
// needs no runtime and no Kafka.
//
// A [Cluster] is a Kafka in memory, inside a synctest bubble, for everything else: order,
// retries, delays, dead letters, restarts, rebalances. The whole runtime runs against it
// on the bubble's clock, so ten minutes pass in an instant and times are exact:
//
//	func TestLater(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			c := runtimetest.New(t, "orders")
//			c.Start(runtime.Config{Group: "billing", Topics: []runtime.Topic{
//				{Name: "orders", Behavior: actors.Func(bill), Delay: 10 * time.Minute},
//			}})
//			c.Produce("orders", "customer-7", "12.50")
//			time.Sleep(10*time.Minute + time.Second) // the delay and the commit interval
//			c.Settle()
//			if got := c.Committed("orders", 0); got != 1 {
//				t.Errorf("committed %d, want 1", got)
//			}
//		})
//	}
//
// The clock moves when every goroutine of the bubble waits, for a timer, a channel or the
// cluster. Such tests need the build tag synctests, since Kafka's client holds mutexes
// while it waits otherwise:
//
//	go test -tags synctests ./...
//
// The clock is virtual, the interleaving of goroutines is Go's own: a test asserts times
// exactly, and of things that happen at the same instant no order.
package runtimetest
