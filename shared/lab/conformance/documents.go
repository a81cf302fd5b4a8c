package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// Documents tests an operate.Documents.
func Documents(t *testing.T, fresh func(t *testing.T) operate.Documents) {
	t.Run("a document comes back as it was written", func(t *testing.T) {
		t.Parallel()
		testDocumentComesBack(t, fresh(t))
	})
	t.Run("a write names the version that it replaces", func(t *testing.T) {
		t.Parallel()
		testDocumentVersions(t, fresh(t))
	})
	t.Run("an expired document counts as absent", func(t *testing.T) {
		t.Parallel()
		testDocumentExpires(t, fresh(t))
	})
	t.Run("a deletion names the version", func(t *testing.T) {
		t.Parallel()
		testDocumentDeletion(t, fresh(t))
	})
	t.Run("ranges", func(t *testing.T) {
		t.Parallel()
		testDocumentRanges(t, fresh(t))
	})
	t.Run("what is no document is refused", func(t *testing.T) {
		t.Parallel()
		testDocumentLimits(t, fresh(t))
	})
	t.Run("of writers of one version one wins", func(t *testing.T) {
		t.Parallel()
		testDocumentWriters(t, fresh(t))
	})
}

func testDocumentComesBack(t *testing.T, s operate.Documents) {
	t.Helper()
	const collection = "audit/Acme_1-b"
	for _, d := range []operate.Document{
		{Key: "plain", Body: []byte("{}")},
		{Key: "binary", Body: binary(), ExpiresAt: later()},
		{Key: "empty"},
		{Key: "large", Body: bytes.Repeat([]byte("x"), operate.MaxDocumentBytes)},
		{Key: strings.Repeat("k", operate.MaxDocumentKey), Body: []byte("long key")},
		{Key: "a#b/c é\t", Body: []byte("odd key")},
	} {
		version, err := s.PutDocument(t.Context(), collection, d, 0)
		must(t, "PutDocument "+d.Key, err)
		equal(t, "version of "+d.Key, int64(1), version)
		d.Version = 1
		got, err := s.Document(t.Context(), collection, d.Key)
		must(t, "Document "+d.Key, err)
		equal(t, d.Key, d, got, sameRecord)
		_, err = s.Document(t.Context(), "audit/other", d.Key)
		isError(t, "the same key of another collection", err, catalog.ErrNotFound)
	}
}

func testDocumentVersions(t *testing.T, s operate.Documents) {
	t.Helper()
	put := func(body string, base int64) (int64, error) {
		return s.PutDocument(
			t.Context(), "tokens", operate.Document{
				Key: "k", Body: []byte(body), Version: 77,
			}, base,
		)
	}
	_, err := put("early", 1)
	isError(t, "a replacement of nothing", err, catalog.ErrConflict)
	_, err = s.Document(t.Context(), "tokens", "k")
	isError(t, "what was never written", err, catalog.ErrNotFound)
	for i, base := range []int64{operate.AnyVersion, 1, operate.AnyVersion, 3} {
		version, err := put(fmt.Sprint("body ", i), base)
		must(t, "PutDocument", err)
		equal(t, "version", int64(i+1), version)
	}
	for _, base := range []int64{0, 3, 5} {
		_, err := put("too late", base)
		isError(t, fmt.Sprint("base ", base), err, catalog.ErrConflict)
	}
	got, err := s.Document(t.Context(), "tokens", "k")
	must(t, "Document", err)
	equal(t, "document", operate.Document{Key: "k", Body: []byte("body 3"), Version: 4}, got)
}

func testDocumentExpires(t *testing.T, s operate.Documents) {
	t.Helper()
	past := now().Add(-time.Minute).Truncate(time.Second)
	for _, key := range []string{"a", "b"} {
		_, err := s.PutDocument(
			t.Context(), "jobs/x", operate.Document{
				Key: key, Body: []byte("old"), ExpiresAt: past,
			}, 0,
		)
		must(t, "PutDocument", err)
		_, err = s.Document(t.Context(), "jobs/x", key)
		isError(t, "an expired document", err, catalog.ErrNotFound)
	}
	found, _ := documentKeys(t, s, "jobs/x", operate.DocumentRange{Limit: 10})
	equal(t, "listing of expired documents", 0, len(found))
	_, err := s.PutDocument(t.Context(), "jobs/x", operate.Document{Key: "a"}, 1)
	isError(t, "a replacement of an expired document", err, catalog.ErrConflict)
	must(t, "DeleteDocument", s.DeleteDocument(t.Context(), "jobs/x", "a", 7))
	for key, base := range map[string]int64{"a": 0, "b": operate.AnyVersion} {
		version, err := s.PutDocument(
			t.Context(), "jobs/x", operate.Document{Key: key, Body: []byte("new")}, base,
		)
		must(t, "PutDocument over an expired document", err)
		got, err := s.Document(t.Context(), "jobs/x", key)
		must(t, "Document", err)
		// without an expiry, although the one before it had one
		want := operate.Document{Key: key, Body: []byte("new"), Version: version}
		equal(t, "document", want, got)
	}
}

func testDocumentDeletion(t *testing.T, s operate.Documents) {
	t.Helper()
	for _, base := range []int64{1, operate.AnyVersion} {
		_, err := s.PutDocument(t.Context(), "tokens", operate.Document{Key: "k"}, 0)
		must(t, "PutDocument", err)
		err = s.DeleteDocument(t.Context(), "tokens", "k", base+1)
		if base == 1 {
			isError(t, "a deletion of another version", err, catalog.ErrConflict)
		}
		must(t, "DeleteDocument", s.DeleteDocument(t.Context(), "tokens", "k", base))
		_, err = s.Document(t.Context(), "tokens", "k")
		isError(t, "a deleted document", err, catalog.ErrNotFound)
		must(t, "a second DeleteDocument", s.DeleteDocument(t.Context(), "tokens", "k", base))
	}
}

