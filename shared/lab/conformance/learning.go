package conformance

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/verify"
)

// learner is a source whose provider hands over its secret in a handshake.
func learner(name string) catalog.Source {
	return catalog.Source{Name: name, Verify: verify.Config{Provider: "asana"}}
}

// window opens a window for a source's handshake.
func window(t *testing.T, c CatalogUnderTest, source string) time.Time {
	t.Helper()
	until := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	must(t, "OpenLearning", c.OpenLearning(t.Context(), source, until))
	return until
}

// learns opens a window and has a source learn a secret in it.
func learns(t *testing.T, c CatalogUnderTest, source, secret string) {
	t.Helper()
	window(t, c, source)
	must(t, "LearnSecret", c.LearnSecret(t.Context(), source, secret))
}

// windowOf returns the end of the window in which a source of the current catalog may learn its
// secret.
func windowOf(t *testing.T, c CatalogUnderTest, source string) time.Time {
	t.Helper()
	s, err := c.Source(t.Context(), generation(t, c), source)
	must(t, "Source", err)
	return s.LearnUntil
}

func catalogWindows(t *testing.T, c CatalogUnderTest) {
	want := catalog.Catalog{
		Sources: []catalog.Source{learner("asana"), source("github"), learner("other")},
	}
	replace(t, c, want)
	refused := func(when string) {
		t.Helper()
		if err := c.LearnSecret(t.Context(), "asana", "s"); !errors.Is(err, catalog.ErrNotOpen) {
			t.Errorf("%s: %v, want ErrNotOpen", when, err)
		}
		loaded, _, err := c.LoadCatalog(t.Context()) // a window is no part of the catalog
		must(t, "LoadCatalog", err)
		if diff := cmp.Diff(want, loaded, sameCatalog); diff != "" {
			t.Errorf("%s, the catalog (-want +got):\n%s", when, diff)
		}
	}
	refused("without a window")
	window(t, c, "other")
	refused("in the window of another")
	must(t, "OpenLearning", c.OpenLearning(t.Context(), "asana", time.Now()))
	refused("after its window")
	window(t, c, "asana")
	must(t, "OpenLearning", c.OpenLearning(t.Context(), "asana", time.Now().Add(-time.Hour)))
	refused("after the window that took the place of an open one")

	until := window(t, c, "asana")
	if got := windowOf(t, c, "asana"); !got.Equal(until) {
		t.Errorf("the window ends at %s, want %s", got, until)
	}
	must(t, "LearnSecret", c.LearnSecret(t.Context(), "asana", "learned"))
	if got := windowOf(t, c, "asana"); !got.IsZero() {
		t.Errorf("there is a window until %s though the secret was learned", got)
	}
	for _, name := range []string{"asana", "github"} {
		if err := c.OpenLearning(t.Context(), name, until); !errors.Is(err, catalog.ErrConflict) {
			t.Errorf("a window for %s, which has a secret: %v, want ErrConflict", name, err)
		}
	}
	if err := c.OpenLearning(t.Context(), "unknown", until); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("a window for an unknown source: %v, want ErrNotFound", err)
	}
	replace(t, c, want)
	refused("after the secret was forgotten, in the time of the window that brought it")
	learns(t, c, "asana", "another")
}

func catalogWindowsOutlive(t *testing.T, c CatalogUnderTest) {
	want := catalog.Catalog{Sources: []catalog.Source{learner("asana")}}
	replace(t, c, want)
	until := window(t, c, "asana")
	loaded, base, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	must(t, "ReplaceCatalog", c.ReplaceCatalog(t.Context(), loaded, base))
	if got := windowOf(t, c, "asana"); !got.Equal(until) {
		t.Errorf("the window ends at %s, want %s", got, until)
	}
	must(t, "LearnSecret", c.LearnSecret(t.Context(), "asana", "learned"))
	want.Sources[0].Secrets = []string{"learned"}
	expectCatalog(t, c, want)
}

