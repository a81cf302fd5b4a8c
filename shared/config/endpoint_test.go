package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/config"
	"webhook-relay/shared/relay/catalog"
)

// parseEndpoint parses a file with one endpoint that has these lines beside its name and URL.
func parseEndpoint(lines ...string) (catalog.Endpoint, error) {
	text := "endpoints:\n  - name: e\n    url: https://e.example.com\n"
	for _, line := range lines {
		text += "    " + strings.ReplaceAll(line, "\n", "\n    ") + "\n"
	}
	c, err := config.Parse("relay.yaml", []byte(text), lookupPEM)
	if err != nil {
		return catalog.Endpoint{}, err
	}
	return c.Endpoints[0], nil
}

func TestHowADeliveryIsTried(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		line string
		want catalog.Endpoint
	}{
		"nothing said": {"headers: {}", catalog.Endpoint{}},
		"a list": {
			"retry: {schedule: [1s, 2m]}",
			catalog.Endpoint{Schedule: []time.Duration{time.Second, 2 * time.Minute}},
		},
		"a single attempt": {
			"retry: {schedule: []}", catalog.Endpoint{Schedule: []time.Duration{}},
		},
		"one attempt by number": {
			"retry: {exponential: {first: 1s, attempts: 1}}",
			catalog.Endpoint{Schedule: []time.Duration{}},
		},
		"growing waits": {"retry: {exponential: {first: 5s, factor: 3, max: 1m, attempts: 5}}",
			catalog.Endpoint{
				Schedule: []time.Duration{
					5 * time.Second, 15 * time.Second, 45 * time.Second, time.Minute,
				},
			}},
		"growing waits, by default twice as long": {"retry: {exponential: {first: 1s, attempts: 4}}",
			catalog.Endpoint{
				Schedule: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second},
			}},
		"an age, and the default schedule": {
			"retry: {max_age: 72h}", catalog.Endpoint{MaxAge: 72 * time.Hour},
		},
		"what is final": {
			`retry: {final: ["404", 4xx, 501]}`,
			catalog.Endpoint{Final: []string{"404", "4xx", "501"}},
		},
		"a rate by the second": {
			"rate_limit: 50/s", catalog.Endpoint{RateLimit: 50, RatePer: time.Second},
		},
		"a rate by the minute": {
			"rate_limit: 90/m", catalog.Endpoint{RateLimit: 90, RatePer: time.Minute},
		},
		"a rate by the hour": {
			"rate_limit: 1000/h", catalog.Endpoint{RateLimit: 1000, RatePer: time.Hour},
		},
		"concurrency": {"concurrency: 10", catalog.Endpoint{Concurrency: 10}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseEndpoint(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Name, tt.want.URL, tt.want.Header = "e", "https://e.example.com",
				map[string]string{}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsWrongWithAnEndpointIsSaidWithLineAndKey(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ line, want string }{
		"both schedules": {
			"retry: {schedule: [1s], exponential: {first: 1s, attempts: 2}}",
			"relay.yaml:4: endpoints[0].retry: has both schedule and exponential",
		},
		"no attempts": {
			"retry:\n  exponential: {first: 5s}",
			"relay.yaml:5: endpoints[0].retry.exponential: retry: schedule: 0 attempts",
		},
		"shrinking waits": {
			"retry: {exponential: {first: 5s, factor: 0.5, attempts: 3}}",
			"relay.yaml:4: endpoints[0].retry.exponential: retry: schedule: factor 0.5",
		},
		"a wait too long": {
			"retry: {schedule: [400h]}",
			"relay.yaml:4: endpoints[0].retry.schedule: retry: schedule: entry 1 of 1",
		},
		"no age": {
			"retry:\n  max_age: 0s",
			"relay.yaml:5: endpoints[0].retry.max_age: 0s must be above 0s",
		},
		"an age beyond reason": {
			"retry: {max_age: 10000h}", "relay.yaml:4: endpoints[0].retry.max_age: 10000h0m0s",
		},
		"final success": {
			"retry:\n  final: [404, 2xx]",
			`endpoints[0].retry.final[1]: "2xx" is neither a status that is no success`,
		},
		"final nonsense": {
			"retry: {final: [4xxx]}",
			`relay.yaml:4: endpoints[0].retry.final[0]: "4xxx" is neither`,
		},
		"rate without unit": {
			"rate_limit: 50", `relay.yaml:4: endpoints[0].rate_limit: "50" is not a rate`,
		},
		"rate of none": {
			"rate_limit: 0/s",
			"relay.yaml:4: endpoints[0].rate_limit: 0 is not between 1 and 100000",
		},
		"rate by the day": {
			"rate_limit: 5/d", `relay.yaml:4: endpoints[0].rate_limit: "5/d" is not a rate`,
		},
		"concurrency of none": {
			"concurrency: 0",
			"relay.yaml:4: endpoints[0].concurrency: 0 is not between 1 and 10000",
		},
		"negative concurrency": {
			"concurrency: -1", "relay.yaml:4: endpoints[0].concurrency: -1 is not",
		},
		"tls of nothing": {
			"tls: {}",
			"relay.yaml:4: endpoints[0].tls: has neither a certificate with its key nor a ca",
		},
		"certificate, no key": {
			"tls: {certificate: env:CERT}",
			"relay.yaml:4: endpoints[0].tls: needs both certificate and key, or neither",
		},
		"another's key": {
			"tls: {certificate: env:CERT, key: env:OTHER_KEY}",
			"relay.yaml:4: endpoints[0].tls: certificate and key: tls: private key does not match public key",
		},
		"no PEM": {
			"tls: {certificate: hunter2, key: hunter2}",
			"relay.yaml:4: endpoints[0].tls: certificate and key: tls: failed to find any PEM data",
		},
		"key not in environment": {
			"tls: {certificate: env:CERT, key: env:NOPE}",
			"relay.yaml:4: endpoints[0].tls.key: the environment variable NOPE is not set",
		},
		"certificate expired": {
			"tls:\n  certificate: env:OLD_CERT\n  key: env:OLD_KEY",
			"relay.yaml:5: endpoints[0].tls.certificate: the certificate of CN=old expired on ",
		},
		"ca expired": {
			"tls: {ca: env:OLD_CERT}",
			"relay.yaml:4: endpoints[0].tls.ca: block 1, CERTIFICATE: the certificate of CN=old expired on ",
		},
		"ca that is a key": {
			"tls: {ca: env:KEY}", "relay.yaml:4: endpoints[0].tls.ca: block 1, PRIVATE KEY: x509: ",
		},
		"ca that is no PEM": {
			"tls: {ca: hunter2}", "relay.yaml:4: endpoints[0].tls.ca: has no certificate in PEM",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseEndpoint(tt.line)
			if !errors.Is(err, config.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") ||
				strings.Contains(err.Error(), pems["KEY"])) {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestTLSGoesWithHTTPSAlone(t *testing.T) {
	t.Parallel()
	_, err := config.Parse(
		"r.yaml",
		[]byte("endpoints:\n  - {name: e, url: http://e.example.com, tls: {ca: env:CERT}}\n"),
		lookupPEM,
	)
	if err == nil || !strings.Contains(
		err.Error(), "r.yaml:2: endpoints[0].tls: needs an endpoint url that begins with https",
	) {
		t.Errorf("got %v", err)
	}
}

// The certificate may be in the file and its key in the environment. Either may be in Secrets
// Manager; then it is not checked here.
func TestCertificates(t *testing.T) {
	t.Parallel()
	literal := "tls:\n  certificate: |\n    " + strings.ReplaceAll(
		strings.TrimSuffix(pems["CERT"], "\n"), "\n", "\n    ",
	) + "\n  key: env:KEY\n  ca: env:TWO_CERTS"
	for name, tt := range map[string]struct {
		line string
		want catalog.TLS
	}{
		"in the file": {
			literal,
			catalog.TLS{
				Certificate: []byte(pems["CERT"]), Key: []byte(pems["KEY"]),
				Authorities: []byte(pems["TWO_CERTS"]),
			},
		},
		"an authority alone": {
			"tls: {ca: env:CERT}", catalog.TLS{Authorities: []byte(pems["CERT"])},
		},
		"in Secrets Manager": {"tls: {certificate: env:CERT, key: aws-secretsmanager:shop/tls#key}",
			catalog.TLS{
				Certificate: []byte(pems["CERT"]), Key: []byte("aws-secretsmanager:shop/tls#key"),
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseEndpoint(tt.line)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got.TLS); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestChangesOfAnEndpointAreToldByKey(t *testing.T) {
	t.Parallel()
	parse := func(lines ...string) catalog.Catalog {
		e, err := parseEndpoint(lines...)
		if err != nil {
			t.Fatal(err)
		}
		return catalog.Catalog{Endpoints: []catalog.Endpoint{e}}
	}
	plain := parse()
	for lines, want := range map[string]string{
		"retry: {schedule: [1s], max_age: 1h, final: [404]}": "retry",
		"retry: {schedule: []}":                              "retry",
		"rate_limit: 5/m":                                    "rate_limit",
		"concurrency: 5\ntls: {ca: env:CERT}":                "concurrency, tls",
	} {
		if diff := cmp.Diff(
			[]string{"~ endpoint e: " + want}, config.Changes(plain, parse(lines), time.Now()),
		); diff != "" {
			t.Errorf("%s (-want +got):\n%s", lines, diff)
		}
	}
	if lines := config.Changes(
		parse("rate_limit: 5/m"), parse("rate_limit: 5/h"), time.Now(),
	); len(lines) != 1 {
		t.Errorf("another unit: %q", lines)
	}
}

func TestTheLongestExponentialScheduleIsValid(t *testing.T) {
	t.Parallel()
	got, err := parseEndpoint("retry: {exponential: {first: 6h, factor: 1.007, attempts: 48}}")
	if err != nil || len(got.Schedule) != 47 {
		t.Errorf("%v, %v", got.Schedule, err)
	}
	if _, err := parseEndpoint(
		"retry: {exponential: {first: 1ns, factor: 1e308, attempts: 51}}",
	); err == nil || !strings.Contains(err.Error(), "336h") {
		t.Errorf("more than 14 days in all: %v", err)
	}
}

// pems are self-signed certificates and their keys.
var pems = func() map[string]string {
	all := map[string]string{}
	all["CERT"], all["KEY"] = newPair("new", time.Now().Add(time.Hour))
	_, all["OTHER_KEY"] = newPair("other", time.Now().Add(time.Hour))
	all["OLD_CERT"], all["OLD_KEY"] = newPair("old", time.Now().Add(-time.Hour))
	all["TWO_CERTS"] = all["CERT"] + all["CERT"]
	return all
}()

func lookupPEM(name string) (string, bool) {
	v, ok := pems[name]
	return v, ok
}

func newPair(name string, until time.Time) (certificate, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: until.Add(-24 * time.Hour), NotAfter: until, IsCA: true,
	}
	der, err := x509.CreateCertificate(
		rand.Reader, &template, &template, &private.PublicKey, private,
	)
	if err != nil {
		panic(err)
	}
	bytes, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	encode := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return encode("CERTIFICATE", der), encode("PRIVATE KEY", bytes)
}
