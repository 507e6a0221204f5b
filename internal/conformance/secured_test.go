//go:build kafka

package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
)

// listeners are the broker's secured ones, and who may use them.
type listeners struct {
	SASLPlaintext string `json:"sasl_plaintext"`
	SASLSSL       string `json:"sasl_ssl"`
	MTLS          string `json:"mtls"`

	CAFile           string `json:"ca_file"`
	ClientCertFile   string `json:"client_cert_file"`
	ClientKeyFile    string `json:"client_key_file"`
	StrangerCertFile string `json:"stranger_cert_file"`
	StrangerKeyFile  string `json:"stranger_key_file"`

	Users []user `json:"users"`
}

type user struct {
	Mechanism    string `json:"mechanism"`
	Username     string `json:"username"`
	PasswordFile string `json:"password_file"`
}

func secured(t *testing.T) listeners {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(os.Getenv("TROUPE_KAFKA_DIR"), "secured.json"))
	if err != nil {
		t.Fatal(err)
	}
	var l listeners
	if err := json.Unmarshal(text, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// tls trusts the broker, and shows the certificate in certFile if there is one.
func (l listeners) tls(t *testing.T, certFile, keyFile string) *tls.Config {
	t.Helper()
	ca, err := os.ReadFile(l.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	if !cfg.RootCAs.AppendCertsFromPEM(ca) {
		t.Fatalf("no certificate in %s", l.CAFile)
	}
	if certFile != "" {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg
}

func (u user) sasl() runtime.SASL {
	return runtime.SASL{Mechanism: u.Mechanism, Username: u.Username, Password: runtime.SecretFile(u.PasswordFile)}
}

// run runs a Runtime in this process until it has finished n records, and returns what
// Run does.
func (b *bed) run(cfg runtime.Config, topic string, n int) error {
	b.t.Helper()
	done := make(chan struct{}, n)
	cfg.Group, cfg.Logger = b.group, zap.NewNop()
	if len(cfg.Topics) == 0 {
		cfg.Topics = []runtime.Topic{{Name: topic}}
	}
	cfg.Topics[0].Behavior = actors.Func(func(context.Context, *actors.Record) error {
		done <- struct{}{}
		return nil
	})
	rt, err := runtime.New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	go func() { // ends with the records, or with the test
		for range n {
			select {
			case <-done:
			case <-b.t.Context().Done():
			}
		}
		cancel()
	}()
	return rt.Run(ctx)
}

// Each way to authenticate works on the broker's secured listeners: what was written
// there is handled and committed.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	l := secured(t)
	cases := map[string]runtime.Config{
		"mTLS": {Brokers: []string{l.MTLS}, TLS: l.tls(t, l.ClientCertFile, l.ClientKeyFile)},
	}
	for _, u := range l.Users {
		cases[u.Mechanism+" over TLS"] = runtime.Config{Brokers: []string{l.SASLSSL}, TLS: l.tls(t, "", ""), SASL: u.sasl()}
		cases[u.Mechanism+" without TLS"] = runtime.Config{Brokers: []string{l.SASLPlaintext}, AllowInsecure: true, SASL: u.sasl()}
	}
	if len(cases) != 7 {
		t.Errorf("%d ways to authenticate, want PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, each with TLS and without, and mTLS", len(cases))
	}
	for name, cfg := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			topic := b.topic("orders", 1)
			b.produce(topic, 1, 5, "k")
			if err := b.run(cfg, topic, 5); err != nil {
				t.Errorf("Run returned %v", err)
			}
			if got := b.line(topic, 0); got != 5 {
				t.Errorf("%d is committed, want 5", got)
			}
		})
	}
}

