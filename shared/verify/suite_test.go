package verify_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// The tests in this file run over every provider in the table and derive what they expect from what Sign writes, so that a new
// entry has them all at once.

// bodyNotSigned lists the schemes that do not cover the body, on purpose.
var bodyNotSigned = []string{"bearer", "none"}

var (
	signedAt = time.Unix(1_700_000_000, 0)
	sample   = verify.Webhook{
		Body:       []byte(`{"id":"evt_1","type":"invoice.paid","action":"opened","amount":1200}`),
		DeliveryID: "msg-1",
		EventType:  "invoice.paid",
	}
)

// secret makes a secret that every scheme takes.
func secret(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "whsec_" + base64.StdEncoding.EncodeToString(sum[:])
}

// configs returns one configuration for each provider, and several for the one that is described.
func configs() map[string]verify.Config {
	all := map[string]verify.Config{}
	for _, name := range verify.Providers() {
		all[name] = verify.Config{Provider: name}
	}
	delete(all, "hmac")
	payloads := map[string]verify.HMAC{
		"body":          {Payload: "{body}"},
		"time and body": {Payload: "v0:{timestamp}:{body}", TimestampHeader: "X-Ts", Tolerance: 90 * time.Second},
		"id and body":   {Payload: "{body}|{id}", IDHeader: "X-Id"},
		"all":           {Payload: "{id}.{timestamp}.{body}", IDHeader: "X-Id", TimestampHeader: "X-Ts"},
	}
	for _, algorithm := range []string{"", "sha1", "sha256", "sha512"} {
		for _, encoding := range []string{"", "hex", "base64"} {
			for name, h := range payloads {
				h.Header, h.Algorithm, h.Encoding, h.Prefix = "X-Sig", algorithm, encoding, strings.Trim(algorithm+"=", "=")
				all[fmt.Sprintf("hmac %s %s %s", algorithm, encoding, name)] = verify.Config{Provider: "hmac", HMAC: &h}
			}
		}
	}
	return all
}

// subject is one configuration with a signed request.
type subject struct {
	cfg      verify.Config
	verifier *verify.Verifier
	request  verify.Request
}

func newSubject(t *testing.T, cfg verify.Config) subject {
	t.Helper()
	var secrets []string
	if cfg.Provider != "none" {
		secrets = []string{secret("current")}
	}
	v := newVerifier(t, cfg, secrets...)
	return subject{cfg, v, request(t, v, signedAt)}
}

func newVerifier(t testing.TB, cfg verify.Config, secrets ...string) *verify.Verifier {
	t.Helper()
	v, err := verify.New(cfg, secrets)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return v
}

// request returns the sample as v's provider sends it at a time.
func request(t testing.TB, v *verify.Verifier, at time.Time) verify.Request {
	t.Helper()
	h, err := v.Sign(sample, at)
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	return verify.Request{Header: h, Body: sample.Body, ReceivedAt: at}
}

// with returns r with another value of one header; "" takes it away.
func with(r verify.Request, name, value string) verify.Request {
	r.Header = maps.Clone(r.Header)
	if r.Header[name] = value; value == "" {
		delete(r.Header, name)
	}
	return r
}

// proofHeaders returns the headers that the scheme cannot do without.
func (s subject) proofHeaders(t *testing.T) []string {
	t.Helper()
	var names []string
	for name := range s.request.Header {
		if s.verify(with(s.request, name, "")) != nil {
			names = append(names, name)
		}
	}
	for _, name := range s.verifier.SignatureHeaders() {
		if !slices.Contains(names, name) {
			t.Errorf("accepted without its signature header %s", name)
		}
	}
	if s.cfg.Provider != "none" && len(names) == 0 {
		t.Error("no header is needed: nothing is proved")
	}
	return names
}

func (s subject) verify(r verify.Request) error {
	_, err := s.verifier.Verify(r)
	return err
}

// refused fails the test unless r is refused for its signature: never for its time, which is judged only where that is right.
func (s subject) refused(t *testing.T, what string, r verify.Request) {
	t.Helper()
	err := s.verify(r)
	for _, sentinel := range []error{verify.ErrMissing, verify.ErrMalformed, verify.ErrRepeated, verify.ErrMismatch} {
		if errors.Is(err, sentinel) {
			return
		}
	}
	t.Errorf("%s: got %v, want a refusal of the signature", what, err)
}

