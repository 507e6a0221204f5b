//go:build synctests

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/internal/check"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// probe asks one of the probes.
func (n *node) probe(path string) (int, string) {
	rec := httptest.NewRecorder()
	n.rt.Handler().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec.Code, rec.Body.String()
}

func (n *node) wantProbe(path string, want int) {
	n.w.t.Helper()
	if got, body := n.probe(path); got != want {
		n.w.t.Errorf("%s: %d %s, want %d", path, got, body, want)
	}
}

func (w *world) deleteTopic(name string) {
	w.t.Helper()
	if err := w.c.Broker().DeleteTopic(name); err != nil {
		w.t.Fatal(err)
	}
	w.hit("topic deleted")
}

func TestAnUnknownTopicIsATypedError(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, nil, func(w *world) {
		begun := time.Now()
		n := w.start("a", runtime.Topic{Name: "missing", Behavior: handle(fine)})
		w.topics = []string{"orders"}
		err := n.run()
		var topic *runtime.TopicError
		if !errors.As(err, &topic) || topic.Topic != "missing" || !errors.Is(err, runtime.ErrTopicUnknown) {
			t.Errorf("Run returned %v, want that the topic is unknown", err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("that took %v", took)
		}
	})
}

func TestScenario036ATopicIsDeleted(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders", "others"}, []string{check.S1, check.S2}, func(w *world) {
		// kfake keeps a deleted topic in a fetch session for good, and kgo asks again at once.
		sessionless := func(cfg *runtime.Config) { cfg.KafkaOptions = []kgo.Opt{kgo.DisableFetchSessions()} }
		n := w.startWith("a", sessionless, runtime.Topic{Name: "orders", Behavior: handle(fine)}, runtime.Topic{Name: "others", Behavior: handle(fine)})
		w.topics = []string{"others"}
		time.Sleep(2 * time.Second)
		w.deleteTopic("orders")
		time.Sleep(time.Minute)
		w.produce("others", 0, "k", "v")
		w.drained(10*time.Second, map[string][]int64{"others": {1}})
		if got := n.owned(); len(got) != 1 || got[0] != "others/0" {
			t.Errorf("it has %v, want others/0 alone", got)
		}
		n.wantProbe("/livez", http.StatusOK)
		w.topics = nil
		w.deleteTopic("others")
		var topic *runtime.TopicError
		if err := n.run(); !errors.As(err, &topic) {
			t.Errorf("Run returned %v, want that the last topic is gone", err)
		}
	})
}

// An unreachable broker is waited for, with warnings, alive and not ready.
func TestAnUnreachableBrokerIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		warned := 0
		rt, err := runtime.New(runtime.Config{
			Brokers: []string{"localhost:9092"}, Group: group, Topics: []runtime.Topic{{Name: "orders", Behavior: handle(fine)}},
			KafkaOptions: []kgo.Opt{kgo.Dialer(network.DialContext)}, Logger: zap.NewNop(),
			Hooks: []observe.Hook{observe.HookFunc(func(_ time.Time, ev observe.Event) {
				if _, ok := ev.(observe.Warned); ok {
					warned++
				}
			})},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- rt.Run(ctx) }()
		n := &node{w: &world{t: t}, rt: rt}
		for range 10 {
			time.Sleep(time.Minute)
			n.wantProbe("/livez", http.StatusOK)
			n.wantProbe("/readyz", http.StatusServiceUnavailable)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v, want nil", err)
		}
		if warned < 10 || warned > 25 {
			t.Errorf("warned %d times in 10 minutes, want about every 30s", warned)
		}
	})
}

