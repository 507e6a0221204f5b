//go:build synctests

package scenarios

import (
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/internal/link"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// startLinked runs a member whose connections pass a link that the test may damage.
func (w *world) startLinked(name string, topics ...runtime.Topic) *node {
	w.t.Helper()
	return w.startDialed(name, func(c net.Conn) net.Conn { return c }, topics...)
}

// startDialed is startLinked with a wrapper of each connection.
func (w *world) startDialed(name string, wrap func(net.Conn) net.Conn, topics ...runtime.Topic) *node {
	w.t.Helper()
	dial, ok := w.c.Client().OptValue(kgo.Dialer).(func(context.Context, string, string) (net.Conn, error))
	if !ok {
		w.t.Fatal("the cluster's client has no dialer")
	}
	n := w.prepare(name, nil, topics...)
	n.done = make(chan error, 1)
	n.link = link.New(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return wrap(c), nil
	}, nil)
	cfg := w.c.Config(n.cfg)
	cfg.KafkaOptions = append(cfg.KafkaOptions, kgo.Dialer(n.link.Dial))
	rt, err := runtime.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	n.rt = rt
	w.add(n)
	go func() { n.done <- rt.Run(context.Background()) }() // judge waits for it
	w.t.Cleanup(func() {                                   // also of a test that gave up
		n.link.Kill()
		_ = rt.Shutdown(context.Background())
		_ = n.wait()
	})
	select {
	case <-rt.Ready():
	case <-time.After(time.Minute):
		w.t.Errorf("%s is not ready after a minute", name)
	}
	return n
}

// wait waits for the end of Run of a linked member.
func (n *node) wait() error {
	n.w.t.Helper()
	select {
	case err := <-n.done:
		n.done <- err
		n.link.Wait()
		return err
	case <-time.After(time.Hour):
		n.w.t.Errorf("%s has not ended within an hour", n.name)
		return nil
	}
}

// shutDown ends a member, whoever started it.
func (n *node) shutDown() error {
	n.w.t.Helper()
	if n.done == nil {
		return n.w.c.Stop(n.rt)
	}
	if err := n.rt.Shutdown(context.Background()); err != nil {
		return err
	}
	return n.wait()
}

// damage puts a rule on a member's link; what it hit is counted when it is taken out.
func (n *node) damage(kind string, r *link.Rule) func() {
	remove := n.link.Add(r)
	return func() {
		remove()
		n.w.counters.hitN(kind, int64(r.Hits()))
	}
}

var flow = []string{check.S1, check.S2, check.S3, check.S4, check.S5, check.S6}

func TestScenario052LeadersMove(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, flow, func(w *world) {
		a := w.start("a", working())
		moves := map[int]func(){}
		for i := 50; i < 1000; i += 50 {
			moves[i] = func() {
				led := w.c.Broker().LeaderFor("orders", 0)
				w.c.Broker().ShufflePartitionLeaders()
				if w.c.Broker().LeaderFor("orders", 0) != led {
					w.hit("leader of orders/0 moved")
				}
			}
		}
		w.drained(2*time.Minute, w.steady(1000, moves))
		if got := count[observe.RevokeEnded](a) + count[observe.Lost](a); got != 0 {
			t.Errorf("%d partitions were taken by moves of leaders", got)
		}
		w.wantNoDuplicates()
	})
}

func TestScenario053ConnectionsLiveForASecond(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, flow, func(w *world) {
		a, b := w.startLinked("a", working()), w.startLinked("b", working())
		cut := func() { w.counters.hitN("connection cut", int64(a.link.Cut("")+b.link.Cut(""))) }
		cuts := map[int]func(){}
		for i := 100; i < 2000; i += 50 + rand.IntN(100) { //nolint:gosec // a workload
			cuts[i] = cut
		}
		ends := w.steady(2000, cuts)
		w.drained(2*time.Minute, ends)
	})
}

// Requests reach the brokers and no answer comes back, for longer than the session: the
// member starts nothing behind its lease, and another one takes over.
func TestScenario055AnswersAreDropped(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		w.start("a", working())
		b := w.startLinked("b", working())
		time.Sleep(4 * heartbeatFor)
		var heal func()
		ends := w.steady(100, map[int]func(){50: func() { heal = b.damage("answer dropped", &link.Rule{In: true, Drop: true}) }})
		time.Sleep(2 * sessionFor)
		heal()
		w.drained(2*time.Minute, ends)
		if got := count[observe.Lost](b); got != 2 {
			t.Errorf("b lost %d partitions, want its two", got)
		}
	})
}

// cutOff lets nothing pass between a member and one broker.
func cutOff(n *node, broker int32) func() {
	n.w.t.Helper()
	address := n.w.c.Broker().ListenAddrs()[broker]
	return n.damage("bytes held from one broker", &link.Rule{Address: address, In: true, Out: true, Drop: true})
}

