package verify_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/verify"
)

// The tests in this file run for every provider in the table and derive their expectations from the
// result of Sign. So a new entry has all of them at once.

// partlySigned lists the providers that sign only a part of the body on purpose. Each has its own
// tests of what it signs.
var partlySigned = []string{
	"adyen", "aircall", "braintree", "cloudsignal", "dropbox-sign", "ecwid", "favro", "figma",
	"mailgun", "mandrill", "meraki", "mercado-pago",
	"microsoft-graph", "prismic", "sns", "travis-ci", "twilio",
}

// withoutProof are the providers that prove nothing.
var withoutProof = []string{"none", "strava"}

// listed are the providers whose header is only a list of signatures (Recurly's begins with a
// time). If such a header is sent twice, it is just a longer list.
var listed = []string{
	"bridge-api", "circleci", "configcat", "cronofy", "gr4vy", "mollie", "pagerduty", "recurly",
	"revolut",
}

// contentTypes are the content types that are not application/json.
var contentTypes = map[string]string{"livekit": "application/webhook+json"}

// leftOut lists headers that are signed only if they are present. Without one, another text is
// signed.
var leftOut = map[string]string{"mercado-pago": "x-request-id"}

// ownBodies lists the providers that can only sign a body in their own form.
var ownBodies = []string{
	"adyen", "aircall", "braintree", "circle", "cloudsignal", "configcat", "dropbox-sign", "ecwid",
	"exact-online", "favro",
	"figma", "fireblocks", "framer", "hubspot-v1", "hubspot-v2", "hygraph", "kinde", "linear",
	"mailgun", "mandrill", "meraki",
	"mercado-pago", "microsoft-graph", "oura", "prismic", "quicknode", "recharge", "smartcar",
	"sns", "travis-ci", "twilio",
	"twitch", "wise", "wix", "x", "zero-hash",
}

var (
	signedAt = time.Unix(1_700_000_000, 0)
	sample   = verify.Webhook{
		Body:       []byte(`{"id":"evt_1","type":"invoice.paid","action":"opened","amount":1200}`),
		DeliveryID: "msg-1",
		EventType:  "invoice.paid",
	}
)

// seed is a source of random bytes that is always the same for a name.
func seed(name string) io.Reader {
	sum := sha256.Sum256([]byte(name))
	return bytes.NewReader(sum[:])
}

// secret makes a secret that is valid for every scheme with text secrets.
func secret(name string) string {
	sum := sha256.Sum256([]byte(name))
	return "whsec_" + base64.StdEncoding.EncodeToString(sum[:])
}

// configs returns the names of the tested configurations: each provider, and many configurations of
// provider hmac.
func configs() map[string]verify.Config {
	all := map[string]verify.Config{}
	for _, name := range verify.Providers() {
		all[name] = verify.Config{Provider: name}
	}
	delete(all, "hmac")
	payloads := map[string]verify.HMAC{
		"body": {Payload: "{body}"},
		"time and body": {
			Payload: "v0:{timestamp}:{body}", TimestampHeader: "X-Ts", Tolerance: 90 * time.Second,
		},
		"id and body": {Payload: "{body}|{id}", IDHeader: "X-Id"},
		"all": {
			Payload: "{id}.{timestamp}.{body}", IDHeader: "X-Id", TimestampHeader: "X-Ts",
		},
		"milliseconds": {
			Payload: "{timestamp}.{body}", TimestampHeader: "X-Ts", TimestampFormat: "ms",
			Key: "hex",
		},
		"RFC 3339": {
			Payload: "{timestamp}|{body}", TimestampHeader: "X-Ts", TimestampFormat: "rfc3339",
			Key: "base64",
		},
		"UTC": {
			Payload: "{timestamp}|{body}", TimestampHeader: "X-Ts", TimestampFormat: "utc",
		},
		"any age": {
			Payload: "{body}.{timestamp}", TimestampHeader: "X-Ts", Tolerance: verify.Unlimited,
			Key: "whsec",
		},
		"URL and method": {Payload: "{method}{url}{body}"},
	}
	for _, algorithm := range []string{"", "sha1", "sha256", "sha512"} {
		for _, encoding := range []string{"", "hex", "upper-hex", "base64", "base64url"} {
			for name, h := range payloads {
				h.Header, h.Algorithm, h.Encoding, h.Prefix = "X-Sig", algorithm, encoding,
					strings.Trim(algorithm+"=", "=")
				cfg := verify.Config{Provider: "hmac", HMAC: &h}
				if strings.Contains(h.Payload, "{url}") {
					cfg.URL = "https://relay.example.com/in/crm?tenant=1"
				}
				all[fmt.Sprintf("hmac %s %s %s", algorithm, encoding, name)] = cfg
			}
		}
	}
	return all
}

