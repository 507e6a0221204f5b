package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// authority issues certificates for loopback.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	der := a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	cert, err := x509.ParseCertificate(der.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	a.cert = cert
	a.pool.AddCert(cert)
	return a
}

// sign issues a certificate; the authority's own at first.
func (a *authority) sign(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: "test"}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	template.DNSNames = []string{"localhost"}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer, a.key = template, key, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) issue(usage x509.ExtKeyUsage) tls.Certificate {
	return a.sign(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{usage}, KeyUsage: x509.KeyUsageDigitalSignature})
}

const password = "hunter2-do-not-log"

func mechanism(name, pass string) *SASL {
	return &SASL{Mechanism: name, Username: "u", Password: func() (string, error) { return pass, nil }}
}

func TestSecuredListeners(t *testing.T) {
	t.Parallel()
	ca, stranger := newAuthority(t), newAuthority(t)
	server := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ca.issue(x509.ExtKeyUsageServerAuth)}}
	mutual := server.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, ca.pool
	trusting := func(certs ...tls.Certificate) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: ca.pool, Certificates: certs}
	}
	sasl := []kfake.Opt{
		kfake.EnableSASL(), kfake.Superuser("PLAIN", "u", password),
		kfake.Superuser("SCRAM-SHA-256", "u", password), kfake.Superuser("SCRAM-SHA-512", "u", password),
	}
	for name, test := range map[string]struct {
		broker []kfake.Opt
		tls    *tls.Config
		sasl   *SASL
		want   error // nil: it joins
	}{
		"TLS":                  {[]kfake.Opt{kfake.TLS(server)}, trusting(), nil, nil},
		"PLAIN over TLS":       {append(sasl, kfake.TLS(server)), trusting(), mechanism("PLAIN", password), nil},
		"SCRAM-SHA-256":        {sasl, nil, mechanism("SCRAM-SHA-256", password), nil},
		"SCRAM-SHA-512":        {sasl, nil, mechanism("SCRAM-SHA-512", password), nil},
		"mutual TLS":           {[]kfake.Opt{kfake.TLS(mutual)}, trusting(ca.issue(x509.ExtKeyUsageClientAuth)), nil, nil},
		"wrong PLAIN password": {append(sasl, kfake.TLS(server)), trusting(), mechanism("PLAIN", password+"x"), ErrAuthentication},
		"wrong SCRAM password": {sasl, nil, mechanism("SCRAM-SHA-256", password+"x"), ErrAuthentication},
		"untrusted broker":     {[]kfake.Opt{kfake.TLS(server)}, &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: stranger.pool}, nil, ErrAuthentication},
		"no certificate":       {[]kfake.Opt{kfake.TLS(mutual)}, trusting(), nil, ErrAuthentication},
		"foreign certificate":  {[]kfake.Opt{kfake.TLS(mutual)}, trusting(stranger.issue(x509.ExtKeyUsageClientAuth)), nil, ErrAuthentication},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			core, logs := observer.New(zap.DebugLevel)
			r := newRig(t, nil, test.broker...)
			n := r.start(func(o *Options, _ *recorder) { o.TLS, o.SASL, o.Logger = test.tls, test.sasl, zap.New(core) })
			if test.want == nil {
				n.joined(0)
				n.stores(0, 0)
			} else {
				wantErr(t, n.ended(), test.want)
			}
			for _, entry := range logs.All() {
				for _, v := range append(contextOf(entry), entry.Message) {
					if strings.Contains(v, password) {
						t.Errorf("a password in the log: %s", v)
					}
				}
			}
			for _, w := range n.warnings() {
				if w.Err != nil && strings.Contains(w.Err.Error(), password) {
					t.Errorf("a password in a warning: %v", w)
				}
			}
		})
	}
}

func contextOf(entry observer.LoggedEntry) []string {
	var out []string
	for _, f := range entry.Context {
		out = append(out, f.String)
		if err, ok := f.Interface.(error); ok {
			out = append(out, err.Error())
		}
	}
	return out
}

// TestNothingIsLeftBehind runs alone: it counts the goroutines of the process.
func TestNothingIsLeftBehind(t *testing.T) { //nolint:paralleltest // see above
	before := goleak.IgnoreCurrent()
	t.Run("run", func(t *testing.T) {
		r := newRig(t, nil)
		n := r.start()
		n.joined(0)
		n.Rebuild(errStopped)
		eventually(t, "assigned again", func() bool { return len(n.assignments(tp(0))) >= 2 }) // the old member's leave may come between two
		n.Seek(tp(0), n.epochOf(tp(0)), 1, 0)
		n.Stop()
		if err := n.ended(); err != nil {
			t.Error(err)
		}
	})
	goleak.VerifyNone(t, before)
}
