package runtime

import (
	"errors"

	"github.com/troupe-go/troupe/internal/engine"
	"github.com/troupe-go/troupe/internal/kafka"
)

// ErrRunTwice means that Run was called again. A Runtime runs once: make another. See
// docs/errors.md#run-twice.
var ErrRunTwice = errors.New("runtime: Run was called before")

// ErrNotAssigned means that the partition is not this member's at the moment. See
// docs/errors.md#not-assigned.
var ErrNotAssigned = engine.ErrNotAssigned

// What Kafka refuses, as Run returns it, dead letters meet it, and hooks see it.
var (
	// ErrAuthentication means that the brokers refused this client's credentials or
	// certificate, or that the broker's own certificate is not trusted. See
	// docs/errors.md#authentication.
	ErrAuthentication = kafka.ErrAuthentication

	// ErrFencedInstance means that another process is in the group with the same
	// InstanceID. See docs/errors.md#fenced-instance.
	ErrFencedInstance = kafka.ErrFencedInstance

	// ErrGroupUnauthorized means that this client may not read the consumer group. See
	// docs/errors.md#group-unauthorized.
	ErrGroupUnauthorized = kafka.ErrGroupUnauthorized

	// ErrGroup means that the group refuses this member for a reason that trying again
	// does not change. See docs/errors.md#group.
	ErrGroup = kafka.ErrGroup

	// ErrGroupProtocol means that the brokers do not have the protocol of
	// [GroupConsumer]. See docs/errors.md#group-protocol.
	ErrGroupProtocol = kafka.ErrGroupProtocol

	// ErrSessionTimeout means that DrainTimeout and CommitTimeout do not fit into the
	// session timeout that the brokers have for a group of [GroupConsumer]. See
	// docs/errors.md#session-timeout.
	ErrSessionTimeout = kafka.ErrSessionTimeout

	// ErrTopicUnknown means that a topic does not exist. See docs/errors.md#topic-unknown.
	ErrTopicUnknown = kafka.ErrTopicUnknown

	// ErrTopicUnauthorized means that this client may not use a topic. See
	// docs/errors.md#topic-unauthorized.
	ErrTopicUnauthorized = kafka.ErrTopicUnauthorized

	// ErrTopicRecreated means that a topic was deleted and one with the same name was
	// created. See docs/errors.md#topic-recreated.
	ErrTopicRecreated = kafka.ErrTopicRecreated

	// ErrTooLarge means that a record exceeds what the broker or the client accepts. See
	// docs/errors.md#record-too-large.
	ErrTooLarge = kafka.ErrTooLarge

	// ErrBatchTooLarge means that a fetched batch decompresses beyond
	// Config.MaxDecompressedBatch. It is the Err of an observe.Gap. See
	// docs/errors.md#batch-too-large.
	ErrBatchTooLarge = kafka.ErrBatchTooLarge

	// ErrTruncated means that the log ends below the offset that is to be read next.
	// It is the Err of an observe.Gap. See docs/errors.md#truncated.
	ErrTruncated = kafka.ErrTruncated
)

// TopicError is what is wrong with a topic. See docs/errors.md#topic.
type TopicError = kafka.TopicError

// OptionError is an option in Config.KafkaOptions that is refused. See
// docs/errors.md#kafka-option.
type OptionError = kafka.OptionError