// subject is one configuration with a signed request.
type subject struct {
	cfg      verify.Config
	secret   string // "" where the provider has none
	verifier *verify.Verifier
	webhook  verify.Webhook
	request  verify.Request
}

// example returns the result of verify.Example. It is cached, because an RSA key takes long to
// make.
type example struct {
	cfg             verify.Config
	secret, signing string
}

var examples sync.Map

// exampleOf returns the example of a provider that the named seed makes.
func exampleOf(
	t testing.TB, provider, name string,
) (cfg verify.Config, secret, signing string) {
	t.Helper()
	made, _ := examples.LoadOrStore(provider+" "+name, sync.OnceValues(func() (example, error) {
		cfg, secret, signing, err := verify.Example(provider, seed(name))
		return example{cfg, secret, signing}, err
	}))
	e, err := made.(func() (example, error))()
	if err != nil {
		t.Fatal(err)
	}
	e.cfg.Settings = maps.Clone(e.cfg.Settings)
	return e.cfg, e.secret, e.signing
}

// newSubject makes the keys with the given name for cfg.
func newSubject(t testing.TB, cfg verify.Config, name string) subject {
	t.Helper()
	example, secret, signing := exampleOf(t, cfg.Provider, name)
	if cfg.HMAC != nil {
		example.HMAC, example.URL = cfg.HMAC, cfg.URL
		secret = map[string]string{"": secret, "hex": secret,
			"base64": base64.StdEncoding.EncodeToString([]byte(secret)),
			"whsec":  "whsec_" + base64.StdEncoding.EncodeToString([]byte(secret))}[cfg.HMAC.Key]
	}
	example.EventType, example.EventID = cfg.EventType, cfg.EventID
	var secrets []string
	if secret != "" {
		secrets = []string{secret}
	}
	v, err := verify.New(example, secrets, verify.SignWith(signing))
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	s := subject{cfg: example, secret: secret, verifier: v, webhook: webhook(t, cfg.Provider)}
	s.request = request(t, v, s.webhook, signedAt)
	return s
}

// webhook returns the provider's sample from the folder events.
func webhook(t testing.TB, provider string) verify.Webhook {
	t.Helper()
	if !slices.Contains(ownBodies, provider) {
		return sample
	}
	d, _ := verify.Describe(provider)
	return verify.Webhook{
		Body: sampleBody(t, provider), DeliveryID: "msg-1", EventType: d.Examples[0],
	}
}

func newVerifier(t testing.TB, cfg verify.Config, secrets ...string) *verify.Verifier {
	t.Helper()
	v, err := verify.New(cfg, secrets)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return v
}

// request returns w as v's provider sends it at a time.
func request(t testing.TB, v *verify.Verifier, w verify.Webhook, at time.Time) verify.Request {
	t.Helper()
	r, err := v.Sign(w, at)
	if err != nil {
		t.Fatalf("Sign: %v", err)
	}
	return r
}

// with returns r with another value of one header; "" removes the header.
func with(r verify.Request, name, value string) verify.Request {
	r.Header = maps.Clone(r.Header)
	if r.Header[name] = value; value == "" {
		delete(r.Header, name)
	}
	return r
}

