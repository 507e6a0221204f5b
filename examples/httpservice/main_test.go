//go:build synctests

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/troupe-go/troupe/runtimetest"
)

func TestTheProgram(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := runtimetest.New(t, "orders")
		var network kfake.VirtualNetwork // sockets of the operating system would stop the bubble's clock
		listener, err := network.Listen("tcp", "localhost:8080")
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DialContext: network.DialContext, DisableKeepAlives: true}
		ask := func(path string) string { return ask(t, &http.Client{Transport: transport}, path) }

		s := &service{}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		cfg := c.Config(config(s))
		go func() { done <- run(ctx, listener, s, cfg) }()
		time.Sleep(10 * time.Second) // it joins the group
		for i := range 7 {
			c.Produce("orders", fmt.Sprint("customer-", i), "a book")
		}
		c.Settle()
		for path, want := range map[string]string{"/livez": "200 ok\n", "/readyz": "200 ok\n", "/orders": "200 7 orders\n"} {
			if got := ask(path); got != want {
				t.Errorf("%s: got %q, want %q", path, got, want)
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if got := c.Records("orders"); len(got) != 7 {
			t.Errorf("%d records, want 7", len(got))
		}
	})
}

func ask(t *testing.T, client *http.Client, path string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost:8080"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}
