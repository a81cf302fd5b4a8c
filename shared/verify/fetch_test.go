package verify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"webhook-relay/shared/verify"
)

// server is a Fetcher that counts requests, takes a second for each answer, and fails while it is
// down.
type server struct {
	count atomic.Int32
	down  atomic.Bool
}

func (s *server) Fetch(ctx context.Context, f verify.Fetch) ([]byte, error) {
	n := s.count.Add(1)
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.down.Load() {
		return nil, errUnreachable
	}
	return fmt.Appendf(nil, "%s %d", f.URL, n), nil
}

func TestCached_AsksNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		f := verify.Cached(s)
		want := func(what, url string, maxAge time.Duration, answer string) {
			t.Helper()
			got, err := f.Fetch(t.Context(), verify.Fetch{URL: url, MaxAge: maxAge})
			if (answer == "") != errors.Is(err, errUnreachable) || string(got) != answer {
				t.Errorf("%s: got %q, %v, want %q", what, got, err, answer)
			}
		}
		want("first", "https://a.example/1", 0, "https://a.example/1 1")
		want("kept", "https://a.example/1", 0, "https://a.example/1 1")
		want("another", "https://a.example/2", 0, "https://a.example/2 2")
		time.Sleep(time.Minute)
		want("as young as is wanted", "https://a.example/1", 2*time.Minute, "https://a.example/1 1")
		want("older than is wanted", "https://a.example/1", time.Minute, "https://a.example/1 3")
		time.Sleep(time.Hour - 2*time.Second)
		want("nearly an hour old", "https://a.example/1", 0, "https://a.example/1 3")
		time.Sleep(2 * time.Second)
		s.down.Store(true)
		want(
			"an hour old, and there is no other", "https://a.example/1", 0, "https://a.example/1 3",
		)
		want("the same, too old for who asks", "https://a.example/1", time.Minute, "")
		s.down.Store(false)
		time.Sleep(9 * time.Second)
		want("failed nine seconds ago", "https://a.example/1", 0, "https://a.example/1 3")
		want("the same, too old for who asks", "https://a.example/1", time.Minute, "")
		time.Sleep(time.Second)
		want("failed ten seconds ago", "https://a.example/1", 0, "https://a.example/1 5")
		s.down.Store(true)
		time.Sleep(24*time.Hour - 2*time.Second)
		want("nearly a day old", "https://a.example/1", 0, "https://a.example/1 5")
		time.Sleep(10 * time.Second)
		want("a day old", "https://a.example/1", 0, "")
	})
}

func TestCached_TellsRequestsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		f := verify.Cached(s)
		for i, r := range []verify.Fetch{
			{URL: "https://a.example/"}, {URL: "https://a.example/", Method: "POST"}, {
				URL: "https://a.example/", Body: []byte("a"),
			},
			{URL: "https://a.example/", Header: verify.Header{"authorization": "a"}}, {
				URL: "https://a.example/", Header: verify.Header{"authorization": "b"},
			},
		} {
			_, err := f.Fetch(t.Context(), r)
			if n := int(s.count.Load()); err != nil || n != i+1 {
				t.Errorf("request %d: %v, asked %d times", i, err, n)
			}
		}
	})
}

func TestCached_AsksOnceForMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		f := verify.Cached(s)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		var group sync.WaitGroup
		group.Go(func() { // asks first, and goes before the answer is there
			if _, err := f.Fetch(
				impatient, verify.Fetch{URL: "https://a.example/"},
			); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the impatient: got %v", err)
			}
		})
		synctest.Wait()
		for range 50 {
			group.Go(func() {
				if got, err := f.Fetch(
					t.Context(), verify.Fetch{URL: "https://a.example/"},
				); err != nil || string(got) != "https://a.example/ 1" {
					t.Errorf("got %q, %v", got, err)
				}
			})
		}
		group.Wait()
		if n := s.count.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// A sender that names keys which do not exist, each in a new request, causes few fetches, and