// proofHeaders returns the headers that the scheme needs.
func (s subject) proofHeaders(t *testing.T) []string {
	t.Helper()
	var names []string
	for name := range s.request.Header {
		if s.verify(with(s.request, name, "")) != nil {
			names = append(names, name)
		}
	}
	for name := range s.request.Header {
		if slices.Contains(s.verifier.SignatureHeaders(), name) && !slices.Contains(names, name) {
			t.Errorf("accepted without its signature header %s", name)
		}
	}
	if !slices.Contains(withoutProof, s.cfg.Provider) && len(names) == 0 &&
		!slices.Contains(ownBodies, s.cfg.Provider) {
		t.Error("no header is needed: nothing is proved")
	}
	return names
}

func (s subject) verify(r verify.Request) error {
	result, err := s.verifier.Verify(context.Background(), r)
	if err == nil && result.Handshake {
		return fmt.Errorf("%w: it is answered as a handshake, and not accepted", verify.ErrMissing)
	}
	return err
}

// refused fails the test unless r is refused for its signature. It must not be refused for its
// time, which is checked only if the signature is right.
func (s subject) refused(t *testing.T, what string, r verify.Request) {
	t.Helper()
	err := s.verify(r)
	for _, sentinel := range []error{
		verify.ErrMissing, verify.ErrMalformed, verify.ErrRepeated, verify.ErrMismatch,
	} {
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
			check(t, newSubject(t, cfg, "current"))
		})
	}
}

func TestEveryProvider_AcceptsWhatItSigns(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		result, err := s.verifier.Verify(context.Background(), s.request)
		if d, _ := verify.Describe(s.cfg.Provider); err != nil || result.Handshake ||
			(d.Trust != "" && result.Trust != d.Trust) {
			t.Errorf("the sample: %+v, %v", result, err)
		}
		for name, body := range map[string]string{
			"JSON": string(sample.Body), "empty": "", "NUL and invalid UTF-8": "\x00\xff\xfe",
			"text":  "a=b&c=d\r\n",
			"large": strings.Repeat("x", 1<<20),
		} {
			w := s.webhook
			w.Body = []byte(body)
			r, err := s.verifier.Sign(w, signedAt)
			if slices.Contains(ownBodies, s.cfg.Provider) {
				if err == nil && s.verify(r) != nil {
					t.Errorf("%s: Sign makes what Verify refuses: %v", name, s.verify(r))
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s: Sign: %v", name, err)
			}
			if err := s.verify(r); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if want := cmp.Or(
				contentTypes[s.cfg.Provider], "application/json",
			); r.Header["content-type"] != want {
				t.Errorf("%s: content-type %q, want %q", name, r.Header["content-type"], want)
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
				if name == "authorization" && strings.EqualFold(string(flipped), value) &&
					i < 8*len("Bearer") {
					continue // the name of an authentication scheme has no case
				}
				if inHex(value, i/8) && strings.EqualFold(string(flipped), value) {
					continue // the same hex
				}
				s.refused(
					t, fmt.Sprintf("bit %d of %s", i, name), with(s.request, name, string(flipped)),
				)
			}
		}
		for i := range len(s.request.Body) * 8 {
			r := s.request
			r.Body = flip(s.request.Body, i)
			if s.cfg.Provider == "exact-online" && inHex(string(r.Body), i/8) &&
				bytes.EqualFold(r.Body, s.request.Body) {
				continue // the signature itself, in the other case
			}
			s.bodyChanged(t, fmt.Sprintf("bit %d of the body", i), r)
		}
	})
}

// bodyChanged checks a changed body against what the scheme signs. If the scheme signs only a part,
// the body must not cause a panic, and a refusal must be for the signature.
func (s subject) bodyChanged(t *testing.T, what string, r verify.Request) {
	t.Helper()
	switch {
	case slices.Contains(partlySigned, s.cfg.Provider):
		if s.verify(r) != nil {
			s.refused(t, what, r)
		}
	case s.trust() != verify.Verified && s.cfg.Provider != "paypal":
		// it signs a checksum of the body
		if err := s.verify(r); err != nil {
			t.Errorf("%s: %v, though the scheme does not sign it", what, err)
		}
	default:
		s.refused(t, what, r)
	}
}

