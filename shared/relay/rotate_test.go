package relay_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/catalog"
)

// edit changes the rig's catalog.
func (r *rig) edit(change func(*catalog.Catalog)) {
	r.t.Helper()
	cat, revision, err := r.catalog.LoadCatalog(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	cat.Endpoints = slices.Clone(cat.Endpoints)
	change(&cat)
	if err := r.catalog.ReplaceCatalog(r.t.Context(), cat, revision); err != nil {
		r.t.Fatal(err)
	}
}

// made marks the secrets of the rig's endpoints as made by the relay.
func (r *rig) made() {
	r.edit(func(c *catalog.Catalog) {
		for i := range c.Endpoints {
			c.Endpoints[i].SecretsMade = true
		}
	})
}

func (r *rig) mustRotate(keep time.Duration) catalog.Endpoint {
	r.t.Helper()
	ep, err := catalog.Rotate(r.t.Context(), &r.catalog, "shipping", keep, time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	return ep
}

// verifies tells whether a receiver with a secret accepts a request.
func verifies(t *testing.T, secret string, p relay.Post) bool {
	t.Helper()
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	for name, value := range p.Header {
		header.Set(name, value)
	}
	return webhook.VerifyIgnoringTimestamp(p.Body, header) == nil
}

// TestRotationOverlaps posts a webhook at each stage of two rotations, always through the same
// instance, which has the endpoint in its cache.
func TestRotationOverlaps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "shipping")
		r.made()
		var secrets []string
		expect := func(when string, want ...bool) {
			t.Helper()
			r.mustPost("", "push", when)
			r.pump()
			last := r.poster.posts[len(r.poster.posts)-1]
			for i, secret := range secrets {
				if got := verifies(t, secret, last); got != want[i] {
					t.Errorf("%s: accepted with secret %d: %v", when, i, got)
				}
			}
			signatures := 0
			for _, w := range want {
				if w {
					signatures++
				}
			}
			if n := len(strings.Fields(last.Header["webhook-signature"])); n != signatures {
				t.Errorf("%s: %d signatures, want %d", when, n, signatures)
			}
		}
		secrets = append(secrets, endpointSecret)
		expect("before", true)

		secrets = append(secrets, r.mustRotate(time.Hour).Secrets[0])
		end := time.Now().Add(time.Hour)
		time.Sleep(catalog.DefaultCacheTTL)
		expect("after one rotation", true, true)
		first, _, _ := strings.Cut(r.poster.posts[1].Header["webhook-signature"], " ")
		r.poster.posts[1].Header["webhook-signature"] = first
		if !verifies(t, secrets[1], r.poster.posts[1]) {
			t.Error("the new secret does not sign first")
		}

		secrets = append(secrets, r.mustRotate(catalog.DefaultKeep).Secrets[0])
		time.Sleep(catalog.DefaultCacheTTL)
		expect("after two", true, true, true)

		time.Sleep(time.Until(end) - time.Second)
		expect("a second before the first ends", true, true, true)
		time.Sleep(time.Second)
		expect("at its end, from the same cache", false, true, true)

		time.Sleep(time.Minute)
		if ep := r.mustRotate(0); len(ep.Retiring) > 0 {
			t.Errorf("still on record: %v", ep.Retiring)
		} else {
			secrets = append(secrets, ep.Secrets[0])
		}
		time.Sleep(catalog.DefaultCacheTTL)
		expect("after all were ended", false, false, false, true)
	})
}

func TestRotationDropsWhatHasEndedAndProlongsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, "shipping")
		r.made()
		r.mustRotate(time.Hour)
		time.Sleep(time.Minute)
		second := r.mustRotate(48 * time.Hour)
		if first := second.Retiring[1].Until; time.Until(first) != 59*time.Minute ||
			time.Until(second.Retiring[0].Until) != 48*time.Hour {
			t.Errorf("retiring: %+v", second.Retiring)
		}
		third := r.mustRotate(time.Minute)
		for _, old := range third.Retiring {
			if time.Until(old.Until) != time.Minute {
				t.Errorf("outlives what was asked for: %+v", old)
			}
		}
		time.Sleep(time.Minute)
		fourth := r.mustRotate(time.Minute)
		if len(fourth.Retiring) != 1 || fourth.Retiring[0].Secret != third.Secrets[0] {
			t.Errorf("retiring: %+v", fourth.Retiring)
		}
	})
}

func TestRotationIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, "shipping", "own")
	r.edit(func(c *catalog.Catalog) { c.Endpoints[1].SecretsMade = true })
	for range catalog.MaxSecrets - 1 {
		r.mustRotate(time.Hour)
	}
	want, revision, _ := r.catalog.LoadCatalog(t.Context())
	for name, tt := range map[string]struct {
		endpoint string
		keep     time.Duration
		err      error
		says     string
	}{
		"no such endpoint": {"nobody", time.Hour, catalog.ErrNotFound, `"nobody"`},
		"secrets of the file": {
			"own", time.Hour, catalog.ErrSecretsConfigured, "replace the secret there",
		},
		"a negative time": {"shipping", -time.Second, catalog.ErrKeep, "-1s"},
		"one secret too many": {
			"shipping", time.Hour, catalog.ErrTooManySecrets, "6 would sign at once, at most 5 may",
		},
		"one too many, a moment": {
			"shipping", time.Second, catalog.ErrTooManySecrets, "--keep 0s",
		},
	} {
		if _, err := catalog.Rotate(
			t.Context(), &r.catalog, tt.endpoint, tt.keep, time.Now(),
		); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %v that says %q", name, err, tt.err, tt.says)
		}
	}
	if got, now, _ := r.catalog.LoadCatalog(t.Context()); now != revision ||
		got.Endpoints[1].Secrets[0] != want.Endpoints[1].Secrets[0] {
		t.Error("something was written")
	}
	if ep := r.mustRotate(0); len(ep.Retiring) > 0 {
		t.Errorf("all were to end: %+v", ep.Retiring)
	}
}

func TestRotationsAtOnceComeOneAfterTheOther(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, "shipping")
	r.made()
	var rotations sync.WaitGroup
	made := make(chan string, 3)
	for range cap(made) {
		rotations.Go(func() {
			ep, err := catalog.Rotate(t.Context(), &r.catalog, "shipping", time.Hour, time.Now())
			if err != nil {
				t.Error(err)
				return
			}
			made <- ep.Secrets[0]
		})
	}
	rotations.Wait()
	close(made)
	ep, err := r.catalog.Endpoint(t.Context(), "", "shipping")
	if err != nil {
		t.Fatal(err)
	}
	signing := ep.SigningSecrets(time.Now())
	for secret := range made {
		if !slices.Contains(signing, secret) {
			t.Error("a secret that was shown does not sign")
		}
	}
	if len(signing) != cap(made)+1 || !slices.Contains(signing, endpointSecret) {
		t.Errorf("%d secrets sign", len(signing))
	}
}

// busyEditor is a catalog whose endpoints somebody else changes just before each of the first n
// edits.
type busyEditor struct {
	catalog.Editor
	n int
}

func (e *busyEditor) Edit(ctx context.Context, edit catalog.Edit) (int64, error) {
	if e.n--; e.n >= 0 {
		r, err := e.Resource(ctx, catalog.KindEndpoint, edit.Put.Name)
		if err != nil {
			return 0, err
		}
		if _, err := e.Editor.Edit(ctx, catalog.Edit{
			Put: &r, Base: catalog.AnyRevision, By: r.ManagedBy,
		}); err != nil {
			return 0, err
		}
	}
	return e.Editor.Edit(ctx, edit)
}

func TestARotationThatMeetsChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil, "shipping")
	r.made()
	rotate := func(changes int) error {
		_, err := catalog.Rotate(
			t.Context(), &busyEditor{&r.catalog, changes}, "shipping", time.Hour, time.Now(),
		)
		return err
	}
	if err := rotate(2); err != nil {
		t.Errorf("two changes between: %v", err)
	}
	if err := rotate(100); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("changes all the time: %v, want ErrConflict", err)
	}
	if ep, _ := r.catalog.Endpoint(t.Context(), "", "shipping"); len(ep.Retiring) != 1 {
		t.Errorf("rotated %d times", len(ep.Retiring))
	}
}
