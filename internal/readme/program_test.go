package readme

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	inputs      = "orders"
	deadLetters = "dlq.billing.orders"
	group       = "billing"
)

// TestProgramOfReadmeRunsOutsideTheTree builds README's program in a module of its own,
// which requires this one by a replace, runs it against an embedded broker and ends it
// with an interrupt.
func TestProgramOfReadmeRunsOutsideTheTree(t *testing.T) {
	t.Parallel()
	binary := build(t, program(t))
	addr := embedded(t)
	client := dial(t, addr)

	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), "KAFKA="+addr)
	var out, problems output
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	produce(t, client, "ann", "12.50", "bob", "3.00", "ann", "", "ann", "7.25")
	admin := kadm.NewClient(client)
	defer func() {
		if t.Failed() {
			t.Logf("the program wrote:\n%s%s", &out, &problems)
		}
	}()
	await(t, "three orders and a dead letter", func() bool {
		return strings.Count(out.String(), "\n") == 3 && end(t, admin, deadLetters) == 1
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt the program ended with %v, want exit code 0", err)
	}
	for _, order := range []string{"ann pays 12.50", "bob pays 3.00", "ann pays 7.25"} {
		if strings.Count(out.String(), order) != 1 {
			t.Errorf("the program did not write %q once", order)
		}
	}
	if got := committed(t, admin); got != 4 {
		t.Errorf("committed %d, want 4", got)
	}
}

// program is the first block of Go in README.
func program(t *testing.T) string {
	t.Helper()
	block := regexp.MustCompile("(?s)```go\n(package main\n.*?)```").FindStringSubmatch(read(t, "README.md"))
	if block == nil {
		t.Fatal("README.md has no Go program")
	}
	return block[1]
}

// build compiles a program offline, from what was fetched for this module. Its go.mod
// lists what `go mod tidy` would add: without that Go looks for the requirements of old
// dependencies, which were never fetched.
func build(t *testing.T, code string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "main.go", code)
	write(t, dir, "go.sum", read(t, "go.sum"))
	const own = "module github.com/troupe-go/troupe\n"
	requirements, ok := strings.CutPrefix(read(t, "go.mod"), own)
	if !ok {
		t.Fatalf("go.mod does not begin with %q", own)
	}
	write(t, dir, "go.mod", "module example.com/billing\n"+requirements+
		"\nrequire github.com/troupe-go/troupe v0.0.0\n\nreplace github.com/troupe-go/troupe => "+root(t)+"\n")
	binary := filepath.Join(dir, "billing")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("README's program does not compile: %v\n%s", err, text)
	}
	return binary
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// embedded starts a broker on loopback and returns its address.
func embedded(t *testing.T) string {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, inputs, deadLetters))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	return broker.ListenAddrs()[0]
}

func dial(t *testing.T, addr string) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// produce writes pairs of a key and a value.
func produce(t *testing.T, client *kgo.Client, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		rec := &kgo.Record{Topic: inputs, Key: []byte(pairs[i]), Value: []byte(pairs[i+1])}
		if err := client.ProduceSync(t.Context(), rec).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func end(t *testing.T, admin *kadm.Client, topic string) int64 {
	t.Helper()
	ends, err := admin.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := ends.Lookup(topic, 0)
	return at.Offset
}

func committed(t *testing.T, admin *kadm.Client) int64 {
	t.Helper()
	offsets, err := admin.FetchOffsets(context.WithoutCancel(t.Context()), group)
	if err != nil {
		t.Fatal(err)
	}
	at, _ := offsets.Lookup(inputs, 0)
	return at.At
}

// output is what a process has written so far.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// Write appends p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

// String is all of it.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