// pushes no key in use out of the cache.
func TestCached_BoundsWhatForgersCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, began := &server{}, time.Now()
		f := verify.Cached(s)
		used := verify.Fetch{URL: "https://keys.example/used"}
		if _, err := f.Fetch(t.Context(), used); err != nil {
			t.Fatal(err)
		}
		s.down.Store(true)
		for i := range 10_000 {
			if _, err := f.Fetch(
				t.Context(), verify.Fetch{URL: fmt.Sprint("https://keys.example/forged/", i)},
			); err == nil {
				t.Fatal("a forged key was found")
			}
		}
		minutes := int(time.Since(began)/time.Minute) + 1 // each that is asked takes a second
		if n := int(s.count.Load()); n > 128+64*minutes {
			t.Errorf("asked %d times in %d minutes", n, minutes)
		}
		if _, err := f.Fetch(t.Context(), used); err != nil {
			t.Errorf("the key in use: %v", err)
		}
		var group sync.WaitGroup
		for i := range 200 { // of many hosts, at once, and failing
			group.Go(func() {
				_, _ = f.Fetch(
					t.Context(), verify.Fetch{URL: fmt.Sprintf("https://down-%d.example/", i)},
				)
			})
		}
		group.Wait()
		if _, err := f.Fetch(t.Context(), used); err != nil {
			t.Errorf("the key in use, after 200 failures: %v", err)
		}
		s.down.Store(false)
		if _, err := f.Fetch(t.Context(), verify.Fetch{URL: "https://other.example/"}); err != nil {
			t.Errorf("another host: %v", err)
		}
		time.Sleep(time.Minute + time.Second)
		if _, err := f.Fetch(
			t.Context(), verify.Fetch{URL: "https://keys.example/new"},
		); err != nil {
			t.Errorf("a minute later: %v", err)
		}
		for i := range 200 { // of many hosts, answered: the oldest goes
			_, _ = f.Fetch(
				t.Context(), verify.Fetch{URL: fmt.Sprintf("https://host-%d.example/", i)},
			)
		}
		before := s.count.Load()
		for i := 199; i >= 136; i-- {
			_, _ = f.Fetch(
				t.Context(), verify.Fetch{URL: fmt.Sprintf("https://host-%d.example/", i)},
			)
		}
		if n := s.count.Load() - before; n != 0 {
			t.Errorf("%d of the newest 64 answers were not kept", n)
		}
		_, _ = f.Fetch(t.Context(), verify.Fetch{URL: "https://host-0.example/"})
		if n := s.count.Load() - before; n != 1 {
			t.Errorf("an answer that 64 newer ones pushed out was kept")
		}
	})
}

// However many names forgers invent, a name with an old answer is requested again when that answer
// has expired.
func TestCached_ForgersTakeNoPlaceOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{}
		f := verify.Cached(s)
		known := func(token string) verify.Fetch {
			return verify.Fetch{
				URL: "https://keys.example/", Body: []byte("known"),
				Header: verify.Header{"authorization": token},
			}
		}
		if _, err := f.Fetch(t.Context(), known("a")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		for i := range 20 {
			_, _ = f.Fetch(
				t.Context(),
				verify.Fetch{URL: "https://keys.example/", Body: fmt.Append(nil, "forged", i)},
			)
		}
		before := int(s.count.Load())
		for i, token := range []string{"a", "b"} { // b: a name is known, whoever asks
			got, err := f.Fetch(t.Context(), known(token))
			if want := fmt.Sprint("https://keys.example/ ", before+1+i); err != nil ||
				string(got) != want {
				t.Errorf("token %s: got %q, %v, want %q", token, got, err, want)
			}
		}
	})
}

