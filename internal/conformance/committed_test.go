//go:build kafka

package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"

	"github.com/troupe-go/troupe/runtime/observe"
)

// committedByJava is what a group has committed, read with Kafka's own client.
func (b *bed) committedByJava(group string) map[observe.TopicPartition]int64 {
	b.t.Helper()
	out, err := exec.CommandContext(b.t.Context(), "../../scripts/kafka/committed.sh", broker(), group).Output()
	if err != nil {
		b.t.Fatalf("committed.sh: %v\n%s", err, out)
	}
	offsets := map[observe.TopicPartition]int64{}
	for scan := bufio.NewScanner(bytes.NewReader(out)); scan.Scan(); {
		var line struct {
			Topic     string
			Partition int32
			Offset    int64
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			b.t.Fatalf("committed.sh: %q: %v", scan.Text(), err)
		}
		offsets[observe.TopicPartition{Topic: line.Topic, Partition: line.Partition}] = line.Offset
	}
	return offsets
}

// differ compares committed offsets with what is wanted.
func differ(got, want map[observe.TopicPartition]int64) error {
	if maps.Equal(got, want) {
		return nil
	}
	return fmt.Errorf("committed %v, want %v", got, want)
}

// wantCommitted wants a single partition's committed offset, by Kafka's own client.
func (b *bed) wantCommitted(topic string, offset int64) {
	b.t.Helper()
	want := map[observe.TopicPartition]int64{{Topic: topic}: offset}
	if err := differ(b.committedByJava(b.group), want); err != nil {
		b.t.Error(err)
	}
}

// wantAllCommitted wants everything in topics committed, by Kafka's own client.
func (b *bed) wantAllCommitted(topics ...string) {
	b.t.Helper()
	want := map[observe.TopicPartition]int64{}
	for _, topic := range topics {
		maps.Copy(want, b.ends(topic))
	}
	if err := differ(b.committedByJava(b.group), want); err != nil {
		b.t.Error(err)
	}
}
