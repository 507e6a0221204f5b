package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// refusedOptions has one of each option that users may not set.
func refusedOptions(ctx context.Context) map[string]kgo.Opt {
	callback := func(context.Context, *kgo.Client, map[string][]int32) {}
	return map[string]kgo.Opt{
		"ConsumerGroup":        kgo.ConsumerGroup("g"),
		"ShareGroup":           kgo.ShareGroup("g"),
		"SeedBrokers":          kgo.SeedBrokers("other:9092"),
		"WithContext":          kgo.WithContext(ctx),
		"ServerSideBalancer":   kgo.ServerSideBalancer(),
		"GroupProtocol":        kgo.GroupProtocol("connect"),
		"Balancers":            kgo.Balancers(kgo.RangeBalancer()),
		"BlockRebalanceOnPoll": kgo.BlockRebalanceOnPoll(),
		"InstanceID":           kgo.InstanceID("i"),
		"SessionTimeout":       kgo.SessionTimeout(time.Minute),
		"RebalanceTimeout":     kgo.RebalanceTimeout(time.Hour),
		"HeartbeatInterval":    kgo.HeartbeatInterval(time.Second),
		"OnPartitionsAssigned": kgo.OnPartitionsAssigned(callback),
		"OnPartitionsRevoked":  kgo.OnPartitionsRevoked(callback),
		"OnPartitionsLost":     kgo.OnPartitionsLost(callback),
		"OnOffsetsFetched": kgo.OnOffsetsFetched(func(context.Context, *kgo.Client, *kmsg.OffsetFetchResponse) error {
			return nil
		}),
		"AdjustFetchOffsetsFn": kgo.AdjustFetchOffsetsFn(
			func(_ context.Context, o map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
				return o, nil
			}),
		"ConsumeStartOffset": kgo.ConsumeStartOffset(kgo.NewOffset().At(3)),
		"ConsumeResetOffset": kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		"DisableAutoCommit":  kgo.DisableAutoCommit(),
		"GreedyAutoCommit":   kgo.GreedyAutoCommit(),
		"AutoCommitInterval": kgo.AutoCommitInterval(time.Minute),
		"AutoCommitMarks":    kgo.AutoCommitMarks(),
		"AutoCommitCallback": kgo.AutoCommitCallback(
			func(*kgo.Client, *kmsg.OffsetCommitRequest, *kmsg.OffsetCommitResponse, error) {}),
		"DisableFetchCRCValidation": kgo.DisableFetchCRCValidation(),
		"AllowAutoTopicCreation":    kgo.AllowAutoTopicCreation(),
		"ConsumeTopics":             kgo.ConsumeTopics("t"),
		"ConsumePartitions":         kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset()}}),
		"ConsumeRegex":              kgo.ConsumeRegex(),
		"ConsumeExcludeTopics":      kgo.ConsumeExcludeTopics("t"),
		"FetchIsolationLevel":       kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		"KeepControlRecords":        kgo.KeepControlRecords(),
		"KeepRetryableFetchErrors":  kgo.KeepRetryableFetchErrors(),
		"MaxDecompressBatchBytes":   kgo.MaxDecompressBatchBytes(5),
		"WithDecompressor":          kgo.WithDecompressor(decompressor{}),
		"WithPools":                 kgo.WithPools(pool{}),
		"TransactionalID":           kgo.TransactionalID("x"),
		"DisableIdempotentWrite":    kgo.DisableIdempotentWrite(),
		"RequiredAcks":              kgo.RequiredAcks(kgo.LeaderAck()),
		"RecordPartitioner":         kgo.RecordPartitioner(kgo.ManualPartitioner()),
		"ManualFlushing":            kgo.ManualFlushing(),
		"DefaultProduceTopicAlways": kgo.DefaultProduceTopicAlways(),
		"SASL":                      kgo.SASL(plain.Auth{User: "u", Pass: "p"}.AsMechanism()),
		"DialTLSConfig":             kgo.DialTLSConfig(new(tls.Config)),
	}
}

type decompressor struct{}

func (decompressor) Decompress(src []byte, _ kgo.CompressionCodecType) ([]byte, error) {
	return src, nil
}

type pool struct{}