// An instance that has just started knows no name. Forged requests in that time rarely keep it from
// fetching the genuine key, and never for long.
func TestCached_LearnsAGenuineNameAmongForged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refused, again := 0, 0
		for instance := range 400 {
			f := verify.Cached(&server{})
			for i := range 10 {
				_, _ = f.Fetch(
					t.Context(),
					verify.Fetch{URL: "https://keys.example/", Body: fmt.Append(nil, "forged", i)},
				)
			}
			genuine := verify.Fetch{
				URL: "https://keys.example/", Body: fmt.Append(nil, "genuine", instance),
			}
			if _, err := f.Fetch(t.Context(), genuine); err == nil {
				continue
			}
			refused++
			time.Sleep(time.Minute)
			if _, err := f.Fetch(t.Context(), genuine); err != nil {
				again++
			}
		}
		// in one of a hundred, two forged names have the same budget as the genuine one
		if refused > 20 || again > 0 {
			t.Errorf(
				"of 400 instances %d refused the genuine name, and %d of them a minute later, too",
				refused, again,
			)
		}
	})
}

// published are the answers with which providers publish the keys that Example makes.
func published(t *testing.T, provider string) (key map[string]any, set string) {
	t.Helper()
	s := newSubject(t, verify.Config{Provider: provider}, "current")
	set = s.cfg.Settings["jwks"]
	var all struct {
		Keys []map[string]any `json:"keys"`
	}
	must(t, json.Unmarshal([]byte(set), &all))
	return all.Keys[0], set
}

