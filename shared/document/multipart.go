package document

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
)

// maxBoundary is the length of the longest boundary (RFC 2046, section 5.1.1).
const maxBoundary = 70

// boundaryOf returns the boundary of a multipart/form-data body from the body's first line, because
// the content type is not signed. nil: it is no such body.
func boundaryOf(body []byte) []byte {
	line, _, ok := bytes.Cut(body[:min(len(body), maxBoundary+8)], []byte("\r\n"))
	boundary, dashes := bytes.CutPrefix(line, []byte("--"))
	if !ok || !dashes || len(boundary) == 0 || len(boundary) > maxBoundary {
		return nil
	}
	return boundary
}

// readParts returns the parts of a multipart/form-data body (RFC 7578) as fields, without files. A
// body that ends too early has none. It returns false if there are too many.
func readParts(body, boundary []byte) (Fields, bool) {
	var fields Fields
	reader := multipart.NewReader(bytes.NewReader(body), string(boundary))
	for count := 0; ; count++ {
		part, err := reader.NextRawPart()
		switch {
		case errors.Is(err, io.EOF):
			return fields, true
		case err != nil:
			return nil, true
		case count == MaxFields:
			return nil, false
		case part.FileName() != "" || part.FormName() == "":
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, true
		}
		fields = append(fields, Field{Name: part.FormName(), Value: string(value)})
	}
}
