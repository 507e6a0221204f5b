package demo

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report is what a run ends with.
type report struct {
	names    names
	broker   string
	seed     uint64
	took     time.Duration
	guest    [2]time.Duration // when the second member joined and had left
	figures  figures
	loop     int // orders that the bare loop handled in the same time
	restarts int64
	dead     int64
	fault    string
	hits     int
	verdict  Verdict
}

func (r *report) write(w io.Writer) {
	f := &r.figures
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-30s"+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(w, "\nTroupe demo: %s, seed %d, %.1f s\n\n", r.broker, r.seed, r.took.Seconds())
	line("finished", "%s orders, %s payments, %s reminders", number(f.finished[r.names.orders]),
		number(f.finished[r.names.payments]), number(f.finished[r.names.reminders]))
	if r.guest[1] > 0 {
		line("members", "a finished %s, and b %s between joining at %.1f s and leaving by %.1f s",
			number(f.byMember["a"]), number(f.byMember["b"]), r.guest[0].Seconds(), r.guest[1].Seconds())
	}
	r.throughput(line)
	line("failures", "%s calls failed, %s panicked; %s restarts, %s dead letters",
		number(f.retried), number(f.panicked), number(int(r.restarts)), number(int(r.dead)))
	line("handled again", "%s records, around the handovers", number(f.repeated))
	if l := f.lateness; len(l) > 0 {
		line("lateness of the reminders", "p50 %s, p99 %s, max %s (each delayed by %s)",
			short(percentile(l, 0.5)), short(percentile(l, 0.99)), short(percentile(l, 1)), short(delay))
	}
	if m := f.moved; len(m) > 0 {
		line("", "and up to %s for %s that fell due between two members", short(percentile(m, 1)), number(len(m)))
	}
	if r.fault != "" {
		line("fault", "%s, put %s times between broker and client", r.fault, number(r.hits))
	}
	fmt.Fprintln(w)
	r.verdict.write(w)
}

func (r *report) throughput(line func(name, format string, args ...any)) {
	f := &r.figures
	took, orders := f.took(), f.finished[r.names.orders]
	if took == 0 {
		return
	}
	line("throughput", "%.0f orders/s: all of them in %.1f s", rate(orders, took), took.Seconds())
	line("one at a time per partition", "%.0f orders/s: %s in the same time, by a bare loop beside it",
		rate(r.loop, took), number(r.loop))
	if r.loop > 0 {
		line("", "%.1f times", float64(orders)/float64(r.loop))
	}
}

func (v Verdict) write(w io.Writer) {
	for _, c := range v {
		note := ""
		if c.Compared == 0 {
			note = ": nothing was compared"
		}
		fmt.Fprintf(w, "  %-28s%8s  of %s %s%s\n", c.Name, number(c.Found), number(c.Compared), c.Of, note)
	}
	fmt.Fprintln(w)
	for _, c := range v {
		if c.Found > 0 {
			fmt.Fprintf(w, "  %s: %s\n", c.Name, c.First)
		}
	}
	verdict := "every promise held"
	switch {
	case slices.ContainsFunc(v, func(c Count) bool { return c.Found > 0 }):
		verdict = "a promise was broken"
	case !v.OK():
		verdict = "a count that compared nothing says nothing"
	}
	fmt.Fprintf(w, "  verdict: %s\n", verdict)
}

// number groups digits by three.
func number(n int) string {
	digits := strconv.Itoa(n)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && d != '-' && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// short is a duration with a sensible number of digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second || d <= -10*time.Second:
		return d.Round(time.Second).String()
	case d%time.Second == 0:
		return d.String()
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