// What the broker refuses, and a broker that is not to be trusted, ends Run with
// ErrAuthentication, and no error shows the password.
func TestRefusedAuthentication(t *testing.T) {
	t.Parallel()
	l := secured(t)
	const wrong = "not-the-password"
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]runtime.Config{
		"a stranger's certificate": {Brokers: []string{l.MTLS}, TLS: l.tls(t, l.StrangerCertFile, l.StrangerKeyFile)},
		"no certificate":           {Brokers: []string{l.MTLS}, TLS: l.tls(t, "", "")},
		"an unknown CA":            {Brokers: []string{l.SASLSSL}, TLS: &tls.Config{MinVersion: tls.VersionTLS12}, SASL: l.Users[0].sasl()},
	}
	for _, u := range l.Users {
		u.PasswordFile = file
		cases["a wrong password for "+u.Mechanism] = runtime.Config{Brokers: []string{l.SASLSSL}, TLS: l.tls(t, "", ""), SASL: u.sasl()}
	}
	for name, cfg := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			topic := b.topic("orders", 1)
			err := b.run(cfg, topic, 1)
			if !errors.Is(err, runtime.ErrAuthentication) {
				t.Errorf("Run returned %v, want ErrAuthentication", err)
			}
			if err != nil && strings.Contains(err.Error(), wrong) {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

// A topic or a dead letter topic that is missing, or that the client may not use, ends
// Run with an error that names it.
func TestTopicsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	l := secured(t)
	open := runtime.Config{Brokers: []string{broker()}}
	scram := runtime.Config{Brokers: []string{l.SASLPlaintext}, SASL: l.Users[1].sasl()}
	for name, c := range map[string]struct {
		cfg       runtime.Config
		topic     string // missing, closed, or empty: fine
		dead      string
		want      error
		wantTopic string
	}{
		"unknown topic":                  {open, "missing", "", runtime.ErrTopicUnknown, "missing"},
		"unknown dead letter topic":      {open, "", "missing", runtime.ErrTopicUnknown, "missing"},
		"unauthorized topic":             {scram, "closed", "", runtime.ErrTopicUnauthorized, "closed"},
		"unauthorized dead letter topic": {scram, "", "closed", runtime.ErrTopicUnauthorized, "closed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			topic, dead := b.topic("orders", 1), ""
			names := map[string]string{"missing": b.group + ".missing"}
			if c.wantTopic == "closed" {
				names["closed"] = b.topic("closed", 1)
				b.closeTo(names["closed"])
			}
			if c.topic != "" {
				topic = names[c.topic]
			}
			if c.dead != "" {
				dead = names[c.dead]
			}
			cfg := c.cfg
			cfg.Topics = []runtime.Topic{{Name: topic, DeadLetter: runtime.DeadLetter{Topic: dead}}}
			err := b.run(cfg, topic, 1)
			problem, ok := errors.AsType[*runtime.TopicError](err)
			if !ok || !errors.Is(err, c.want) || problem.Topic != names[c.wantTopic] {
				t.Errorf("Run returned %v, want a TopicError of %s with %v", err, names[c.wantTopic], c.want)
			}
		})
	}
}

// A group that the client may not read ends Run with ErrGroupUnauthorized.
func TestAGroupThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	l := secured(t)
	topic := b.topic("orders", 1)
	b.onlyFor("User:nobody", kadm.NewACLs().Groups(b.group).Operations(kmsg.ACLOperationAll))
	err := b.run(runtime.Config{Brokers: []string{l.SASLPlaintext}, SASL: l.Users[1].sasl()}, topic, 1)
	if !errors.Is(err, runtime.ErrGroupUnauthorized) {
		t.Errorf("Run returned %v, want ErrGroupUnauthorized", err)
	}
}

// closeTo takes a topic from everybody but the listener without passwords: a user that
// does not exist gets it, and where an ACL is set no one else has a right.
func (b *bed) closeTo(topic string) {
	b.t.Helper()
	b.onlyFor("User:nobody", kadm.NewACLs().Topics(topic).Operations(kmsg.ACLOperationAll))
}

func (b *bed) onlyFor(principal string, acl *kadm.ACLBuilder) {
	b.t.Helper()
	acl.Allow(principal).AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral)
	results, err := b.adm.CreateACLs(b.t.Context(), acl)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	eventually(b.t, "the broker's authorizer has the ACL", func() bool {
		described, err := b.adm.DescribeACLs(b.t.Context(), acl)
		return err == nil && len(described) == 1 && described[0].Err == nil && len(described[0].Described) == 1
	})
	b.t.Cleanup(func() { b.forget(acl) })
}

// forget takes ACLs back; none is no error.
func (b *bed) forget(acl *kadm.ACLBuilder) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := b.adm.DeleteACLs(ctx, acl); err != nil {
		b.t.Errorf("delete ACLs: %v", err)
	}
}

// openTo takes back what closeTo did.
func (b *bed) openTo(topic string) {
	b.t.Helper()
	b.forget(kadm.NewACLs().Topics(topic).Operations(kmsg.ACLOperationAll).Allow("User:nobody").AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral))
}
