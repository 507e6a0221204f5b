package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrAuthentication means that the brokers refused this client's credentials or
// certificate, or that the broker's own certificate is not trusted. See
// docs/errors.md#authentication.
var ErrAuthentication = errors.New("kafka: authentication refused")

// ErrFencedInstance means that another process is in the group with the same
// InstanceID. See docs/errors.md#fenced-instance.
var ErrFencedInstance = errors.New("kafka: another member has taken this instance id")

// ErrGroupUnauthorized means that this client may not read the consumer group. See
// docs/errors.md#group-unauthorized.
var ErrGroupUnauthorized = errors.New("kafka: not authorized for the consumer group")

// ErrGroup means that the group refuses this member for a reason that trying again
// does not change, such as a session timeout outside of the brokers' limits or other
// members with another protocol. See docs/errors.md#group.
var ErrGroup = errors.New("kafka: refused by the consumer group")

// ErrGroupProtocol means that the brokers do not have the consumer group protocol
// (KIP-848). See docs/errors.md#group-protocol.
var ErrGroupProtocol = errors.New("kafka: the brokers do not have the consumer group protocol")

// ErrSessionTimeout means that the timeouts do not fit into the session timeout that
// the brokers have for the group. See docs/errors.md#session-timeout.
var ErrSessionTimeout = errors.New("kafka: the group's session is too short")

// ErrTopicUnknown means that a topic does not exist. See docs/errors.md#topic-unknown.
var ErrTopicUnknown = errors.New("kafka: unknown topic")

// ErrTopicUnauthorized means that this client may not use a topic. See
// docs/errors.md#topic-unauthorized.
var ErrTopicUnauthorized = errors.New("kafka: not authorized for the topic")

// ErrTopicRecreated means that a topic was deleted and one with the same name was
// created. See docs/errors.md#topic-recreated.
var ErrTopicRecreated = errors.New("kafka: topic deleted and created again")

// ErrTooLarge means that a record exceeds what the broker or the client accepts. See
// docs/errors.md#record-too-large.
var ErrTooLarge = errors.New("kafka: record too large")

// ErrBatchTooLarge means that a fetched batch decompresses beyond the limit. See
// docs/errors.md#batch-too-large.
var ErrBatchTooLarge = errors.New("kafka: batch decompresses beyond the limit")

// ErrTruncated means that the log ends below the offset that is to be read next. See
// docs/errors.md#truncated.
var ErrTruncated = errors.New("kafka: the log ends below the position")

// What ends a membership, and with it requests in flight.
var (
	errNotJoined   = errors.New("kafka: not connected to the group")
	errExpelled    = errors.New("kafka: the group dropped this member")
	errSessionLost = errors.New("kafka: the group session was lost")
	errStopped     = errors.New("kafka: client stopped")
)

// TopicError is what is wrong with a topic. See docs/errors.md#topic.
type TopicError struct {
	Topic string
	Err   error // ErrTopicUnknown, ErrTopicUnauthorized, or what the broker said
}

// Error names the topic.
func (e *TopicError) Error() string { return fmt.Sprintf("topic %q: %v", e.Topic, e.Err) }

// Unwrap is the error within.
func (e *TopicError) Unwrap() error { return e.Err }

// OptionError is a kgo option that is refused. See docs/errors.md#kafka-option.
type OptionError struct {
	Option string // its name in package kgo
	Reason string
}

// Error names the option and says why.
func (e *OptionError) Error() string { return fmt.Sprintf("kgo.%s: %s", e.Option, e.Reason) }

// typed names the error of a broker that users get to see, and keeps it within.
func typed(err error) error {
	var sentinel error
	switch {
	case err == nil:
		return nil
	case isAuthentication(err):
		sentinel = ErrAuthentication
	case errors.Is(err, kerr.FencedInstanceID):
		sentinel = ErrFencedInstance
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		sentinel = ErrGroupUnauthorized
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		sentinel = ErrTopicUnknown
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		sentinel = ErrTopicUnauthorized
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		sentinel = ErrTooLarge
	default:
		return err
	}
	if errors.Is(err, sentinel) {
		return err
	}
	return fmt.Errorf("%w: %w", sentinel, err)
}

// fatal is the typed error of one that trying again does not mend for the whole client;
// nil when it may.
func fatal(err error) error {
	switch {
	case isAuthentication(err), errors.Is(err, kerr.FencedInstanceID), errors.Is(err, kerr.GroupAuthorizationFailed):
		return typed(err)
	case errors.Is(err, kerr.InconsistentGroupProtocol), errors.Is(err, kerr.InvalidSessionTimeout),
		errors.Is(err, kerr.InvalidGroupID), errors.Is(err, kerr.UnsupportedVersion), errors.Is(err, kerr.UnsupportedAssignor):
		return fmt.Errorf("%w: %w", ErrGroup, err)
	}
	return nil
}

// isAuthentication knows what SASL and TLS call a refusal. A connection that is closed
// on its first read is none: a broker that starts or stops does the same.
func isAuthentication(err error) bool {
	switch {
	case errors.Is(err, ErrAuthentication),
		errors.Is(err, kerr.SaslAuthenticationFailed),
		errors.Is(err, kerr.UnsupportedSaslMechanism),
		errors.Is(err, kerr.IllegalSaslState),
		errors.Is(err, kerr.SecurityDisabled):
		return true
	}
	var (
		untrusted *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		alert     tls.AlertError
		remote    *net.OpError
		record    tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &untrusted), errors.As(err, &authority), errors.As(err, &alert), errors.As(err, &record):
		return true
	case errors.As(err, &remote):
		return remote.Op == "remote error" // a TLS alert of the broker
	}
	return false
}
