package verify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"testing"

	"webhook-relay/shared/verify"
)

// FuzzDropboxSign_ReadsWhatAReceiverReads checks accepted bodies in parts: the standard library
// must find one part in them, with the same event.
func FuzzDropboxSign_ReadsWhatAReceiverReads(f *testing.F) {
	s := newSubject(f, verify.Config{Provider: "dropbox-sign"}, "current")
	f.Add(s.request.Body, s.request.Header["content-type"])
	f.Add(
		bytes.ReplaceAll(s.request.Body, []byte("\r\n"), []byte("\n")),
		s.request.Header["content-type"],
	)
	f.Add(append([]byte("\r\n"), s.request.Body...), "multipart/form-data; boundary=x")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		r := with(s.request, "content-type", contentType)
		r.Body = body
		got, err := s.verifier.Verify(context.Background(), r)
		if err != nil || contentType == "" {
			return
		}
		_, parameters, err := mime.ParseMediaType(contentType)
		if err != nil {
			t.Fatalf("accepted with content type %q", contentType)
		}
		parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
		part, err := parts.NextPart()
		if err != nil || part.FormName() != "json" || part.FileName() != "" {
			t.Fatalf("the first part: %v", err)
		}
		var read struct {
			Event struct {
				Type string `json:"event_type"`
			} `json:"event"`
		}
		if err := json.NewDecoder(part).Decode(&read); err != nil ||
			read.Event.Type != got.EventType {
			t.Errorf("a receiver reads type %q, we %q (%v)", read.Event.Type, got.EventType, err)
		}
		if _, err := parts.NextPart(); err != io.EOF { //nolint:errorlint // as it is returned
			t.Errorf("after the part: %v", err)
		}
	})
}
