package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	goruntime "runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// result is a run, as it is printed.
type result struct {
	System    string  `json:"system"`
	Records   int     `json:"records"`
	Parts     int     `json:"partitions"`
	Lanes     int     `json:"lanes"`
	WaitUS    int64   `json:"wait_us"`
	Seconds   float64 `json:"seconds"`
	Rate      float64 `json:"records_per_second"`
	CPU       float64 `json:"cpu_seconds_per_million"`
	PeakMB    int     `json:"peak_mb"`
	Allocs    float64 `json:"allocations_per_record"`
	Steal     float64 `json:"steal_percent"`
	Committed int64   `json:"committed"`
	SleepUS   float64 `json:"measured_sleep_us,omitempty"`
}

// meter covers the time from the first record handled to the last one handled and
// committed.
type meter struct {
	once  sync.Once
	begun time.Time
	cpu   float64
	steal float64
	mem   goruntime.MemStats
}

func (m *meter) start() {
	m.once.Do(func() {
		goruntime.ReadMemStats(&m.mem)
		m.cpu, m.steal, m.begun = cpuSeconds(), stealSeconds(), time.Now()
	})
}

// measure runs a contender in a group of its own and prints what it did. A run whose
// committed offsets are not the records' number is a failure.
func measure(system string, c config, run func(c config, group string, m *meter)) {
	group := fmt.Sprintf("bench-%s-%d-%d", system, os.Getpid(), time.Now().UnixNano())
	var m meter
	run(c, group, &m)
	seconds := time.Since(m.begun).Seconds()
	var mem goruntime.MemStats
	goruntime.ReadMemStats(&mem)
	r := result{
		System: system, Records: c.n, Parts: c.parts, Lanes: c.lanes, WaitUS: c.wait.Microseconds(),
		Seconds: seconds, Rate: float64(c.n) / seconds, CPU: (cpuSeconds() - m.cpu) / float64(c.n) * 1e6, PeakMB: peakMB(),
		Allocs: float64(mem.Mallocs-m.mem.Mallocs) / float64(c.n),
		Steal:  100 * (stealSeconds() - m.steal) / seconds / float64(goruntime.NumCPU()), Committed: committed(c, group),
	}
	if c.wait > 0 {
		r.SleepUS = float64(sleepTakes(c.wait)) / 1e3
	}
	fmt.Println(string(must(json.Marshal(r))))
	if r.Committed != int64(c.n) {
		fmt.Fprintf(os.Stderr, "bench: %d of %d records committed\n", r.Committed, c.n)
		os.Exit(1)
	}
}

// sleepTakes is how long a wait of d really is on this machine, idle.
func sleepTakes(d time.Duration) time.Duration {
	const rounds = 200
	begun := time.Now()
	for range rounds {
		time.Sleep(d)
	}
	return time.Since(begun) / rounds
}

func committed(c config, group string) int64 {
	cl := must(kgo.NewClient(kgo.SeedBrokers(c.brokers)))
	defer cl.Close()
	sum := int64(0)
	must(kadm.NewClient(cl).FetchOffsets(context.Background(), group)).Each(func(o kadm.OffsetResponse) { sum += o.At })
	return sum
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	must0(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(u.Utime) + seconds(u.Stime)
}

// stealSeconds is what the host took from this machine, over all its processors.
func stealSeconds() float64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	const steal, ticksPerSecond = 8, 100
	if len(fields) <= steal {
		return 0
	}
	ticks, _ := strconv.ParseFloat(fields[steal], 64)
	return ticks / ticksPerSecond
}

func peakMB() int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb / 1024
		}
	}
	return 0
}

func cpuProfile(path string) func() {
	if path == "" {
		return func() {}
	}
	f := must(os.Create(path))
	must0(pprof.StartCPUProfile(f))
	return func() {
		pprof.StopCPUProfile()
		must0(f.Close())
	}
}