// leads moves the partitions' leaders to a broker each, and the coordinator elsewhere than
// to the one that is to be cut off.
func (w *world) leads(cut int32, coordinates bool) {
	w.t.Helper()
	for p := range int32(4) {
		to := p % 3
		if coordinates && to == cut {
			to = (cut + 1) % 3
		}
		if err := w.c.Broker().MoveTopicPartition("orders", p, to); err != nil {
			w.t.Fatal(err)
		}
	}
	for try := 0; (w.c.Broker().CoordinatorFor(group) == cut) != coordinates; try++ {
		if try == 100 {
			w.t.Fatal("the coordinator does not move")
		}
		w.c.Broker().RehashCoordinators()
	}
}

// The member is cut off from its coordinator, and still fetches: it stops by itself when
// its session is over.
func TestScenario056CutOffFromTheCoordinator(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, safety, func(w *world) {
		w.leads(0, true)
		w.start("a", working())
		b := w.startLinked("b", working())
		time.Sleep(4 * heartbeatFor)
		var heal func()
		ends := w.steady(100, map[int]func(){20: func() { heal = cutOff(b, 0) }})
		time.Sleep(2 * sessionFor)
		heal()
		w.drained(2*time.Minute, ends)
		if got := count[observe.Lost](b); got == 0 {
			t.Error("b lost nothing")
		}
	})
}

// Of four partitions one or two have a leader that cannot be reached: the others go on.
func TestScenario057CutOffFromOneLeader(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, flow, func(w *world) {
		w.leads(2, false)
		n := w.startLinked("a", working())
		time.Sleep(2 * heartbeatFor)
		w.steady(20, nil)
		heal := cutOff(n, 2)
		w.steady(200, nil)
		time.Sleep(30 * time.Second)
		for _, p := range []int32{0, 1, 3} {
			w.wantCommitted("orders", p, 220)
		}
		if s := n.partition("orders", 2); s.Next >= 220 {
			t.Error("the partition that was cut off is done: nothing was shown")
		}
		if got := count[observe.RevokeEnded](n) + count[observe.Lost](n); got != 0 {
			t.Errorf("%d partitions were taken", got)
		}
		heal()
		w.drained(2*time.Minute, map[string][]int64{"orders": {220, 220, 220, 220}})
	})
}

// The links to the brokers are stopped one by one, and released in another order.
func TestScenario058LinksAreStoppedOneByOne(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, flow, func(w *world) {
		nodes := []*node{w.startLinked("a", working()), w.startLinked("b", working())}
		time.Sleep(4 * heartbeatFor)
		produced := int64(0)
		for round := range 5 {
			var heals []func()
			for i, n := range nodes {
				for broker := range int32(3) {
					heals = append(heals, cutOff(n, broker))
					time.Sleep(time.Duration(1+(round+i)%3) * time.Second)
					w.steady(10, nil)
					produced += 10
				}
			}
			rand.Shuffle(len(heals), func(i, j int) { heals[i], heals[j] = heals[j], heals[i] }) //nolint:gosec // an order
			for _, heal := range heals {
				heal()
				time.Sleep(500 * time.Millisecond)
			}
			time.Sleep(20 * time.Second)
		}
		w.drained(3*time.Minute, map[string][]int64{"orders": slices.Repeat([]int64{produced}, 4)})
	})
}

// halfOpen is a connection whose other end may be gone without a word.
type halfOpen struct {
	net.Conn

	w      *world
	gone   atomic.Bool
	closed chan struct{}
	once   sync.Once
}

// Write is net.Conn's.
func (c *halfOpen) Write(b []byte) (int, error) {
	if c.gone.Load() {
		c.w.hit("write into nowhere")
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// Read is net.Conn's.
func (c *halfOpen) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.gone.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return n, err
}

// Close is net.Conn's.
func (c *halfOpen) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// The other ends of all connections are gone without a word; new ones can be made. A
// request's timeout finds it.
func TestScenario060HalfOpenConnections(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, flow, func(w *world) {
		var mu sync.Mutex
		var conns []*halfOpen // guarded by mu
		n := w.startDialed("a", func(c net.Conn) net.Conn {
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, &halfOpen{Conn: c, w: w, closed: make(chan struct{})})
			return conns[len(conns)-1]
		}, working())
		time.Sleep(2 * heartbeatFor)
		w.steady(20, nil)
		mu.Lock()
		for _, c := range conns {
			c.gone.Store(true)
		}
		mu.Unlock()
		w.steady(20, nil)
		w.drained(2*time.Minute, map[string][]int64{"orders": {40, 40, 40, 40}})
		if got := count[observe.Lost](n); got != 0 {
			t.Errorf("%d partitions were lost: the session outlasts the timeout", got)
		}
		w.wantNoDuplicates()
	})
}

// One member is cut off for good and one broker cannot be reached by it: the rest go on.
func TestScenario116TheRestGoOn(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, flow, func(w *world) {
		w.start("a", working())
		w.start("b", working())
		gone := w.startLinked("c", working())
		time.Sleep(4 * heartbeatFor)
		if err := w.c.Broker().RemoveNode(2); err != nil {
			t.Fatal(err)
		}
		w.hit("broker removed")
		gone.dead.Store(true)
		gone.dies()
		gone.link.Kill()
		w.hit("cut off for good")
		w.observer.Killed(gone.name)
		ends := w.steady(200, nil)
		w.drained(3*time.Minute, ends)
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = gone.rt.Shutdown(over)
		_ = gone.wait()
	})
}