func forEach(t *testing.T, check func(t *testing.T, s subject)) {
	t.Parallel()
	for name, cfg := range configs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, newSubject(t, cfg))
		})
	}
}

func TestEveryProvider_AcceptsWhatItSigns(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		for name, body := range map[string]string{
			"JSON": string(sample.Body), "empty": "", "NUL and invalid UTF-8": "\x00\xff\xfe", "text": "a=b&c=d\r\n",
			"large": strings.Repeat("x", 1<<20),
		} {
			w := sample
			w.Body = []byte(body)
			h, err := s.verifier.Sign(w, signedAt)
			if err != nil {
				t.Fatalf("%s: Sign: %v", name, err)
			}
			if err := s.verify(verify.Request{Header: h, Body: w.Body, ReceivedAt: signedAt}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if h["content-type"] != "application/json" {
				t.Errorf("%s: content-type %q", name, h["content-type"])
			}
		}
	})
}

func TestEveryProvider_RefusesOneFlippedBit(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		for _, name := range s.proofHeaders(t) {
			value := s.request.Header[name]
			for i := range len(value) * 8 {
				flipped := flip([]byte(value), i)
				if name == "authorization" && strings.EqualFold(string(flipped), value) && i < 8*len("Bearer") {
					continue // the name of an authentication scheme has no case
				}
				s.refused(t, fmt.Sprintf("bit %d of %s", i, name), with(s.request, name, string(flipped)))
			}
		}
		for i := range len(sample.Body) * 8 {
			r := s.request
			r.Body = flip(sample.Body, i)
			s.bodyChanged(t, fmt.Sprintf("bit %d of the body", i), r)
		}
	})
}

func (s subject) bodyChanged(t *testing.T, what string, r verify.Request) {
	t.Helper()
	if !slices.Contains(bodyNotSigned, s.cfg.Provider) {
		s.refused(t, what, r)
	} else if err := s.verify(r); err != nil {
		t.Errorf("%s: %v, though the scheme does not sign it", what, err)
	}
}

func flip(b []byte, bit int) []byte {
	b = slices.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

func TestEveryProvider_RefusesCutAndOversizedValues(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		for _, name := range s.proofHeaders(t) {
			value := s.request.Header[name]
			for i := range len(value) {
				s.refused(t, fmt.Sprintf("%s cut to %d", name, i), with(s.request, name, value[:i]))
			}
			for _, filler := range []string{"a", "0", ",", " ", "=", "\x00", "é", "v1,", "v1=", "t=1,", "t=,"} {
				s.refused(t, fmt.Sprintf("%s of %q", name, filler), with(s.request, name, strings.Repeat(filler, 1<<16)))
			}
			for _, filler := range []string{"a", "0", "\x00", "é"} { // of which no list of entries is made
				much := strings.Repeat(filler, 1<<16)
				s.refused(t, fmt.Sprintf("%s after %q", name, filler), with(s.request, name, much+value))
				s.refused(t, fmt.Sprintf("%s before %q", name, filler), with(s.request, name, value+much))
			}
		}
		for i := range sample.Body {
			r := s.request
			r.Body = sample.Body[:i]
			s.bodyChanged(t, fmt.Sprintf("body cut to %d", i), r)
		}
	})
}

func TestEveryProvider_RefusesMissingAndRepeatedHeaders(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		for _, name := range s.proofHeaders(t) {
			value := s.request.Header[name]
			for what, r := range map[string]struct {
				value string
				want  error
			}{
				"missing":      {"", verify.ErrMissing},
				"twice":        {value + "," + value, verify.ErrRepeated},
				"twice, other": {value + "," + value[:len(value)-1], verify.ErrRepeated},
			} {
				if err := s.verify(with(s.request, name, r.value)); !errors.Is(err, r.want) {
					t.Errorf("%s %s: got %v, want %v", name, what, err, r.want)
				}
			}
		}
		if s.cfg.Provider != "none" {
			if err := s.verify(verify.Request{Body: sample.Body, ReceivedAt: signedAt}); !errors.Is(err, verify.ErrMissing) {
				t.Errorf("no header at all: got %v, want %v", err, verify.ErrMissing)
			}
		}
	})
}