func catalogLearns(t *testing.T, c CatalogUnderTest) {
	want := catalog.Catalog{
		Sources: []catalog.Source{learner("asana"), source("github"), learner("other")},
	}
	replace(t, c, want)
	if err := c.LearnSecret(t.Context(), "unknown", "s"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("of an unknown source: %v, want ErrNotFound", err)
	}
	if err := c.LearnSecret(t.Context(), "github", "s"); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("of a source with a secret: %v, want ErrConflict", err)
	}
	learns(t, c, "asana", "first é")
	// a provider repeats a handshake whose answer was lost
	must(t, "LearnSecret of the same", c.LearnSecret(t.Context(), "asana", "first é"))
	if err := c.LearnSecret(t.Context(), "asana", "second"); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("a second time: %v, want ErrConflict", err)
	}
	want.Sources[0].Secrets = []string{"first é"}
	expectCatalog(t, c, want)
}

func catalogLearnsConcurrently(t *testing.T, c CatalogUnderTest) {
	replace(t, c, catalog.Catalog{Sources: []catalog.Source{learner("asana")}})
	window(t, c, "asana")
	errs := make(chan error, 5)
	for i := range cap(errs) {
		go func() { errs <- c.LearnSecret(t.Context(), "asana", fmt.Sprint(i)) }()
	}
	won := 0
	for range cap(errs) {
		switch err := <-errs; {
		case err == nil:
			won++
		case !errors.Is(err, catalog.ErrConflict):
			t.Errorf("%v, want ErrConflict", err)
		}
	}
	equal(t, "handshakes that won", 1, won)
}

func catalogForgets(t *testing.T, c CatalogUnderTest) {
	replace(t, c, catalog.Catalog{Sources: []catalog.Source{learner("asana"), learner("notion")}})
	learns(t, c, "asana", "a")
	learns(t, c, "notion", "n")
	loaded, _, err := c.LoadCatalog(t.Context())
	must(t, "LoadCatalog", err)
	// forgotten on purpose; the other source keeps its secret as the catalog's own
	loaded.Sources[0].Secrets = nil
	replace(t, c, loaded)
	expectCatalog(t, c, loaded)
	learns(t, c, "asana", "b")
}

// replacements returns ways to replace a catalog whose first source learns its secret.
func replacements() map[string]func(*catalog.Catalog) {
	return map[string]func(*catalog.Catalog){
		"as it was":  func(*catalog.Catalog) {},
		"made anew":  func(c *catalog.Catalog) { c.Sources = []catalog.Source{learner("asana")} },
		"without it": func(c *catalog.Catalog) { c.Sources = nil },
		"with a secret": func(c *catalog.Catalog) {
			c.Sources = []catalog.Source{learner("asana")}
			c.Sources[0].Secrets = []string{"configured"}
		},
		"with another": func(c *catalog.Catalog) {
			c.Sources = append(c.Sources, source("github"))
		},
	}
}

func catalogKeepsLearned(t *testing.T, c CatalogUnderTest) {
	for name, change := range replacements() {
		replace(t, c, catalog.Catalog{Sources: []catalog.Source{learner("asana")}})
		before, base, err := c.LoadCatalog(t.Context())
		must(t, "LoadCatalog", err)
		learns(t, c, "asana", "learned")
		change(&before)
		if err := c.ReplaceCatalog(t.Context(), before, base); !errors.Is(
			err, catalog.ErrConflict,
		) {
			t.Errorf("%s: %v, want ErrConflict, since what was loaded lacks the secret", name, err)
		}
		want := learner("asana")
		want.Secrets = []string{"learned"}
		expectCatalog(t, c, catalog.Catalog{Sources: []catalog.Source{want}})

		next, base, err := c.LoadCatalog(t.Context())
		must(t, "LoadCatalog", err)
		change(&next)
		must(t, name+", of what was loaded after it", c.ReplaceCatalog(t.Context(), next, base))
		expectCatalog(t, c, next)
	}
}

