package sign_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/sign"
	inbound "webhook-relay/shared/verify"
)

// From the tests of the Standard Webhooks Go library.
const (
	vectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID     = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody   = `{"test": 2432232314}`
)

var vectorTime = time.Unix(1614265330, 0)

func newSigner(t testing.TB, secrets ...string) *sign.Signer {
	t.Helper()
	s, err := sign.New(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestHeadersOfTheLibrarysVector(t *testing.T) {
	t.Parallel()
	got := newSigner(t, vectorSecret).Headers(
		vectorID, vectorTime.Add(999*time.Millisecond), []byte(vectorBody),
	)
	want := map[string]string{
		"webhook-id":        "msg_p5jXN8AQM9LWM0D4loKWxJek",
		"webhook-timestamp": "1614265330",
		"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEverySecretVerifiesEveryBody(t *testing.T) {
	t.Parallel()
	secrets := []string{
		vectorSecret, sign.NewSecret(), key(sign.MinKeyBytes), key(sign.MaxKeyBytes),
	}
	signer := newSigner(t, secrets...)
	bodies := map[string][]byte{
		"JSON":                    []byte(vectorBody),
		"empty":                   nil,
		"NUL bytes, no UTF-8":     {0, 0xff, 0xfe, 0, '%', 's', 0x80, '\n'},
		"dots like the separator": []byte("msg.1614265330.x"),
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{}
			for name, value := range signer.Headers(vectorID, time.Now(), body) {
				header.Set(name, value)
			}
			if n := len(strings.Fields(header.Get("webhook-signature"))); n != len(secrets) {
				t.Errorf("%d signatures for %d secrets", n, len(secrets))
			}
			for i, secret := range secrets {
				if err := verify(t, secret, body, header); err != nil {
					t.Errorf("secret %d: %v", i, err)
				}
			}
			if err := verify(t, sign.NewSecret(), body, header); !errors.Is(
				err, standardwebhooks.ErrNoMatchingSignature,
			) {
				t.Errorf(
					"another secret: got %v, want %v", err, standardwebhooks.ErrNoMatchingSignature,
				)
			}
			if err := verify(t, vectorSecret, append(body, '.'), header); !errors.Is(
				err, standardwebhooks.ErrNoMatchingSignature,
			) {
				t.Errorf(
					"another body: got %v, want %v", err, standardwebhooks.ErrNoMatchingSignature,
				)
			}
		})
	}
}

// A private key's public key is that of RFC 8032, section 7.1, TEST 1, in each form of the private
// key.
const (
	seedOnly  = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	seedWhole = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg=="
	publicKey = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
)

func TestPublicKey(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]string{
		seedOnly: publicKey, seedWhole: publicKey, vectorSecret: "", "whsk_" +
			strings.Repeat("A", 44): "", "": "", publicKey: "",
	} {
		if got := sign.PublicKey(secret); got != want {
			t.Errorf("%s: got %q, want %q", secret, got, want)
		}
	}
}

// A receiver has the secret, the public key, or both.
func TestPrivateKeysSignBesideSecrets(t *testing.T) {
	t.Parallel()
	body := []byte{0, 0xff, '.', '\n'}
	at := time.Now()
	header := newSigner(t, seedOnly, vectorSecret, seedWhole).Headers(vectorID, at, body)
	var versions []string
	for entry := range strings.FieldsSeq(header["webhook-signature"]) {
		version, _, _ := strings.Cut(entry, ",")
		versions = append(versions, version)
	}
	if diff := cmp.Diff([]string{"v1a", "v1", "v1a"}, versions); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, secrets := range map[string][]string{
		"public key": {publicKey}, "secret": {vectorSecret}, "both": {vectorSecret, publicKey},
	} {
		v, err := inbound.New(inbound.Config{Provider: "standard-webhooks"}, secrets)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			body []byte
			want error
		}{{body, nil}, {body[1:], inbound.ErrMismatch}} {
			result, err := v.Verify(
				t.Context(), inbound.Request{Header: header, Body: tt.body, ReceivedAt: at},
			)
			if !errors.Is(err, tt.want) || err == nil && result.DeliveryID != vectorID {
				t.Errorf("%s: got %+v, %v, want %v", name, result, err, tt.want)
			}
		}
	}
}

func verify(t *testing.T, secret string, body []byte, header http.Header) error {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	return webhook.Verify(body, header)
}

func TestSignerIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	signer := newSigner(t, vectorSecret, sign.NewSecret())
	want := signer.Headers(vectorID, vectorTime, []byte(vectorBody))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if diff := cmp.Diff(
				want, signer.Headers(vectorID, vectorTime, []byte(vectorBody)),
			); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	wg.Wait()
}

func TestNewNamesTheBadSecretByPositionOnly(t *testing.T) {
	t.Parallel()
	const hidden = "aGlkZGVu"
	tests := map[string]struct {
		secrets []string
		want    string
	}{
		"none": {nil, "none is given"},
		"empty": {
			[]string{""}, "secret 1 of 1: does not begin with whsec_ or whsk_",
		},
		"no prefix": {
			[]string{vectorSecret, hidden}, "secret 2 of 2: does not begin with whsec_ or whsk_",
		},
		"empty key": {
			[]string{"whsec_"}, "secret 1 of 1: has 0 bytes; 24 to 64 are allowed",
		},
		"not base64": {
			[]string{vectorSecret, "whsec_" + hidden + "!", vectorSecret},
			"secret 2 of 3: illegal base64",
		},
		"base64url": {
			[]string{"whsec_" + strings.Repeat("-_", 16) + hidden}, "secret 1 of 1: illegal base64",
		},
		"no padding": {
			[]string{strings.TrimRight(key(25), "=")}, "secret 1 of 1: illegal base64",
		},
		"key too weak": {[]string{key(sign.MinKeyBytes - 1)}, "23 bytes"},
		"a public key": {[]string{publicKey}, "does not begin with whsec_ or whsk_"},
		"private, not base64": {
			[]string{"whsk_" + hidden + "!"}, "secret 1 of 1: illegal base64",
		},
		"private, too short": {[]string{"whsk_" + hidden}, "6 bytes; 32 or 64 are allowed"},
		"private, of two pairs": {
			[]string{seedWhole[:50] + "AAAA" + seedWhole[54:]},
			"its private and public halves do not belong together",
		},
		"key too long": {[]string{key(sign.MaxKeyBytes + 1)}, "65 bytes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := sign.New(tt.secrets)
			if !errors.Is(err, sign.ErrSecret) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %v with %q", err, sign.ErrSecret, tt.want)
			}
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("the message shows the secret: %v", err)
			}
		})
	}
}

// key returns a secret whose key has n bytes.
func key(n int) string {
	return sign.SecretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n)))
}

func TestNewSecretsDifferAndAreAccepted(t *testing.T) {
	t.Parallel()
	a, b := sign.NewSecret(), sign.NewSecret()
	if a == b {
		t.Error("two new secrets are the same")
	}
	newSigner(t, a, b)
}

func BenchmarkHeaders(b *testing.B) {
	body := []byte(strings.Repeat("x", 1024))
	for name, secrets := range map[string][]string{
		"1KiB/1secret":  {vectorSecret},
		"1KiB/2secrets": {vectorSecret, vectorSecret},
		"1KiB/1private": {seedOnly},
	} {
		b.Run(name, func(b *testing.B) {
			signer := newSigner(b, secrets...)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				signer.Headers(vectorID, vectorTime, body)
			}
		})
	}
}