func (pool) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte { return nil }
func (pool) PutDecompressBytes([]byte)                                  {}

func TestRefusedOptions(t *testing.T) {
	t.Parallel()
	options := refusedOptions(t.Context())
	for _, r := range refusals() {
		t.Run(r.option, func(t *testing.T) {
			t.Parallel()
			opt := options[r.option]
			if opt == nil {
				t.Fatal("no option of that name in the test")
			}
			var got *OptionError
			if err := CheckOpts([]kgo.Opt{opt}); !errors.As(err, &got) || got.Option != r.option {
				t.Errorf("by name: %v", err)
			}
			// By its value, in case that names are lost. Callbacks have none to be seen.
			switch r.option {
			case "OnPartitionsAssigned", "OnPartitionsRevoked", "OnPartitionsLost", "AutoCommitCallback":
			case "DisableAutoCommit":
			default:
				if err := checkValue(opt); !errors.As(err, &got) || got.Option != r.option {
					t.Errorf("by value: %v", err)
				}
			}
		})
	}
	if len(options) != len(refusals()) {
		t.Errorf("%d options in the test, %d refusals", len(options), len(refusals()))
	}
}

func TestAllRefusalsAreReportedInOrder(t *testing.T) {
	t.Parallel()
	err := CheckOpts([]kgo.Opt{kgo.SessionTimeout(time.Minute), kgo.Rack("a"), nil, kgo.DialTLS()})
	want := "kgo.SessionTimeout: set Config.SessionTimeout\nkgo option: nil\nkgo.DialTLSConfig: set it in Config, where it is checked"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestAllowedOptions(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]kgo.Opt{
		"ClientID":                 kgo.ClientID("mine"),
		"WithLogger":               kgo.WithLogger(kgo.BasicLogger(nil, kgo.LogLevelNone, nil)),
		"WithHooks":                kgo.WithHooks(&lease{}),
		"Dialer":                   kgo.Dialer((&net.Dialer{}).DialContext),
		"DialTimeout":              kgo.DialTimeout(time.Second),
		"FetchMaxWait":             kgo.FetchMaxWait(time.Second),
		"FetchMaxBytes":            kgo.FetchMaxBytes(1 << 20),
		"FetchMinBytes":            kgo.FetchMinBytes(2),
		"MaxConcurrentFetches":     kgo.MaxConcurrentFetches(2),
		"Rack":                     kgo.Rack("a"),
		"ProducerLinger":           kgo.ProducerLinger(0),
		"ProducerBatchCompression": kgo.ProducerBatchCompression(kgo.NoCompression()),
		"RequestRetries":           kgo.RequestRetries(3),
		"RetryTimeout":             kgo.RetryTimeout(time.Second),
		"MetadataMaxAge":           kgo.MetadataMaxAge(time.Minute),
		"MaxVersions":              kgo.MaxVersions(kversion.V3_9_0()),
		"DisableFetchSessions":     kgo.DisableFetchSessions(),
		"ConnIdleTimeout":          kgo.ConnIdleTimeout(time.Minute),
	} {
		if err := CheckOpts([]kgo.Opt{opt}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Ours come last: what a user sets anyway, past the check, has no effect. (But for SASL,
// which adds to a list: there the check is all there is.)
func TestOursWinOverTheUsers(t *testing.T) {
	t.Parallel()
	opts := Options{
		Brokers: []string{"localhost:1"}, Group: "g", Topics: []Topic{{Name: "t"}}, InstanceID: "i",
		SessionTimeout: 30 * time.Second, RebalanceTimeout: time.Minute, MaxDecompressedBatch: 1 << 20,
		SASL: &SASL{Mechanism: "PLAIN", Username: "u", Password: func() (string, error) { return "p", nil }},
		TLS:  &tls.Config{ServerName: "ours"}, //nolint:gosec // never connects
		Extra: []kgo.Opt{
			kgo.SeedBrokers("other:9"), kgo.ConsumerGroup("theirs"), kgo.ConsumeTopics("theirs"), kgo.InstanceID("theirs"),
			kgo.SessionTimeout(time.Hour), kgo.RebalanceTimeout(time.Hour), kgo.HeartbeatInterval(time.Minute),
			kgo.Balancers(kgo.RangeBalancer()), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
			kgo.FetchIsolationLevel(kgo.ReadUncommitted()), kgo.MaxDecompressBatchBytes(5),
			kgo.DialTLSConfig(&tls.Config{ServerName: "theirs"}), //nolint:gosec // never connects
			kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ClientID("theirs"),
		},
	}
	connection, err := opts.connection(nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it never dials
	cl, err := kgo.NewClient(append(append(connection, opts.membership()...), kgo.WithContext(ctx))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for name, want := range map[string]any{
		"SeedBrokers": []string{"localhost:1"}, "ConsumerGroup": "g", "InstanceID": "i",
		"SessionTimeout": 30 * time.Second, "RebalanceTimeout": time.Minute, "HeartbeatInterval": time.Second,
		"FetchIsolationLevel": int8(1), "MaxDecompressBatchBytes": 1 << 20, "ConsumeResetOffset": kgo.NoResetOffset(),
		"ConsumeStartOffset": kgo.NoResetOffset(), "KeepControlRecords": true, "DisableAutoCommit": true,
		"BlockRebalanceOnPoll": false, "DisableIdempotentWrite": false,
		"ClientID": "theirs", // a default of ours, which is theirs to change
	} {
		if got := cl.OptValue(name); !same(got, want) {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if got := cl.OptValue(kgo.Balancers).([]kgo.GroupBalancer); len(got) != 1 || got[0].ProtocolName() != "cooperative-sticky" {
		t.Errorf("balancers %v", got)
	}
	if got := cl.OptValue(kgo.DialTLSConfig).(*tls.Config); got.ServerName != "ours" {
		t.Errorf("TLS of %s", got.ServerName)
	}
	if _, ok := cl.OptValue(kgo.RecordPartitioner).(bySource); !ok {
		t.Errorf("partitioner %T", cl.OptValue(kgo.RecordPartitioner))
	}
}

func TestHeartbeatInterval(t *testing.T) {
	t.Parallel()
	for session, want := range map[time.Duration]time.Duration{
		45 * time.Second: time.Second, 9 * time.Second: time.Second, 2400 * time.Millisecond: 800 * time.Millisecond,
	} {
		o := Options{Brokers: []string{"localhost:1"}, Group: "g", SessionTimeout: session, RebalanceTimeout: time.Minute, MaxDecompressedBatch: 1}
		connection, err := o.connection(nil)
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(append(connection, o.membership()...)...)
		if err != nil {
			t.Fatal(err)
		}
		if got := cl.OptValue(kgo.HeartbeatInterval); got != want {
			t.Errorf("session %v: a heartbeat every %v, want %v", session, got, want)
		}
		cl.Close()
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := func() Options {
		return Options{
			Brokers: []string{"localhost:1"}, Group: "g", Topics: []Topic{{Name: "t"}},
			SessionTimeout: 30 * time.Second, RebalanceTimeout: time.Minute, MaxDecompressedBatch: 1 << 20,
		}
	}
	for name, change := range map[string]func(*Options){
		"kgo.GroupProtocol:": func(o *Options) { o.Extra = []kgo.Opt{kgo.GroupProtocol("x")} },
		"kgo.Dialer:": func(o *Options) {
			o.TLS, o.Extra = new(tls.Config), []kgo.Opt{kgo.Dialer((&net.Dialer{}).DialContext)}
		},
		"sasl: mechanism": func(o *Options) { o.SASL = &SASL{Mechanism: "GSSAPI"} },
		"kgo options:":    func(o *Options) { o.Extra = []kgo.Opt{kgo.ClientID(string(make([]byte, 999)))} },
		"kgo option:":     func(o *Options) { o.Extra = []kgo.Opt{kgo.BrokerMaxReadBytes(1)} },
	} {
		o := good()
		change(&o)
		_, err := New(o, &recorder{})
		if err == nil || len(err.Error()) < len(name) || err.Error()[:len(name)] != name && name != "kgo options:" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	o := good()
	o.Extra = []kgo.Opt{kgo.Dialer((&net.Dialer{}).DialContext)}
	if _, err := New(o, &recorder{}); err != nil {
		t.Errorf("a dialer without TLS: %v", err)
	}
}
