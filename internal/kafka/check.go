package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	goruntime "runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A refusal is an option of kgo, by name, that users may not set.
type refusal struct{ option, reason string }

// refusals are the options that go around fencing, offsets, security, or what a forward
// promises. An option that kgo adds later is allowed until it is listed here; ours come
// last in any case, but for SASL, which adds up. One that sets others too comes before
// them.
func refusals() []refusal {
	const (
		group     = "the runtime joins and leaves the group itself"
		offsets   = "the runtime keeps the commit line itself"
		callbacks = "the runtime fences and drains in this callback"
		fetching  = "what is fetched, and from where, is the runtime's own business"
		security  = "set it in Config, where it is checked"
		acks      = "a dead letter counts when all in-sync replicas have it"
		forwards  = "records of a key, and of a source partition, keep their order in dead letter topics"
	)
	return []refusal{
		{"ConsumerGroup", "set Config.Group"},
		{"ShareGroup", "a share group has no commit line"},
		{"SeedBrokers", "set Config.Brokers"},
		{"WithContext", "the runtime ends the client itself"},
		{"ServerSideBalancer", group},
		{"GroupProtocol", group},
		{"Balancers", "only a cooperative balancer lets kept partitions run on"},
		{"BlockRebalanceOnPoll", "it starves the partitions that are kept"},
		{"InstanceID", "set Config.InstanceID"},
		{"SessionTimeout", "set Config.SessionTimeout"},
		{"RebalanceTimeout", "set Config.RebalanceTimeout"},
		{"HeartbeatInterval", "it follows from Config.SessionTimeout"},
		{"OnPartitionsAssigned", callbacks},
		{"OnPartitionsRevoked", callbacks},
		{"OnPartitionsLost", callbacks},
		{"OnOffsetsFetched", offsets},
		{"AdjustFetchOffsetsFn", offsets},
		{"ConsumeResetOffset", "set Topic.OnGap"},
		{"ConsumeStartOffset", "set Topic.StartAt"},
		{"DisableAutoCommit", offsets},
		{"GreedyAutoCommit", offsets},
		{"AutoCommitInterval", offsets},
		{"AutoCommitMarks", offsets},
		{"AutoCommitCallback", offsets},
		{"DisableFetchCRCValidation", "a record that was damaged on its way would be handed over"},
		{"AllowAutoTopicCreation", "a missing topic ends Run, and DeadLetter.Create is for dead letter topics alone"},
		{"ConsumeTopics", "set Config.Topics"},
		{"ConsumePartitions", "set Config.Topics"},
		{"ConsumeRegex", "set Config.Topics"},
		{"ConsumeExcludeTopics", "set Config.Topics"},
		{"FetchIsolationLevel", "set Config.ReadUncommitted"},
		{"KeepControlRecords", fetching},
		{"KeepRetryableFetchErrors", fetching},
		{"MaxDecompressBatchBytes", "set Config.MaxDecompressedBatch"},
		{"WithDecompressor", "it goes around Config.MaxDecompressedBatch"},
		{"WithPools", "the memory of records is never reused"},
		{"TransactionalID", "dead letters are not transactional"},
		{"DisableIdempotentWrite", acks},
		{"RequiredAcks", acks},
		{"RecordPartitioner", forwards},
		{"ManualFlushing", "dead letters would never be sent"},
		{"DefaultProduceTopicAlways", "dead letters go where the topic says"},
		{"SASL", security},
		{"DialTLSConfig", security},
	}
}

