package sqlite_test

import (
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"

	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/relay/operate"
)

// year2100 is a time of expiry in golden data.
var year2100 = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func TestDocuments(t *testing.T) {
	conformance.Documents(t, func(t *testing.T) operate.Documents {
		return open(t, t.TempDir()).Documents()
	})
}

// TestDocumentsOfAnotherProcess: a command changes them while the host runs.
func TestDocumentsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ours, others := host(t, dir).Documents(), open(t, dir).Documents()
	if _, err := others.PutDocument(
		t.Context(), "tokens", operate.Document{Key: "k", Body: []byte("theirs")}, 0,
	); err != nil {
		t.Fatal(err)
	}
	if d, err := ours.Document(t.Context(), "tokens", "k"); err != nil ||
		string(d.Body) != "theirs" {
		t.Errorf("%q, %v", d.Body, err)
	}
	if _, err := ours.PutDocument(
		t.Context(), "tokens", operate.Document{Key: "k"}, 1,
	); err != nil {
		t.Error(err)
	}
}

func TestDocumentsAreStoredAsTheyAre(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.Documents().PutDocument(t.Context(), "tenants",
		operate.Document{
			Key: "acme", Body: []byte(`{"v":1}`), ExpiresAt: year2100,
		}, 0); err != nil {
		t.Fatal(err)
	}
	rows := 0
	look(t, dir, "SELECT collection, key, version, expires, CAST(body AS TEXT) FROM documents",
		func(stmt *zombiezen.Stmt) {
			rows++
			got := [...]any{
				stmt.ColumnText(0), stmt.ColumnText(1), stmt.ColumnInt64(2), stmt.ColumnInt64(3),
				stmt.ColumnText(4),
			}
			if want := [...]any{
				"tenants", "acme", int64(1), year2100.Unix(), `{"v":1}`,
			}; got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	if rows != 1 {
		t.Errorf("%d rows", rows)
	}
}