// learnsBetween lets a source learn a secret between the first read of a resource and its edit.
type learnsBetween struct {
	CatalogUnderTest
	learn func() error
	once  bool
}

func (c *learnsBetween) Resource(
	ctx context.Context, kind catalog.Kind, name string,
) (catalog.Resource, error) {
	r, err := c.CatalogUnderTest.Resource(ctx, kind, name)
	if err == nil && !c.once {
		c.once, err = true, c.learn()
	}
	return r, err
}

func catalogRotates(t *testing.T, c CatalogUnderTest) {
	ep, other := endpoint("shipping"), endpoint("warehouse")
	ep.SecretsMade = true
	replace(
		t, c,
		catalog.Catalog{
			Sources: []catalog.Source{learner("asana")}, Endpoints: []catalog.Endpoint{ep, other},
		},
	)
	window(t, c, "asana")
	before, err := c.Resource(t.Context(), catalog.KindEndpoint, "warehouse")
	must(t, "Resource", err)
	learning := &learnsBetween{CatalogUnderTest: c, learn: func() error {
		return c.LearnSecret(t.Context(), "asana", "learned")
	}}
	rotated, err := catalog.Rotate(t.Context(), learning, "shipping", time.Hour, now())
	must(t, "Rotate", err)
	want := learner("asana")
	want.Secrets = []string{"learned"}
	expectCatalog(
		t, c,
		catalog.Catalog{
			Sources: []catalog.Source{want}, Endpoints: []catalog.Endpoint{rotated, other},
		},
	)
	after, err := c.Resource(t.Context(), catalog.KindEndpoint, "warehouse")
	must(t, "Resource", err)
	equal(t, "the revision of another endpoint", before.Revision, after.Revision)
	if len(rotated.Retiring) != 1 {
		t.Errorf("%d secrets retire, want 1", len(rotated.Retiring))
	}
}

func catalogRestored(t *testing.T, c CatalogUnderTest) {
	with := catalog.Catalog{Sources: []catalog.Source{learner("asana")}}
	replace(t, c, with)
	learns(t, c, "asana", "first")
	replace(t, c, catalog.Catalog{})
	if err := c.LearnSecret(t.Context(), "asana", "second"); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("while it is removed: %v, want ErrNotFound", err)
	}
	replace(t, c, with)
	expectCatalog(t, c, with)
	learns(t, c, "asana", "third")
	with.Sources[0].Secrets = []string{"third"}
	expectCatalog(t, c, with)
}

// catalogLearnsAmidst runs a handshake concurrently with replacements that keep what they have
// loaded. If LearnSecret succeeds, the secret must be kept.
func catalogLearnsAmidst(t *testing.T, c CatalogUnderTest) {
	for round := range 5 {
		replace(t, c, catalog.Catalog{Sources: []catalog.Source{learner("asana")}})
		window(t, c, "asana")
		secret := fmt.Sprint("secret ", round)
		errs := atOnce(4, func(i int) error {
			if i == 0 {
				return c.LearnSecret(t.Context(), "asana", secret)
			}
			loaded, base, err := c.LoadCatalog(t.Context())
			if err != nil {
				return err
			}
			loaded.Endpoints = append(
				loaded.Endpoints[:len(loaded.Endpoints):len(loaded.Endpoints)],
				endpoint(fmt.Sprint("endpoint-", i)),
			)
			if err := c.ReplaceCatalog(t.Context(), loaded, base); !errors.Is(
				err, catalog.ErrConflict,
			) {
				return err
			}
			return nil
		})
		for _, err := range errs {
			must(t, "one of those at once", err)
		}
		got, err := c.Source(t.Context(), generation(t, c), "asana")
		must(t, "Source", err)
		equal(
			t, "secrets of a source that was told that its secret is kept", []string{secret},
			got.Secrets,
		)
	}
}
