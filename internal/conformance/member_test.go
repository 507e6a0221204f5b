//go:build kafka

package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-go/troupe/internal/history"
	"github.com/troupe-go/troupe/runtime"
	"github.com/troupe-go/troupe/runtime/observe"
)

// beMember is what a member's process does: it runs until SIGTERM, or until its parent
// is gone. The result is its exit code.
func beMember(file string) int {
	s, err := loadSpec(file)
	if err != nil {
		return complain(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	journal, err := os.OpenFile(s.Journal, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return complain(err)
	}
	h := history.New()
	h.StreamTo(journal)
	rt, err := runtime.New(s.config(h, history.NewIncarnation(s.Name)))
	if err != nil {
		return complain(err)
	}
	go func() { // ends with the process: stdin is a pipe that the parent holds open
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(exitFailed)
	}()
	err = rt.Run(ctx)
	if err != nil {
		complain(err)
	}
	if h.Err() != nil {
		return complain(h.Err())
	}
	return exitOf(err)
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, "member:", err)
	return exitFailed
}

// member is a test's handle on the process of a member.
type member struct {
	t     *testing.T
	spec  spec
	cmd   *exec.Cmd
	stdin io.Closer
	log   *buffer
	ended chan struct{} // closed when the process has ended

	observed *history.Observer

	mu     sync.Mutex
	events []history.Event // guarded by mu: what was read of the journal so far
	read   int64           // guarded by mu: bytes of it
}

// start starts a member of the bed's group. It is killed at the end of the test.
func (b *bed) start(s spec) *member {
	b.t.Helper()
	b.members++
	s.Broker, s.Group = or(s.Broker, broker()), or(s.Group, b.group)
	s.Protocol = or(s.Protocol, b.protocol)
	b.describes(&s)
	s.Journal = filepath.Join(b.dir, fmt.Sprintf("%d-%s.journal", b.members, s.Name))
	file := filepath.Join(b.dir, fmt.Sprintf("%d-%s.spec", b.members, s.Name))
	if err := s.save(file); err != nil {
		b.t.Fatal(err)
	}
	m := &member{t: b.t, spec: s, log: &buffer{}, ended: make(chan struct{}), observed: b.observed}
	m.cmd = exec.Command(os.Args[0])
	m.cmd.Env = append(os.Environ(), memberEnv+"="+file)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	stdin, err := m.cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	m.stdin = stdin
	if err := m.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		_ = m.cmd.Wait() // its exit code is read from the ProcessState
		close(m.ended)
	}()
	b.all = append(b.all, m)
	b.t.Cleanup(m.destroy)
	return m
}

func (m *member) destroy() {
	m.signal(syscall.SIGKILL)
	<-m.ended
	_ = m.stdin.Close()
	if m.t.Failed() {
		m.t.Logf("log of %s: %s", m.spec.Name, m.saveLog())
	}
}

// saveLog keeps the log of a test that failed and returns its end.
func (m *member) saveLog() string {
	text := m.log.String()
	f, err := os.CreateTemp("", "troupe-"+m.spec.Name+"-*.log")
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	return fmt.Sprintf("%s\n%s", f.Name(), text[max(0, len(text)-2000):])
}

// signal sends one; to a process that has ended it does nothing.
func (m *member) signal(s syscall.Signal) {
	select {
	case <-m.ended:
	default:
		_ = m.cmd.Process.Signal(s)
	}
}

// terminate ends the member by SIGTERM and returns its exit code. A process that has a
// journal hears the signal; before that it would die of it.
func (m *member) terminate() int {
	m.t.Helper()
	eventually(m.t, m.spec.Name+" hears signals", func() bool {
		select {
		case <-m.ended:
			return true
		default:
		}
		_, err := os.Stat(m.spec.Journal)
		return err == nil
	})
	m.signal(syscall.SIGTERM)
	return m.exit()
}

// kill ends the member by SIGKILL.
func (m *member) kill() {
	m.t.Helper()
	m.signal(syscall.SIGKILL)
	m.exit()
	m.observed.Killed(m.incarnation())
}

// freeze stops the member by SIGSTOP; thaw lets it go on.
func (m *member) freeze() {
	m.t.Helper()
	m.observed.Fault(m.incarnation(), "freeze", true)
	m.signal(syscall.SIGSTOP)
}