func TestVerify_FetchesKeys(t *testing.T) {
	t.Parallel()
	const (
		plaidURL  = "https://production.plaid.com/webhook_verification_key/get"
		googleURL = "https://www.googleapis.com/oauth2/v3/certs"
		tokenURL  = "https://api.ebay.com/identity/v1/oauth2/token"
		ebayURL   = "https://api.ebay.com/commerce/notification/v1/public_key/00000000-0000-4000-8000-000000000000"
		circleURL = "https://api.circle.com/v2/notifications/publicKey/00000000-0000-4000-8000-000000000000"
		kindeURL  = "https://example.kinde.com/.well-known/jwks"
	)
	webKey, _ := published(t, "plaid")
	plaid := func(change func(map[string]any)) string {
		key := map[string]any{
			"alg": "ES256", "created_at": 1560466143, "expired_at": nil, "use": "sig",
		}
		for name, value := range webKey {
			key[name] = value
		}
		change(key)
		text, err := json.Marshal(map[string]any{"key": key, "request_id": "x"})
		must(t, err)
		return string(text)
	}
	same := func(map[string]any) {}
	_, google := published(t, "google-pubsub")
	ebay, circle := spkiOf(t, "ebay"), spkiOf(t, "circle")
	for name, c := range map[string]struct {
		provider string
		answers  map[string]string
		want     error
		asked    string
	}{
		"Plaid": {
			"plaid", map[string]string{plaidURL: plaid(same)}, nil, plaidURL,
		},
		"Plaid, sandbox": {
			"plaid sandbox",
			map[string]string{strings.Replace(plaidURL, "production", "sandbox", 1): plaid(same)},
			nil, strings.Replace(plaidURL, "production", "sandbox", 1),
		},
		"Plaid, withdrawn": {"plaid", map[string]string{plaidURL: plaid(func(k map[string]any) {
			k["expired_at"] = 1600000000
		})}, verify.ErrMismatch, plaidURL},
		"Plaid, no point": {"plaid", map[string]string{plaidURL: plaid(func(k map[string]any) {
			k["y"] = k["x"]
		})}, verify.ErrFetch, plaidURL},
		"Plaid, other curve": {"plaid", map[string]string{plaidURL: plaid(func(k map[string]any) {
			k["crv"] = "P-384"
		})}, verify.ErrFetch, plaidURL},
		"Plaid, not there": {"plaid", nil, verify.ErrFetch, plaidURL},
		"Plaid, page": {
			"plaid", map[string]string{plaidURL: "<html>"}, verify.ErrFetch, plaidURL,
		},
		"Google": {
			"google-pubsub", map[string]string{googleURL: google}, nil, googleURL,
		},
		"Google, without the key": {
			"google-pubsub",
			map[string]string{
				googleURL: strings.Replace(
					google, "00000000-0000-4000-8000-000000000000", "newer", 1,
				),
			},
			verify.ErrMismatch, googleURL + " " + googleURL,
		},
		"Google, without any": {
			"google-pubsub", map[string]string{googleURL: `{"keys":[]}`}, verify.ErrFetch,
			googleURL,
		},
		"Google, small key": {
			"google-pubsub",
			map[string]string{
				googleURL: `{"keys":[{"kty":"RSA","kid":"00000000-0000-4000-8000-000000000000","n":"AQAB","e":"AQAB"}]}`,
			},
			verify.ErrFetch, googleURL,
		},
		"Google, page": {
			"google-pubsub", map[string]string{googleURL: "<html>"}, verify.ErrFetch, googleURL,
		},
		"Google, not there": {"google-pubsub", nil, verify.ErrFetch, googleURL},
		"Circle": {
			"circle",
			map[string]string{
				circleURL: `{"data":{"id":"example","algorithm":"ECDSA_SHA_256","publicKey":"` +
					circle + `"}}`,
			},
			nil, circleURL,
		},
		"Circle, no key": {
			"circle", map[string]string{circleURL: `{"data":{}}`}, verify.ErrFetch, circleURL,
		},
		"Circle, page": {
			"circle", map[string]string{circleURL: "<html>"}, verify.ErrFetch, circleURL,
		},
		"Circle, not there": {"circle", nil, verify.ErrFetch, circleURL},
		"Kinde":             {"kinde", map[string]string{kindeURL: google}, nil, kindeURL},
		"Kinde, without the key": {
			"kinde",
			map[string]string{
				kindeURL: strings.Replace(
					google, "00000000-0000-4000-8000-000000000000", "newer", 1,
				),
			},
			verify.ErrMismatch, kindeURL + " " + kindeURL,
		},
		"eBay": {
			"ebay",
			map[string]string{
				tokenURL: `{"access_token":"t"}`,
				ebayURL:  `{"key":"` + ebay + `","algorithm":"ECDSA","digest":"SHA1"}`,
			},
			nil, tokenURL + " " + ebayURL,
		},
		"eBay, one line of PEM": {
			"ebay",
			map[string]string{
				tokenURL: `{"access_token":"t"}`,
				ebayURL: `{"key":"-----BEGIN PUBLIC KEY-----` + ebay +
					`-----END PUBLIC KEY-----"}`,
			},
			nil, tokenURL + " " + ebayURL,
		},
		"eBay, no token": {
			"ebay", map[string]string{tokenURL: `{}`}, verify.ErrFetch, tokenURL,
		},
		"eBay, token not there": {"ebay", nil, verify.ErrFetch, tokenURL},
		"eBay, key not there": {
			"ebay", map[string]string{tokenURL: `{"access_token":"t"}`}, verify.ErrFetch,
			tokenURL + " " + ebayURL,
		},
		"eBay, key is none": {
			"ebay", map[string]string{tokenURL: `{"access_token":"t"}`, ebayURL: `{"key":"x"}`},
			verify.ErrFetch, tokenURL + " " + ebayURL,
		},
		"eBay, key of another kind": {
			"ebay",
			map[string]string{
				tokenURL: `{"access_token":"t"}`,
				ebayURL:  `{"key":"` + spkiOf(t, "google-pubsub") + `"}`,
			},
			verify.ErrFetch, tokenURL + " " + ebayURL,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider, environment, _ := strings.Cut(c.provider, " ")
			s := newSubject(t, verify.Config{Provider: provider}, "current")
			delete(s.cfg.Settings, "jwks")
			if environment != "" {
				s.cfg.Settings["environment"] = environment
			}
			f := newFetches(c.answers)
			v, err := verify.New(s.cfg, nil, verify.FetchBy(f))
			must(t, err)
			if _, err := v.Verify(t.Context(), s.request); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if asked := strings.Join(f.urls(), " "); asked != c.asked {
				t.Errorf("asked %q, want %q", asked, c.asked)
			}
		})
	}
}

