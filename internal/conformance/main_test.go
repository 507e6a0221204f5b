//go:build kafka

package conformance

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// memberEnv names the file with the spec of the member that this process is to be.
const memberEnv = "TROUPE_CONFORMANCE_MEMBER"

// runID tells the topics and groups of this run from those of others.
var runID = "conformance-" + strings.ToLower(rand.Text()[:8])

// broker is the bootstrap address of the plaintext listener.
func broker() string { return os.Getenv("TROUPE_KAFKA") }

func TestMain(m *testing.M) {
	if file := os.Getenv(memberEnv); file != "" {
		os.Exit(beMember(file))
	}
	flag.Parse()
	if broker() == "" || os.Getenv("TROUPE_KAFKA_DIR") == "" {
		fmt.Fprintln(os.Stderr, "these tests need Apache Kafka: run them with `make test-kafka`, or anything with\n"+
			"`scripts/kafka/broker.sh with COMMAND`, which start it and set TROUPE_KAFKA and TROUPE_KAFKA_DIR")
		os.Exit(1)
	}
	if !isSet("test.parallel") {
		// The tests wait for sessions to end far more than they compute.
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

func isSet(name string) bool {
	set := false
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}