func TestEveryProvider_RotatesSecrets(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		if s.cfg.Provider == "none" {
			if _, err := verify.New(s.cfg, []string{secret("any")}); !errors.Is(err, verify.ErrConfig) {
				t.Errorf("a secret: got %v, want %v", err, verify.ErrConfig)
			}
			return
		}
		current, old := s.request, request(t, newVerifier(t, s.cfg, secret("old")), signedAt)
		for what, step := range map[string]struct {
			accepted         []string
			wantCur, wantOld error
		}{
			"before": {[]string{secret("old")}, verify.ErrMismatch, nil},
			"during": {[]string{secret("current"), secret("old")}, nil, nil},
			"after":  {[]string{secret("current")}, nil, verify.ErrMismatch},
			"other":  {[]string{secret("other")}, verify.ErrMismatch, verify.ErrMismatch},
		} {
			v := newVerifier(t, s.cfg, step.accepted...)
			if _, err := v.Verify(current); !errors.Is(err, step.wantCur) {
				t.Errorf("%s, current secret: got %v, want %v", what, err, step.wantCur)
			}
			if _, err := v.Verify(old); !errors.Is(err, step.wantOld) {
				t.Errorf("%s, old secret: got %v, want %v", what, err, step.wantOld)
			}
		}
		for what, secrets := range map[string][]string{
			"none": nil, "empty": {""}, "blank": {" \n"}, "second empty": {secret("current"), ""},
		} {
			if _, err := verify.New(s.cfg, secrets); !errors.Is(err, verify.ErrConfig) || !strings.Contains(err.Error(), "secrets") {
				t.Errorf("secrets %s: got %v, want %v about secrets", what, err, verify.ErrConfig)
			}
		}
	})
}

func TestEveryProvider_HoldsToItsTolerance(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		tolerance := verify.DefaultTolerance
		if s.cfg.HMAC != nil && s.cfg.HMAC.Tolerance != 0 {
			tolerance = s.cfg.HMAC.Tolerance
		}
		timed := !maps.Equal(s.request.Header, request(t, s.verifier, signedAt.Add(time.Hour)).Header)
		for what, at := range map[string]struct {
			age  time.Duration
			want error
		}{
			"at once":                     {0, nil},
			"exactly as old as allowed":   {tolerance, nil},
			"exactly as early as allowed": {-tolerance, nil},
			"a second too old":            {tolerance + time.Second, verify.ErrStale},
			"a second too early":          {-tolerance - time.Second, verify.ErrFuture},
			"years old":                   {50 * 365 * 24 * time.Hour, verify.ErrStale},
			"years ahead":                 {-50 * 365 * 24 * time.Hour, verify.ErrFuture},
		} {
			want := at.want
			if !timed {
				want = nil
			}
			r := s.request
			r.ReceivedAt = signedAt.Add(at.age)
			if err := s.verify(r); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", what, err, want)
			}
		}
	})
}

func TestEveryProvider_TellsNoSecret(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		told := fmt.Sprintf("%v %+v %#v", s.verifier, s.verifier, s.verifier)
		for _, name := range s.proofHeaders(t) {
			value := s.request.Header[name]
			for _, bad := range []string{"", value + "x", value + "," + value, value[1:]} {
				told += fmt.Sprint(s.verify(with(s.request, name, bad)))
			}
			if name != "webhook-id" && strings.Contains(told, value) {
				t.Errorf("the value of %s is told: %s", name, told)
			}
		}
		if strings.Contains(told, secret("current")) || strings.Contains(told, strings.TrimPrefix(secret("current"), "whsec_")) {
			t.Errorf("the secret is told: %s", told)
		}
	})
}

func TestEveryProvider_VerifiesConcurrently(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		var group sync.WaitGroup
		for i := range 8 {
			w := verify.Webhook{Body: bytes.Repeat([]byte{byte('a' + i)}, 1000), DeliveryID: fmt.Sprint(i)}
			h, err := s.verifier.Sign(w, signedAt)
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() {
				for range 20 {
					if err := s.verify(verify.Request{Header: h, Body: w.Body, ReceivedAt: signedAt}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	})
}
