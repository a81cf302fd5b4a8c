package dynamo_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/aws/signed"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// preempted returns a client before whose kth call meanwhile is run. reached reports whether that
// happened.
func preempted(t *testing.T, k int, meanwhile func()) (client *signed.Client, reached *bool) {
	t.Helper()
	n, reached := 0, new(bool)
	return newClient(t, func(
		_ string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		if n++; n == k {
			*reached = true
			meanwhile()
		}
		return next(body)
	}), reached
}

func learning() catalog.Catalog {
	return catalog.Catalog{
		Sources: []catalog.Source{{Name: "asana", Verify: verify.Config{Provider: "asana"}}},
	}
}

func secretsOf(t *testing.T, c *dynamo.Catalog) []string {
	t.Helper()
	s, err := c.Source(t.Context(), inForce(t, c), "asana")
	if errors.Is(err, catalog.ErrNotFound) {
		return []string{"removed"}
	}
	must(t, err)
	return s.Secrets
}

// TestALearnedSecretSurvivesAReplacement lets a source learn a secret before each call of a
// replacement and of the load before it. It also makes a replacement before each call of the
// handshake. Either the replacement is refused, or the secret is there after it.
func TestALearnedSecretSurvivesAReplacement(t *testing.T) {
	t.Parallel()
	for name, replacement := range map[string]func(loaded catalog.Catalog) catalog.Catalog{
		"of what was loaded": func(loaded catalog.Catalog) catalog.Catalog { return loaded },
		"with an endpoint more": func(loaded catalog.Catalog) catalog.Catalog {
			loaded.Endpoints = catalogOf("more").Endpoints
			return loaded
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, nil)
			replace := func(c *dynamo.Catalog) error {
				loaded, base, err := c.LoadCatalog(t.Context())
				must(t, err)
				return c.ReplaceCatalog(t.Context(), replacement(loaded), base)
			}
			for k, more := 1, true; more; k++ {
				table := createTable(t)
				whole := dynamo.NewCatalog(client, table, sealer{})
				replaceWith(t, whole, learning(), 0)
				must(t, whole.OpenLearning(t.Context(), "asana", time.Now().Add(time.Hour)))
				cut, reached := preempted(t, k, func() {
					must(t, whole.LearnSecret(t.Context(), "asana", "learned"))
				})
				err := replace(dynamo.NewCatalog(cut, table, sealer{}))
				if more = *reached; !more {
					continue
				}
				if err != nil && !errors.Is(err, catalog.ErrConflict) {
					t.Errorf("learned before call %d of a replacement: %v", k, err)
				}
				if got := secretsOf(t, whole); !slices.Equal(got, []string{"learned"}) {
					t.Errorf(
						"learned before call %d of a replacement, which gave %v: secrets %q", k,
						err, got,
					)
				}
			}
			for k, more := 1, true; more; k++ {
				table := createTable(t)
				whole := dynamo.NewCatalog(client, table, sealer{})
				replaceWith(t, whole, learning(), 0)
				must(t, whole.OpenLearning(t.Context(), "asana", time.Now().Add(time.Hour)))
				cut, reached := preempted(t, k, func() {
					if err := replace(whole); err != nil && !errors.Is(err, catalog.ErrConflict) {
						t.Error(err)
					}
				})
				must(
					t,
					dynamo.NewCatalog(cut, table, sealer{}).LearnSecret(
						t.Context(), "asana", "learned",
					),
				)
				if got := secretsOf(t, whole); !slices.Equal(got, []string{"learned"}) {
					t.Errorf("a replacement before call %d of a handshake: secrets %q", k, got)
				}
				more = *reached
			}
		})
	}
}

// TestAReplacementIsLoadedBeforeAHandshakeAndWrittenAmidstIt is the same, with the load before the
// handshake.
func TestAReplacementIsLoadedBeforeAHandshakeAndWrittenAmidstIt(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	configured := learning()
	configured.Sources[0].Secrets = []string{"configured"}
	for name, tt := range map[string]struct {
		next catalog.Catalog
		want []string // secrets, if the replacement came in force
		err  error    // of the handshake, then
	}{
		"as it was":     {learning(), []string{"learned"}, nil},
		"with a secret": {configured, []string{"configured"}, catalog.ErrConflict},
		"without it":    {catalog.Catalog{}, []string{"removed"}, catalog.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inForce := 0
			for k, more := 1, true; more; k++ {
				table := createTable(t)
				whole := dynamo.NewCatalog(client, table, sealer{})
				replaceWith(t, whole, learning(), 0)
				must(t, whole.OpenLearning(t.Context(), "asana", time.Now().Add(time.Hour)))
				replaced := fmt.Errorf("not tried: %w", catalog.ErrConflict)
				cut, reached := preempted(t, k, func() {
					replaced = whole.ReplaceCatalog(t.Context(), tt.next, 1)
				})
				err := dynamo.NewCatalog(cut, table, sealer{}).LearnSecret(
					t.Context(), "asana", "learned",
				)
				more = *reached
				want, wantErr := []string{"learned"}, error(nil)
				if replaced == nil {
					want, wantErr = tt.want, tt.err
					inForce++
				}
				if got := secretsOf(t, whole); !errors.Is(err, wantErr) ||
					!slices.Equal(got, want) {
					t.Errorf(
						"replaced before call %d of a handshake (%v): %v, secrets %q, want %v and %q",
						k, replaced, err, got, wantErr, want,
					)
				}
			}
			if inForce < 3 {
				t.Errorf("only %d replacements came in force", inForce)
			}
		})
	}
}

// TestAHandshakeCutShortIsTakenUp lets the process die before the kth call of the handshake. Then
// the provider tries again, also after a replacement that was loaded before the handshake.
func TestAHandshakeCutShortIsTakenUp(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	for k := 0; ; k++ {
		table := createTable(t)
		whole := dynamo.NewCatalog(client, table, sealer{})
		replaceWith(t, whole, learning(), 0)
		must(t, whole.OpenLearning(t.Context(), "asana", time.Now().Add(time.Hour)))
		limit := &cutAfter{left: k}
		err := dynamo.NewCatalog(newClient(t, limit.hook), table, sealer{}).LearnSecret(
			t.Context(), "asana", "learned",
		)
		if !limit.cut {
			must(t, err)
			return
		}
		if k%2 == 0 {
			must(t, whole.LearnSecret(t.Context(), "asana", "learned"))
			if err := whole.ReplaceCatalog(t.Context(), learning(), 1); !errors.Is(
				err, catalog.ErrConflict,
			) {
				t.Errorf("after call %d: %v, want ErrConflict", k, err)
			}
		} else {
			_ = whole.ReplaceCatalog(t.Context(), learning(), 1)
			err := whole.LearnSecret(t.Context(), "asana", "learned")
			// a secret closed the window, and the replacement forgot the secret before the provider
			// got its answer
			if errors.Is(err, catalog.ErrNotOpen) {
				must(t, whole.OpenLearning(t.Context(), "asana", time.Now().Add(time.Hour)))
				err = whole.LearnSecret(t.Context(), "asana", "learned")
			}
			must(t, err)
		}
		if got := secretsOf(t, whole); !slices.Equal(got, []string{"learned"}) {
			t.Errorf("cut short after call %d: secrets %q", k, got)
		}
	}
}
