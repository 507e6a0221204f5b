package deadletter

import (
	"strconv"
	"strings"

	"github.com/troupe-go/troupe/actors"
)

// Kafka's own headers (KIP-1191), values as text.
const (
	KeyTopic     = "__dlq.errors.topic"
	KeyPartition = "__dlq.errors.partition"
	KeyOffset    = "__dlq.errors.offset"
	KeyGroup     = "__dlq.errors.group"
	KeyCount     = "__dlq.errors.delivery.count"
	KeyMessage   = "__dlq.errors.message"
)

// Ours, values as text. KeyHops comes first of all that a letter adds.
const (
	KeyHops        = "troupe.dlq.hops"
	KeyForm        = "troupe.dlq.form" // the full name of the message that the value is; only with Protobuf
	KeyTrimmed     = "troupe.dlq.trimmed"
	KeyTimestamp   = "troupe.dlq.timestamp" // the original one, milliseconds since the epoch
	KeyClass       = "troupe.dlq.class"
	KeyFailedAt    = "troupe.dlq.failed.at" // RFC 3339
	KeyFirstFailed = "troupe.dlq.first.failed.at"
	KeyAttempts    = "troupe.dlq.attempts"
	KeyPanicked    = "troupe.dlq.panicked"
	KeyVersion     = "troupe.dlq.version"
)

// Those of Spring for Apache Kafka. Its numbers are big-endian.
const (
	springPrefix    = "kafka_dlt-"
	springTopic     = springPrefix + "original-topic"
	springPartition = springPrefix + "original-partition" // 4 bytes
	springOffset    = springPrefix + "original-offset"    // 8 bytes
	springTimestamp = springPrefix + "original-timestamp" // 8 bytes; -1: none
	springGroup     = springPrefix + "original-consumer-group"
	springClass     = springPrefix + "exception-fqcn"
	springCause     = springPrefix + "exception-cause-fqcn"
	springMessage   = springPrefix + "exception-message"
)

// Those of Kafka Connect, values as text.
const (
	connectPrefix    = "__connect.errors."
	connectTopic     = connectPrefix + "topic"
	connectPartition = connectPrefix + "partition"
	connectOffset    = connectPrefix + "offset"
	connectName      = connectPrefix + "connector.name"
	connectClass     = connectPrefix + "exception.class.name"
	connectMessage   = connectPrefix + "exception.message"
)

// IsAdded tells whether a header of this key is of a dead letter, rather than of a
// record's producer.
func IsAdded(key string) bool {
	return strings.HasPrefix(key, "__dlq.errors.") || strings.HasPrefix(key, "troupe.dlq.") ||
		strings.HasPrefix(key, springPrefix) || strings.HasPrefix(key, connectPrefix)
}

// Last is the value of the last header of a key: a record that comes round carries the
// earlier ones too.
func Last(headers []actors.Header, key string) ([]byte, bool) {
	for i := len(headers) - 1; i >= 0; i-- {
		if headers[i].Key == key {
			return headers[i].Value, true
		}
	}
	return nil, false
}

// Hops is how often a record has been dead-lettered.
func Hops(rec *actors.Record) int {
	value, _ := Last(rec.Headers, KeyHops)
	n, err := strconv.Atoi(string(value))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Group is the group that dead-lettered a record last, also one of another tool; empty:
// it is no dead letter, or does not tell.
func Group(rec *actors.Record) string {
	for i := len(rec.Headers) - 1; i >= 0; i-- {
		if key := rec.Headers[i].Key; key == KeyGroup || key == springGroup {
			return string(rec.Headers[i].Value)
		}
	}
	return ""
}
