package document_test

import (
	"strings"
	"testing"

	"webhook-relay/shared/document"
)

func TestValue(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ document, path, want string }{
		"a string":        {`{"data":{"id":"a\u00e9"}}`, "data.id", "aé"},
		"a number":        {`{"data":{"id":1.50}}`, "data.id", "1.50"},
		"a boolean":       {`{"id":true}`, "id", "true"},
		"first element":   {`{"entry":[{"id":"x"},{"id":"y"}]}`, "entry.0.id", "x"},
		"not there":       {`{"data":{}}`, "data.id", ""},
		"an object":       {`{"data":{"id":{}}}`, "data.id", ""},
		"null":            {`{"data":{"id":null}}`, "data.id", ""},
		"deeper than it":  {`{"data":1}`, "data.id", ""},
		"no JSON":         {`id=1`, "id", ""},
		"nothing":         {``, "id", ""},
		"the last counts": {`{"id":"1","id":"2"}`, "id", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := document.Value([]byte(tt.document), strings.Split(tt.path, ".")...); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