func (s subject) trust() verify.Trust {
	r, _ := s.verifier.Verify(context.Background(), s.request)
	return r.Trust
}

func flip(b []byte, bit int) []byte {
	b = slices.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

// inHex tells whether a byte of a header is inside the hex of a signature. The shortest signature
// is SHA-1's.
func inHex(value string, at int) bool {
	isHex := func(c byte) bool { return strings.ContainsRune("0123456789abcdefABCDEF", rune(c)) }
	from, to := at, at
	for from > 0 && isHex(value[from-1]) {
		from--
	}
	for to < len(value) && isHex(value[to]) {
		to++
	}
	return to-from >= hex.EncodedLen(sha1.Size)
}

func TestEveryProvider_RefusesCutAndOversizedValues(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		for _, name := range s.proofHeaders(t) {
			value := s.request.Header[name]
			for i := range len(value) {
				s.refused(t, fmt.Sprintf("%s cut to %d", name, i), with(s.request, name, value[:i]))
			}
			for _, filler := range []string{
				"a", "0", ",", " ", "=", "\x00", "é", "v1,", "v1=", "t=1,", "t=,",
			} {
				s.refused(
					t, fmt.Sprintf("%s of %q", name, filler),
					with(s.request, name, strings.Repeat(filler, 1<<16)),
				)
			}
			// of which no list of entries is made
			for _, filler := range []string{"a", "0", "\x00", "é"} {
				much := strings.Repeat(filler, 1<<16)
				s.refused(
					t, fmt.Sprintf("%s after %q", name, filler), with(s.request, name, much+value),
				)
				s.refused(
					t, fmt.Sprintf("%s before %q", name, filler), with(s.request, name, value+much),
				)
			}
		}
		for i := range s.request.Body {
			r := s.request
			r.Body = s.request.Body[:i]
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
				if errors.Is(r.want, verify.ErrMissing) && leftOut[s.cfg.Provider] == name {
					r.want = verify.ErrMismatch
				}
				if errors.Is(
					r.want, verify.ErrRepeated,
				) && slices.Contains(listed, s.cfg.Provider) &&
					slices.Contains(s.verifier.SignatureHeaders(), name) {
					r.want = nil
				}
				if err := s.verify(with(s.request, name, r.value)); !errors.Is(err, r.want) {
					t.Errorf("%s %s: got %v, want %v", name, what, err, r.want)
				}
			}
		}
		if !slices.Contains(withoutProof, s.cfg.Provider) {
			if err := s.verify(verify.Request{
				Body: sample.Body, ReceivedAt: signedAt,
			}); !errors.Is(err, verify.ErrMissing) {
				t.Errorf("nothing of the proof at all: got %v, want %v", err, verify.ErrMissing)
			}
		}
	})
}

func TestEveryProvider_RotatesSecrets(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		old := newSubject(t, s.cfg, "old")
		if slices.Contains(withoutProof, s.cfg.Provider) {
			if _, err := verify.New(
				s.cfg, []string{secret("any")},
			); !errors.Is(err, verify.ErrConfig) {
				t.Errorf("a secret: got %v, want %v", err, verify.ErrConfig)
			}
			return
		}
		if err := s.verify(old.request); !errors.Is(err, verify.ErrMismatch) {
			t.Errorf("signed with another key: got %v, want %v", err, verify.ErrMismatch)
		}
		if s.secret == "" {
			return // its keys are the provider's affair
		}
		for what, step := range map[string]struct {
			accepted         []string
			wantCur, wantOld error
		}{
			"before": {[]string{old.secret}, verify.ErrMismatch, nil},
			"during": {[]string{s.secret, old.secret}, nil, nil},
			"after":  {[]string{s.secret}, nil, verify.ErrMismatch},
			"other": {
				[]string{newSubject(t, s.cfg, "other").secret}, verify.ErrMismatch,
				verify.ErrMismatch,
			},
		} {
			v := newVerifier(t, s.cfg, step.accepted...)
			if _, err := v.Verify(context.Background(), s.request); !errors.Is(err, step.wantCur) {
				t.Errorf("%s, current secret: got %v, want %v", what, err, step.wantCur)
			}
			if _, err := v.Verify(
				context.Background(), old.request,
			); !errors.Is(err, step.wantOld) {
				t.Errorf("%s, old secret: got %v, want %v", what, err, step.wantOld)
			}
		}
		d, _ := verify.Describe(s.cfg.Provider)
		for what, secrets := range map[string][]string{
			"none": nil, "empty": {""}, "blank": {" \n"}, "second empty": {s.secret, ""},
		} {
			if secrets == nil && d.Learns {
				continue
			}
			_, err := verify.New(s.cfg, secrets)
			if !errors.Is(err, verify.ErrConfig) || !strings.Contains(err.Error(), "secrets") ||
				!strings.Contains(err.Error(), d.Secret) {
				t.Errorf(
					"secrets %s: got %v, want %v about secrets, with the provider's name for it",
					what, err, verify.ErrConfig,
				)
			}
		}
	})
}