func TestRefusedAuthenticationIsATypedError(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			password := filepath.Join(t.TempDir(), "password")
			if err := os.WriteFile(password, []byte("wrong"), 0o600); err != nil {
				t.Fatal(err)
			}
			synctest.Test(t, func(t *testing.T) {
				var network kfake.VirtualNetwork
				cluster, err := kfake.NewCluster(kfake.ListenFn(network.Listen), kfake.Ports(9092), kfake.EnableSASL(),
					kfake.Superuser(mechanism, "billing", "right"), kfake.SeedTopics(1, "orders"))
				if err != nil {
					t.Fatal(err)
				}
				defer cluster.Close()
				rt, err := runtime.New(runtime.Config{
					Brokers: cluster.ListenAddrs(), Group: group, Topics: []runtime.Topic{{Name: "orders", Behavior: handle(fine)}},
					SASL:          runtime.SASL{Mechanism: mechanism, Username: "billing", Password: runtime.SecretFile(password)},
					AllowInsecure: true,
					KafkaOptions:  []kgo.Opt{kgo.Dialer(network.DialContext)}, Logger: zap.NewNop(),
				})
				if err != nil {
					t.Fatal(err)
				}
				begun := time.Now()
				err = rt.Run(context.Background())
				if !errors.Is(err, runtime.ErrAuthentication) || strings.Contains(err.Error(), "wrong") {
					t.Errorf("Run returned %v, want %v", err, runtime.ErrAuthentication)
				}
				if took := time.Since(begun); took > 15*time.Second {
					t.Errorf("that took %v", took)
				}
			})
		})
	}
}

// An idle topic fails no probe, and a broker that is away for ten minutes fails /readyz
// alone.
func TestScenario107TenMinutesWithoutBrokers(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders"}, []string{check.S1, check.S2}, func(w *world) {
		n := w.start("a", runtime.Topic{Name: "orders", Behavior: handle(fine)})
		for range 5 { // idle
			time.Sleep(time.Minute)
			n.wantProbe("/livez", http.StatusOK)
			n.wantProbe("/readyz", http.StatusOK)
		}
		n.freeze(10 * time.Minute)
		time.Sleep(time.Minute)
		for range 8 {
			n.wantProbe("/livez", http.StatusOK)
			n.wantProbe("/readyz", http.StatusServiceUnavailable)
			time.Sleep(time.Minute)
		}
		time.Sleep(3 * time.Minute)
		n.wantProbe("/livez", http.StatusOK)
		n.wantProbe("/readyz", http.StatusOK)
		w.produce("orders", 0, "k", "v")
		w.drained(time.Minute, map[string][]int64{"orders": {1}})
		_, body := n.probe("/readyz")
		if body != "ok\n" {
			t.Errorf("/readyz says %q", body)
		}
		if _, err := n.stop(); err != nil {
			t.Error(err)
		}
		n.wantProbe("/readyz", http.StatusServiceUnavailable)
	})
}

// Members come and go for ten minutes: the one that stays is alive throughout, and works.
func TestScenario107TenMinutesOfRebalances(t *testing.T) {
	t.Parallel()
	scenario(t, []string{"orders:4"}, append(slices.Clone(safety), check.S9), func(w *world) {
		// What a member is asked for is committed by the revoke, or runs again.
		rarely := func(cfg *runtime.Config) { cfg.CommitInterval = 5 * time.Second }
		a := w.startWith("a", rarely, working())
		produced := int64(0)
		work := func(alive ...*node) {
			for range 10 { // long enough for a rebalance of two steps
				for p := range int32(4) {
					w.produce("orders", p, fmt.Sprint("key-", produced%13), "v")
				}
				produced++
				for _, n := range alive {
					n.wantProbe("/livez", http.StatusOK)
				}
				time.Sleep(time.Second)
			}
		}
		const rounds = 30
		for range rounds {
			b := w.startWith("b", rarely, working())
			work(a, b)
			if _, err := b.stop(); err != nil {
				t.Error(err)
			}
			work(a)
		}
		if revoked, lost := count[observe.RevokeEnded](a), count[observe.Lost](a); revoked != 2*rounds || lost != 0 {
			t.Errorf("in %d rounds a had %d partitions revoked and lost %d, want two in each and none", rounds, revoked, lost)
		}
		w.drained(time.Minute, map[string][]int64{"orders": {produced, produced, produced, produced}})
		w.wantNoDuplicates()
	})
}
