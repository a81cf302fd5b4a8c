package sqlite_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/relay/catalog"
)

var update = flag.Bool(
	"update", false,
	"write golden files that do not exist yet; those of a released version never change",
)

// newestCatalog is the file of the documents that the current version seals: a name and a document
// on each line. Files of earlier versions stay, and the test opens them too.
const newestCatalog = "catalog.v1.txt"

func TestTheCatalogIsSealedAsInTheNewestGoldenFile(t *testing.T) {
	t.Parallel()
	var sealed documents
	fill(t, &sealed)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(sealed.plain)) {
		fmt.Fprintln(&b, name, sealed.plain[name])
	}
	path := filepath.Join("testdata", newestCatalog)
	golden, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		golden = []byte(b.String())
		err = os.WriteFile(path, golden, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), b.String()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", newestCatalog, diff)
	}
}

func TestTheCatalogOfEachVersionIsOpened(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]catalog.Catalog{newestCatalog: conformance.CatalogV1()} {
		golden, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		opened := documents{opens: map[string]string{}}
		for line := range strings.Lines(string(golden)) {
			name, doc, _ := strings.Cut(line, " ")
			opened.opens[name] = doc
		}
		got, _, err := fill(t, &opened).LoadCatalog(t.Context())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
		}
	}
}

// fill returns a new store's catalog with the items of version 1.
func fill(t *testing.T, d *documents) catalog.Store {
	t.Helper()
	given := conformance.CatalogV1()
	handedOver := given.Sources[1].Secrets[0]
	given.Sources[1].Secrets = nil
	c := open(t, t.TempDir()).Catalog(d)
	if err := c.ReplaceCatalog(t.Context(), given, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.OpenLearning(
		t.Context(), given.Sources[1].Name, time.Now().Add(time.Hour),
	); err != nil {
		t.Fatal(err)
	}
	if err := c.LearnSecret(t.Context(), given.Sources[1].Name, handedOver); err != nil {
		t.Fatal(err)
	}
	return c
}

// documents is a sealer that does not encrypt. Seal records each document. If opens is set, Open
// returns the document that opens has for the name, not the sealed one.
type documents struct {
	mu    sync.Mutex
	plain map[string]string
	opens map[string]string
}

func (d *documents) Seal(_ context.Context, name string, plain []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plain == nil {
		d.plain = map[string]string{}
	}
	d.plain[name] = string(plain)
	return plain, nil
}

func (d *documents) Open(_ context.Context, name string, sealed []byte) ([]byte, error) {
	if d.opens == nil {
		return sealed, nil
	}
	return []byte(d.opens[name]), nil
}