func TestEveryProvider_HoldsToItsTolerance(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		d, _ := verify.Describe(s.cfg.Provider)
		tolerance := d.Tolerance
		if h := s.cfg.HMAC; h != nil {
			tolerance = h.Tolerance
			if tolerance == 0 && h.TimestampHeader != "" {
				tolerance = verify.DefaultTolerance
			}
		}
		timed := tolerance != 0
		ahead := tolerance
		if tolerance > 24*time.Hour {
			tolerance, ahead = min(tolerance, verify.DefaultMaxAge-verify.DefaultTolerance),
				verify.DefaultTolerance
		}
		for what, at := range map[string]struct {
			age  time.Duration
			want error
		}{
			"at once":                     {0, nil},
			"exactly as old as allowed":   {tolerance, nil},
			"exactly as early as allowed": {-ahead, nil},
			"a second too old":            {tolerance + time.Second, verify.ErrStale},
			"a second too early":          {-ahead - time.Second, verify.ErrFuture},
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
		signature := s.verifier.SignatureHeaders()
		for _, name := range s.proofHeaders(t) {
			value := s.request.Header[name]
			for _, bad := range []string{"", value + "x", value + "," + value, value[1:]} {
				told += fmt.Sprint(s.verify(with(s.request, name, bad)))
			}
			if slices.Contains(signature, name) && strings.Contains(told, value) {
				t.Errorf("the value of %s is told: %s", name, told)
			}
		}
		if s.secret != "" && strings.Contains(told, strings.TrimPrefix(s.secret, "whsec_")) {
			t.Errorf("the secret is told: %s", told)
		}
	})
}

func TestEveryProvider_VerifiesConcurrently(t *testing.T) {
	forEach(t, func(t *testing.T, s subject) {
		var group sync.WaitGroup
		for i := range 8 {
			w := s.webhook
			w.DeliveryID = fmt.Sprint(i)
			if !slices.Contains(ownBodies, s.cfg.Provider) {
				w.Body = bytes.Repeat([]byte{byte('a' + i)}, 1000)
			}
			r := request(t, s.verifier, w, signedAt)
			group.Go(func() {
				for range 20 {
					if err := s.verify(r); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	})
}

// TestTable checks that the entries have what tests, documentation and the binary search need.
func TestTable(t *testing.T) {
	t.Parallel()
	names := verify.Providers()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("not sorted, or with doubles: %q", names)
	}
	for _, name := range names {
		d, ok := verify.Describe(name)
		if !ok || d.Name != name || d.Title == "" || len(d.Examples) == 0 {
			t.Errorf("%s: incomplete: %+v", name, d)
		}
		if name != "none" && name != "hmac" && !strings.HasPrefix(d.Docs, "https://") {
			t.Errorf("%s: no page of the provider's: %q", name, d.Docs)
		}
	}
	if _, ok := verify.Describe("gitbub"); ok {
		t.Error("an unknown provider is described")
	}
}
