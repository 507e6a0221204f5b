package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/troupe-go/troupe/runtime"
)

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1: "-1", -1000: "-1,000"} {
		if got := number(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{
		"0s": 0, "2s": 2 * time.Second, "0.5 ms": 500 * time.Microsecond, "1500.0 ms": 1500 * time.Millisecond, "12s": 12_100 * time.Millisecond,
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestVerdictInWords(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]Verdict{
		"every promise held":                         {{Name: "lost", Compared: 3}},
		"a promise was broken":                       {{Name: "lost", Compared: 3}, {Name: "early", Compared: 3, Found: 1, First: "t/0 offset 7"}},
		"a count that compared nothing says nothing": {{Name: "lost"}},
	} {
		var out bytes.Buffer
		v.write(&out)
		if !strings.Contains(out.String(), "verdict: "+want+"\n") {
			t.Errorf("%+v:\n%s\nwant %q", v, out.String(), want)
		}
		for _, c := range v {
			if !strings.Contains(out.String(), c.First) {
				t.Errorf("%q is not in\n%s", c.First, out.String())
			}
		}
	}
}

func TestTableIsRedrawnInPlace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := &table{out: &out, terminal: true}
	s := snapshot{at: time.Second, total: 10, sent: 5, members: []memberStats{{name: "a", stats: runtime.Stats{Partitions: []runtime.PartitionStats{
		{Topic: "x.y.orders", Partition: 3, Next: 1234, PauseReasons: []string{"delay"}},
	}}}}}
	table.draw(s)
	lines := strings.Count(out.String(), "\n")
	if !strings.Contains(out.String(), "orders/3") || !strings.Contains(out.String(), "1,234") || !strings.Contains(out.String(), "paused: delay") {
		t.Errorf("table:\n%s", out.String())
	}
	for _, line := range strings.Split(out.String(), "\n") {
		if len(line) > 80 {
			t.Errorf("%d columns, which wraps: %q", len(line), line)
		}
	}
	out.Reset()
	table.draw(s)
	if want := "\x1b[" + number(lines) + "A\x1b[J"; !strings.HasPrefix(out.String(), want) {
		t.Errorf("the second drawing begins %q, want %q", out.String()[:10], want)
	}
	out.Reset()
	table.clear()
	table.clear()
	if got := strings.Count(out.String(), "\x1b[J"); got != 1 {
		t.Errorf("cleared %d times, want 1", got)
	}
}

func TestPlainLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := newTable(&out)
	table.draw(snapshot{at: 1500 * time.Millisecond, sent: 1234, members: []memberStats{{name: "a"}, {name: "b"}}, phase: "orders arrive"})
	for _, want := range []string{"  1.5s  sent 1,234", "members a,b  orders arrive\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q, want %q", out.String(), want)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("control characters: %q", out.String())
	}
}