// Google began to use a key after its set was fetched.
func TestVerify_FetchesASetAnewForANewKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSubject(t, verify.Config{Provider: "google-pubsub"}, "current")
		_, set := published(t, "google-pubsub")
		delete(s.cfg.Settings, "jwks")
		f := newFetches(map[string]string{
			"https://www.googleapis.com/oauth2/v3/certs": strings.Replace(
				set, "00000000-0000-4000-8000-000000000000", "older", 1,
			),
		})
		v, err := verify.New(s.cfg, nil, verify.FetchBy(verify.Cached(f)))
		must(t, err)
		for _, step := range []struct {
			after   time.Duration
			set     string
			fetches int
			want    error
		}{
			{
				0, strings.Replace(set, "00000000-0000-4000-8000-000000000000", "older", 1), 1,
				verify.ErrMismatch,
			},
			{30 * time.Second, set, 0, verify.ErrMismatch}, // the set is not a minute old
			{30 * time.Second, set, 1, nil},
			{30 * time.Minute, "", 0, nil},
		} {
			time.Sleep(step.after)
			f.answers["https://www.googleapis.com/oauth2/v3/certs"] = step.set
			_, err := v.Verify(t.Context(), s.request)
			if urls := f.urls(); !errors.Is(err, step.want) || len(urls) != step.fetches {
				t.Errorf(
					"after another %s: got %v, fetched %q, want %v and %d", step.after, err, urls,
					step.want, step.fetches,
				)
			}
		}
	})
}

func TestVerify_WithoutAFetcher(t *testing.T) {
	t.Parallel()
	for provider, pin := range map[string]string{
		"sns": "certificate", "paypal": "certificate", "plaid": "jwks", "google-pubsub": "jwks",
		"ebay": "jwks", "circle": "jwks", "kinde": "jwks",
	} {
		s := newSubject(t, verify.Config{Provider: provider}, "current")
		delete(s.cfg.Settings, pin)
		r := s.request
		if provider == "paypal" {
			r = with(r, "paypal-cert-url", "https://api.paypal.com/v1/notifications/certs/CERT-1")
		}
		if _, err := newVerifier(t, s.cfg).Verify(t.Context(), r); !errors.Is(err, verify.ErrFetch) {
			t.Errorf("%s: got %v, want %v", provider, err, verify.ErrFetch)
		}
	}
}

// A token in a wrong form causes no fetch.
func TestVerify_FetchesNothingForATokenThatIsNone(t *testing.T) {
	t.Parallel()
	s := newSubject(t, verify.Config{Provider: "plaid"}, "current")
	delete(s.cfg.Settings, "jwks")
	for name, token := range map[string]string{
		"no token":  "x",
		"no key id": webEncoded(`{"alg":"ES256"}`) + "." + webEncoded(`{}`) + ".AA",
		"long key id": webEncoded(
			`{"alg":"ES256","kid":"`+strings.Repeat("a", 300)+`"}`,
		) + "." + webEncoded(`{}`) + ".AA",
		"key id a list": webEncoded(`{"alg":"ES256","kid":["a"]}`) + "." + webEncoded(`{}`) + ".AA",
		"other method":  hs256("x", `{}`),
	} {
		f := newFetches(nil)
		v, err := verify.New(s.cfg, nil, verify.FetchBy(f))
		must(t, err)
		_, err = v.Verify(
			t.Context(),
			verify.Request{
				Header: verify.Header{"plaid-verification": token}, ReceivedAt: signedAt,
			},
		)
		if urls := f.urls(); len(urls) > 0 || err == nil || errors.Is(err, verify.ErrFetch) {
			t.Errorf("%s: fetched %q, %v", name, urls, err)
		}
	}
}