// CheckOpts refuses options that go around fencing, offsets or security: one
// *OptionError for each, joined by errors.Join, in the order given. It connects to
// nothing.
func CheckOpts(extra []kgo.Opt) error {
	var errs []error
	for _, opt := range extra {
		if err := checkOpt(opt); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// CheckDialer refuses a dialer beside TLS, which it would go around. The options have
// passed CheckOpts.
func CheckDialer(extra []kgo.Opt, secure *tls.Config) error {
	if secure != nil && kgo.ValidateOpts(extra...) == nil &&
		kgo.ValidateOpts(append(slices.Clone(extra), kgo.DialTLSConfig(secure))...) != nil {
		return &OptionError{Option: "Dialer", Reason: "it would go around Config.TLS: drop one of the two"}
	}
	return nil
}

// CheckTogether refuses what kgo does of options that are fine each by itself.
func CheckTogether(opts Options) error {
	connection, err := opts.connection(nil)
	if err != nil {
		return err
	}
	if err := kgo.ValidateOpts(append(connection, opts.membership()...)...); err != nil {
		return fmt.Errorf("kgo options: %w", err)
	}
	return nil
}

// checkOpt looks at one option alone, so that each is named whatever the others are: by
// the name of the function that made it, and, should a compiler name functions in another
// way, by what it sets.
func checkOpt(opt kgo.Opt) error {
	if opt == nil {
		return errors.New("kgo option: nil")
	}
	name := optionName(opt)
	if name == "WithHooks" {
		return nil // no client is made with them only to look
	}
	for _, r := range refusals() {
		if r.option == name {
			return &OptionError{Option: r.option, Reason: r.reason}
		}
	}
	return checkValue(opt)
}

// optionName is what kgo calls opt. Options are closures within the function of their
// name, such as kgo.SessionTimeout.func1, or main.run.SessionTimeout.func2 where that
// function was inlined.
func optionName(opt kgo.Opt) string {
	v := reflect.ValueOf(opt)
	if v.Kind() != reflect.Struct || v.NumField() != 1 || v.Field(0).Kind() != reflect.Func || v.Field(0).IsNil() {
		return ""
	}
	parts := strings.Split(goruntime.FuncForPC(v.Field(0).Pointer()).Name(), ".")
	for len(parts) > 1 && (strings.HasPrefix(parts[len(parts)-1], "func") || strings.Trim(parts[len(parts)-1], "0123456789") == "") {
		parts = parts[:len(parts)-1]
	}
	return parts[len(parts)-1]
}

// A surrounding is options that another one may need around it.
type surrounding struct {
	opts []kgo.Opt
	bare atomic.Pointer[[]any] // what a client with opts alone has; nil: not known yet
}

// surroundings are asked in order. What they have alone is the same for every client of the
// process, and a client costs more than all that is asked of it.
var surroundings = []*surrounding{ //nolint:gochecknoglobals // as above
	{},
	{opts: []kgo.Opt{kgo.ConsumerGroup("g")}},
	{opts: []kgo.Opt{kgo.ConsumeRegex()}},
	{opts: []kgo.Opt{kgo.DefaultProduceTopic("t")}},
	{opts: []kgo.Opt{kgo.DisableIdempotentWrite()}},
}

// checkValue applies opt. Some options are invalid alone: they need another one around
// them.
func checkValue(opt kgo.Opt) error {
	var first error
	for _, s := range surroundings {
		err := s.compare(opt)
		if refused := (*OptionError)(nil); err == nil || errors.As(err, &refused) {
			return err
		}
		if first == nil {
			first = err
		}
	}
	return fmt.Errorf("kgo option: %w", first)
}

// compare asks a client with the option, and one without it, for the value of each
// option that is refused.
func (s *surrounding) compare(opt kgo.Opt) error {
	bare := s.bare.Load()
	if bare == nil { // several may find out at once: a lock would be held while a client closes
		values, err := refusedValues(s.opts)
		if err != nil {
			return err
		}
		s.bare.Store(&values)
		bare = &values
	}
	with, err := refusedValues(append(slices.Clone(s.opts), opt))
	if err != nil {
		return err
	}
	for i, r := range refusals() {
		if !same((*bare)[i], with[i]) {
			return &OptionError{Option: r.option, Reason: r.reason}
		}
	}
	return nil
}

// refusedValues are the values that a client has of each option that is refused.
func refusedValues(opts []kgo.Opt) ([]any, error) {
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	all := refusals()
	values := make([]any, len(all))
	for i, r := range all {
		values[i] = cl.OptValue(r.option)
	}
	return values, nil
}

// same compares two values of an option. Functions are the same when both are set or
// both are not, and so are values of one type that hold functions, as the defaults of
// RecordPartitioner and WithDecompressor do.
func same(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	if !va.IsValid() || !vb.IsValid() || va.Type() != vb.Type() {
		return false
	}
	switch va.Kind() { //nolint:exhaustive // the others are compared by value
	case reflect.Func:
		return va.IsNil() == vb.IsNil()
	case reflect.Pointer:
		return va.Elem().Kind() == reflect.Struct && va.IsNil() == vb.IsNil() && va.Type() != reflect.TypeFor[*tls.Config]()
	}
	return false
}