func (m *member) thaw() {
	m.t.Helper()
	m.signal(syscall.SIGCONT)
	m.observed.Fault(m.incarnation(), "freeze", false)
}

// incarnation is what the member calls itself; empty before it said anything.
func (m *member) incarnation() string {
	m.t.Helper()
	if events := m.journal(); len(events) > 0 {
		return events[0].Incarnation
	}
	return ""
}

// exit waits for the process to end and returns its exit code.
func (m *member) exit() int {
	m.t.Helper()
	eventually(m.t, m.spec.Name+" ends", m.hasEnded)
	return m.cmd.ProcessState.ExitCode()
}

func (m *member) hasEnded() bool {
	select {
	case <-m.ended:
		return true
	default:
		return false
	}
}

// stops ends the member by SIGTERM and wants it to exit with code within its budget and
// a second.
func (m *member) stops(code int) {
	m.t.Helper()
	begin := time.Now()
	got := m.terminate()
	if got != code {
		m.t.Errorf("%s exits with %d, want %d", m.spec.Name, got, code)
	}
	budget := or(m.spec.Shutdown, 10*time.Second)
	if took := time.Since(begin); took > budget+time.Second {
		m.t.Errorf("%s took %v to stop, its budget is %v", m.spec.Name, took, budget)
	}
}

// journal is what the member wrote so far.
func (m *member) journal() []history.Event {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := os.Open(m.spec.Journal)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, m.read, 1<<40))
	if err != nil {
		m.t.Fatal(err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	events, err := history.Load(bytes.NewReader(text))
	if err != nil {
		m.t.Fatalf("journal of %s: %v", m.spec.Name, err)
	}
	m.read += int64(len(text))
	m.events = append(m.events, events...)
	return slices.Clip(m.events)
}

// count is how many events of kind the member wrote; with a topic, of that.
func (m *member) count(kind history.Kind, topics ...string) int {
	m.t.Helper()
	n := 0
	for _, e := range m.journal() {
		if e.Kind == kind && (len(topics) == 0 || slices.Contains(topics, e.Topic)) {
			n++
		}
	}
	return n
}

// finished is how many calls of the member returned nil.
func (m *member) finished() int {
	m.t.Helper()
	n := 0
	for _, e := range m.journal() {
		if e.Kind == history.Leave && e.Result == history.ResultOK {
			n++
		}
	}
	return n
}

// running is how many calls of the member have begun and not ended.
func (m *member) running() int {
	m.t.Helper()
	return m.count(history.Enter) - m.count(history.Leave)
}

// holds is how many partitions the member has, by its own word.
func (m *member) holds() int {
	m.t.Helper()
	have := map[place]bool{}
	for _, e := range m.journal() {
		switch e.Kind {
		case history.Assigned:
			have[partitionOf(&e)] = true
		case history.RevokeEnded, history.Lost:
			delete(have, partitionOf(&e))
		default:
		}
	}
	return len(have)
}

// lines are where the commit lines of the member's partitions stand by its journal: from
// where each was assigned on, the first offset whose call did not return nil.
func (m *member) lines() map[observe.TopicPartition]int64 {
	m.t.Helper()
	done := map[place]bool{}
	out := map[observe.TopicPartition]int64{}
	for _, e := range m.journal() {
		if e.Kind == history.Assigned {
			out[e.TP()] = e.Offset
		}
		if e.Kind == history.Leave && e.Result == history.ResultOK {
			done[placeOf(&e)] = true
		}
	}
	for tp, at := range out {
		for done[place{tp, at}] {
			at++
		}
		out[tp] = at
	}
	return out
}

// waitHolds waits until the member has n partitions.
func (m *member) waitHolds(n int) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%s holds %d partitions", m.spec.Name, n), func() bool { return m.holds() == n })
}

// waitFinished waits until n calls of the member returned nil.
func (m *member) waitFinished(n int) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%s finishes %d records", m.spec.Name, n), func() bool { return m.finished() >= n })
}

// waitRunning waits until n calls of the member are under way.
func (m *member) waitRunning(n int) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%s is in %d calls", m.spec.Name, n), func() bool { return m.running() == n })
}

// buffer collects what a process prints.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