func testDocumentRanges(t *testing.T, s operate.Documents) {
	t.Helper()
	for _, key := range []string{"b", "d", "a", "c", "ba", "é"} {
		_, err := s.PutDocument(t.Context(), "tenants", operate.Document{Key: key}, 0)
		must(t, "PutDocument", err)
	}
	_, err := s.PutDocument(t.Context(), "tenants-more", operate.Document{Key: "bb"}, 0)
	must(t, "PutDocument", err)
	for name, tt := range map[string]struct {
		r    operate.DocumentRange
		want string
	}{
		"all":          {operate.DocumentRange{}, "a b ba c d é"},
		"newest first": {operate.DocumentRange{Newest: true}, "é d c ba b a"},
		"from":         {operate.DocumentRange{From: "ba"}, "ba c d é"},
		"before":       {operate.DocumentRange{Before: "c"}, "a b ba"},
		"both":         {operate.DocumentRange{From: "b", Before: "d"}, "b ba c"},
		"both, newest first": {
			operate.DocumentRange{From: "b", Before: "d", Newest: true}, "c ba b",
		},
		"between keys":           {operate.DocumentRange{From: "b0", Before: "cc"}, "ba c"},
		"before the first":       {operate.DocumentRange{Before: "a"}, ""},
		"after the last":         {operate.DocumentRange{From: "z\U0010ffff"}, "é"},
		"nothing between":        {operate.DocumentRange{From: "c", Before: "c"}, ""},
		"bounds crossed":         {operate.DocumentRange{From: "d", Before: "b"}, ""},
		"bounds crossed, newest": {operate.DocumentRange{From: "d", Before: "b", Newest: true}, ""},
	} {
		for _, limit := range []int{1, 2, 3, 1000} {
			var all []string
			r := tt.r
			r.Limit = limit
			for page := 0; ; page++ {
				if page > 20 {
					t.Fatalf("%s, %d at a time: no end", name, limit)
				}
				found, next := documentKeys(t, s, "tenants", r)
				if len(found) > limit {
					t.Errorf("%s: %d of at most %d", name, len(found), limit)
				}
				all = append(all, found...)
				if next == "" {
					break
				}
				if r.Newest {
					r.Before = next
				} else {
					r.From = next
				}
			}
			equal(t, fmt.Sprintf("%s, %d at a time", name, limit), tt.want, strings.Join(all, " "))
		}
	}
	_, _, err = s.DocumentsIn(t.Context(), "none", operate.DocumentRange{Limit: 1})
	must(t, "DocumentsIn of a collection without documents", err)
}

func testDocumentLimits(t *testing.T, s operate.Documents) {
	t.Helper()
	for name, tt := range map[string]struct {
		collection string
		d          operate.Document
	}{
		"no key":         {"tokens", operate.Document{}},
		"long key":       {"tokens", operate.Document{Key: strings.Repeat("k", 513)}},
		"key not UTF-8":  {"tokens", operate.Document{Key: "\xff"}},
		"no collection":  {"", operate.Document{Key: "k"}},
		"odd collection": {"a b", operate.Document{Key: "k"}},
		"too large": {"tokens", operate.Document{
			Key: "k", Body: make([]byte, operate.MaxDocumentBytes+1),
		}},
	} {
		_, err := s.PutDocument(t.Context(), tt.collection, tt.d, operate.AnyVersion)
		isError(t, name, err, operate.ErrDocument)
	}
	for _, limit := range []int{-1, 0, operate.MaxDocuments + 1} {
		_, _, err := s.DocumentsIn(t.Context(), "tokens", operate.DocumentRange{Limit: limit})
		isError(t, fmt.Sprint("a range of ", limit), err, operate.ErrDocument)
	}
}

func testDocumentWriters(t *testing.T, s operate.Documents) {
	t.Helper()
	for base := range int64(2) {
		won := 0
		for _, err := range atOnce(8, func(i int) error {
			_, err := s.PutDocument(
				t.Context(), "tokens", operate.Document{Key: "k", Body: []byte{byte(i)}}, base,
			)
			return err
		}) {
			if err == nil {
				won++
			} else {
				isError(t, "a writer that came too late", err, catalog.ErrConflict)
			}
		}
		equal(t, fmt.Sprint("winners of base ", base), 1, won)
	}
	for _, err := range atOnce(8, func(int) error {
		_, err := s.PutDocument(
			t.Context(), "tokens", operate.Document{Key: "k"}, operate.AnyVersion,
		)
		return err
	}) {
		must(t, "PutDocument of any version", err)
	}
	got, err := s.Document(t.Context(), "tokens", "k")
	must(t, "Document", err)
	equal(t, "version after all", int64(10), got.Version)
}

func documentKeys(
	t *testing.T, s operate.Documents, collection string, r operate.DocumentRange,
) (keys []string, next string) {
	t.Helper()
	found, next, err := s.DocumentsIn(t.Context(), collection, r)
	must(t, "DocumentsIn", err)
	for _, d := range found {
		keys = append(keys, d.Key)
	}
	return keys, next
}

// isError ends the test if err is not target.
func isError(t *testing.T, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%s: %v, want %v", what, err, target)
	}
}
