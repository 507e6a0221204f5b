// Command httpservice embeds the runtime in an HTTP service: one process that consumes a
// topic, answers requests and probes, and stops gracefully as a whole.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
)

// service counts orders and tells how many there were.
type service struct{ orders atomic.Int64 }

// Receive counts an order.
func (s *service) Receive(context.Context, *actors.Record) error {
	s.orders.Add(1)
	return nil
}

// ServeHTTP tells how many orders there were.
func (s *service) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintf(w, "%d orders\n", s.orders.Load())
}

func config(s *service) runtime.Config {
	return runtime.Config{
		Brokers: []string{"localhost:9092"},
		Group:   "counter",
		Topics: []runtime.Topic{{
			Name:              "orders",
			Behavior:          actors.Func(s.Receive),
			VirtualPartitions: runtime.VirtualPartitions{Max: 16},
		}},
	}
}

// run serves until ctx ends or the runtime does. Then the runtime drains first, while the
// probes answer (/readyz with 503), and the server ends last.
func run(ctx context.Context, listener net.Listener, s *service, cfg runtime.Config) error {
	rt, err := runtime.New(cfg)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", s)
	mux.Handle("GET /livez", rt.Handler())
	mux.Handle("GET /readyz", rt.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		served <- server.Serve(listener)
		cancel() // a server that fails takes the runtime with it
	}()
	err = rt.Run(ctx)

	stop, stopped := context.WithTimeout(context.Background(), 5*time.Second)
	defer stopped()
	err = errors.Join(err, server.Shutdown(stop)) //nolint:contextcheck // ctx has ended by now
	if serveErr := <-served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "localhost:8080")
	if err == nil {
		s := &service{}
		err = run(ctx, listener, s, config(s))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "httpservice:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to stop
	}
}
