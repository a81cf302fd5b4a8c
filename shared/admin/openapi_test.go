package admin_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/admin"
)

var update = flag.Bool("update", false, "write the OpenAPI document anew")

// TestTheOpenAPIDocumentIsThatOfTheCode: it is made from the handlers' types, and embedded, so that
// a function need not make it.
func TestTheOpenAPIDocumentIsThatOfTheCode(t *testing.T) {
	t.Parallel()
	want, err := admin.Document()
	must(t, err)
	if *update {
		var z bytes.Buffer
		w, err := gzip.NewWriterLevel(&z, gzip.BestCompression)
		must(t, err)
		_, err = w.Write(want)
		must(t, err)
		must(t, w.Close())
		must(t, os.WriteFile("openapi.json.gz", z.Bytes(), 0o600))
		must(t, os.WriteFile("openapi.json", want, 0o600))
		return
	}
	text, err := os.ReadFile("openapi.json")
	must(t, err)
	if diff := cmp.Diff(string(want), string(text)); diff != "" {
		t.Errorf("openapi.json is old: go test ./shared/admin -update (-want +got):\n%.4000s", diff)
	}
	embedded, err := admin.OpenAPI()
	must(t, err)
	if !bytes.Equal(embedded, text) {
		t.Error("openapi.json.gz is not openapi.json: go test ./shared/admin -update")
	}
}

func TestTheOpenAPIDocumentIsServed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	plain := r.send(request{method: "GET", path: "/v1/openapi.json"}).wants(200, nil)
	packed := r.send(request{
		method: "GET", path: "/v1/openapi.json", header: map[string]string{
			"Accept-Encoding": "gzip",
		},
	}).wants(200, nil)
	z, err := gzip.NewReader(bytes.NewReader(packed.body))
	must(t, err)
	var doc struct{ OpenAPI string }
	must(t, json.NewDecoder(z).Decode(&doc))
	if !strings.HasPrefix(doc.OpenAPI, "3.1") || !json.Valid(plain.body) ||
		len(packed.body) >= len(plain.body)/3 {
		t.Errorf("version %s, %d bytes, %d packed", doc.OpenAPI, len(plain.body), len(packed.body))
	}
}
