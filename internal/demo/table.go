package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/troupe-go/troupe/runtime"
)

// table shows a run while it goes on: redrawn in place on a terminal, a line a second
// elsewhere. What it shows comes from the runtime's Stats and from counters; the verdict
// does not.
type table struct {
	out      io.Writer
	terminal bool
	lines    int // on the screen
}

func newTable(out io.Writer) *table {
	return &table{out: out, terminal: isTerminal(out)}
}

func isTerminal(out io.Writer) bool {
	file, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// run draws until ctx ends.
func (t *table) run(ctx context.Context, show func() snapshot) {
	every := time.Second
	if t.terminal {
		every = 200 * time.Millisecond
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			t.clear()
			return
		case <-ticker.C:
			t.draw(show())
		}
	}
}

// snapshot is what there is to see at a moment.
type snapshot struct {
	at                                           time.Duration
	phase                                        string
	total                                        int
	sent, finished, failed, panicked, dead, loop int64
	members                                      []memberStats
}

type memberStats struct {
	name  string
	stats runtime.Stats
}

func (t *table) draw(s snapshot) {
	if !t.terminal {
		fmt.Fprintln(t.out, s.line())
		return
	}
	lines := s.table()
	t.clear()
	fmt.Fprint(t.out, strings.Join(lines, "\n"), "\n")
	t.lines = len(lines)
}

// clear takes away what was drawn last.
func (t *table) clear() {
	if t.lines > 0 {
		fmt.Fprintf(t.out, "\x1b[%dA\x1b[J", t.lines)
		t.lines = 0
	}
}

func (s *snapshot) line() string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.name
	}
	return fmt.Sprintf("%5.1fs  sent %s  finished %s  bare loop %s  failed %d  panics %d  dead letters %d  members %s  %s",
		s.at.Seconds(), number(int(s.sent)), number(int(s.finished)), number(int(s.loop)),
		s.failed, s.panicked, s.dead, strings.Join(names, ","), s.phase)
}

func (s *snapshot) table() []string {
	lines := []string{
		fmt.Sprintf("Troupe demo  %.1f s  %s", s.at.Seconds(), s.phase),
		"",
		fmt.Sprintf("  %-14s %-6s %9s %6s %9s %9s  %s", "partition", "member", "line", "lag", "in flight", "buffered", "state"),
	}
	for _, m := range s.members {
		for i := range m.stats.Partitions {
			p := &m.stats.Partitions[i]
			lines = append(lines, fmt.Sprintf("  %-14s %-6s %9s %6s %9d %9d  %s",
				fmt.Sprintf("%s/%d", p.Topic[strings.LastIndexByte(p.Topic, '.')+1:], p.Partition),
				m.name, number(int(p.Next)), number(int(p.Lag)), p.InFlight, p.Buffered, state(p)))
		}
	}
	return append(lines, "",
		fmt.Sprintf("  sent %s of %s   finished %s   bare loop %s orders",
			number(int(s.sent)), number(s.total), number(int(s.finished)), number(int(s.loop))),
		fmt.Sprintf("  failed %d   panics %d   dead letters %d", s.failed, s.panicked, s.dead))
}

// state says what a partition waits for, if anything.
func state(p *runtime.PartitionStats) string {
	switch {
	case p.Unresponsive:
		return "unresponsive"
	case p.Quarantined > 0:
		return fmt.Sprintf("%d quarantined", p.Quarantined)
	case len(p.PauseReasons) > 0:
		return "paused: " + strings.Join(p.PauseReasons, ", ")
	case !p.WaitingUntil.IsZero():
		return fmt.Sprintf("next due in %.1f s", max(time.Until(p.WaitingUntil), 0).Seconds())
	case p.Restarts > 0:
		return "restarting a lane"
	}
	return ""
}
