package dynamo_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/aws/dynamo"
	"webhook-relay/shared/lab/conformance"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

const newestDocuments = "documents.v1.jsonl"

var sampleDocuments = map[string]operate.Document{
	"tokens": {Key: "t-1", Body: []byte(`{"v":1}`), Version: 2},
	"audit/acme": {
		Key: "2026-01-02T03:04:05.678Z#1", Body: []byte("{}"), Version: 1, ExpiresAt: expires,
	},
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	conformance.Documents(t, func(t *testing.T) operate.Documents {
		client := newClient(t, nil)
		return dynamo.NewDocuments(client, createTable(t))
	})
}

func TestDocumentsAreWrittenAsInTheNewestGoldenFile(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	s := dynamo.NewDocuments(client, table)
	for collection, d := range sampleDocuments {
		for range d.Version {
			_, err := s.PutDocument(t.Context(), collection, d, operate.AnyVersion)
			must(t, err)
		}
	}
	compare(t, newestDocuments, scan(t, table))
}

func TestTheDocumentsOfEachVersionAreRead(t *testing.T) {
	t.Parallel()
	for _, file := range []string{newestDocuments} {
		client := newClient(t, nil)
		s := dynamo.NewDocuments(client, restore(t, file))
		for collection, want := range sampleDocuments {
			got, err := s.Document(t.Context(), collection, want.Key)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", file, err, diff)
			}
		}
	}
}

// TestAFaultAtEachCallOfDocuments lets each call fail, before it took effect and after. The write
// must have been made or not made, as a whole, and the same write must be possible afterwards.
func TestAFaultAtEachCallOfDocuments(t *testing.T) {
	t.Parallel()
	client := newClient(t, nil)
	table := createTable(t)
	whole := dynamo.NewDocuments(client, table)
	old := operate.Document{Key: "k", Body: []byte("old"), Version: 1}
	for name, write := range map[string]func(operate.Documents, int64) (int64, error){
		"put": func(s operate.Documents, base int64) (int64, error) {
			d := operate.Document{Key: "k", Body: []byte("new")}
			return s.PutDocument(t.Context(), "tokens", d, base)
		},
		"delete": func(s operate.Documents, base int64) (int64, error) {
			return 0, s.DeleteDocument(t.Context(), "tokens", "k", base)
		},
	} {
		for _, base := range []int64{1, operate.AnyVersion} {
			for _, after := range []bool{false, true} {
				must(t, whole.DeleteDocument(t.Context(), "tokens", "k", operate.AnyVersion))
				_, err := whole.PutDocument(t.Context(), "tokens", old, 0)
				must(t, err)
				cut := dynamo.NewDocuments(newClient(t, failAll(after)), table)
				if _, err := write(cut, base); err == nil || errors.Is(err, catalog.ErrConflict) {
					t.Errorf("%s of base %d without an answer: %v", name, base, err)
				}
				got, err := whole.Document(t.Context(), "tokens", "k")
				switch {
				case !after && cmp.Diff(old, got) != "":
					t.Errorf("%s that failed before: %v, %v", name, got, err)
				case after && name == "put" && string(got.Body) != "new":
					t.Errorf("put that failed after: %v, %v", got, err)
				case after && name == "delete" && !errors.Is(err, catalog.ErrNotFound):
					t.Errorf("delete that failed after: %v, %v", got, err)
				}
				if _, err := write(whole, operate.AnyVersion); err != nil {
					t.Errorf("%s again: %v", name, err)
				}
			}
		}
	}
}

// failAll lets every write fail, before or after it took effect, and every answer be lost.
func failAll(after bool) hook {
	return func(
		_ string, body []byte, next func([]byte) (*http.Response, error),
	) (*http.Response, error) {
		if after {
			if resp, err := next(body); err == nil {
				_ = resp.Body.Close()
			}
		}
		return nil, errors.New("cut")
	}
}

// TestADocumentWhoseAnswerWasLostIsWritten: the client repeats the call, and the condition no
// longer holds.
func TestADocumentWhoseAnswerWasLostIsWritten(t *testing.T) {
	t.Parallel()
	table := createTable(t)
	for i, base := range []int64{0, 1} {
		s := dynamo.NewDocuments(newClient(t, loseAnswers("UpdateItem", 1)), table)
		d := operate.Document{Key: "k", Body: []byte{byte(i)}}
		version, err := s.PutDocument(t.Context(), "tokens", d, base)
		if err != nil || version != base+1 {
			t.Errorf("base %d: version %d, %v", base, version, err)
		}
	}
	s := dynamo.NewDocuments(newClient(t, loseAnswers("DeleteItem", 1)), table)
	must(t, s.DeleteDocument(t.Context(), "tokens", "k", 2))
}

// TestADocumentWithoutABodyIsADocument: no bytes are a value too.
func TestADocumentWithoutABodyIsADocument(t *testing.T) {
	t.Parallel()
	s := dynamo.NewDocuments(newClient(t, nil), createTable(t))
	_, err := s.PutDocument(t.Context(), "tokens", operate.Document{Key: "k"}, 0)
	must(t, err)
	if got, err := s.Document(t.Context(), "tokens", "k"); err != nil || len(got.Body) != 0 {
		t.Errorf("%q, %v", got.Body, err)
	}
}

// TestAnErrorNamesTheTable: whoever reads it looks for a wrong setting.
func TestAnErrorNamesTheTable(t *testing.T) {
	t.Parallel()
	_, err := dynamo.NewDocuments(newClient(t, nil), "absent").Document(t.Context(), "tokens", "k")
	for _, want := range []string{"GetItem in table absent", "ResourceNotFoundException"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; no %q", err, want)
		}
	}
}
