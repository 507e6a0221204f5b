// Command bench measures Troupe beside a bare franz-go loop on a Kafka that is already
// there. Each run is a process of its own and prints one JSON line, so that contenders
// can be interleaved; run.sh does, and compare sums up what it wrote.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

// config is what a run is asked for.
type config struct {
	brokers, topic string
	n, parts       int
	lanes          int // per partition
	wait           time.Duration
	commit         time.Duration
}

func main() {
	if len(os.Args) < 2 {
		usage()
	}
	var c config
	fs := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	fs.StringVar(&c.brokers, "brokers", "127.0.0.1:9092", "bootstrap broker")
	fs.StringVar(&c.topic, "topic", "bench", "topic")
	fs.IntVar(&c.n, "n", 1_000_000, "records")
	fs.IntVar(&c.parts, "parts", 4, "partitions")
	fs.IntVar(&c.lanes, "lanes", 16, "virtual partitions per partition")
	fs.DurationVar(&c.wait, "wait", 0, "what the behavior waits per record")
	fs.DurationVar(&c.commit, "commit", time.Second, "commit interval")
	keys := fs.Int("keys", 10_000, "fill: distinct keys")
	size := fs.Int("size", 100, "fill: bytes of a value")
	profile := fs.String("profile", "", "write a CPU profile here")
	delay := fs.Duration("delay", 2*time.Second, "lateness: the topic's delay")
	must0(fs.Parse(os.Args[2:]))
	defer cpuProfile(*profile)()
	switch os.Args[1] {
	case "fill":
		fill(c, *keys, *size)
	case "loop":
		measure("loop", c, loop)
	case "troupe":
		measure("troupe", c, troupe)
	case "lateness":
		lateness(c, *delay)
	case "compare":
		compare(fs.Args())
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: bench fill|loop|troupe|lateness|compare [flags] [files]")
	os.Exit(2)
}

func must0(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func must[T any](v T, err error) T {
	must0(err)
	return v
}
