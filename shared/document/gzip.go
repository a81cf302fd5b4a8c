package document

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
)

// Errors of Inflate.
var (
	ErrGzip     = errors.New("document: not gzip")
	ErrTooLarge = errors.New("document: too large uncompressed")
)

// IsGzip tells by its first bytes whether a body is compressed with gzip (RFC 1952). No JSON, form
// or text begins with these bytes. The header Content-Encoding is not signed, so it is ignored.
func IsGzip(body []byte) bool { return bytes.HasPrefix(body, []byte("\x1F\x8B\x08")) }

// Inflate decompresses a gzip body into w, at most MaxInflated bytes. It holds only a small window
// in memory. Errors are ErrGzip, ErrTooLarge and those of w.
func Inflate(w io.Writer, body []byte) error {
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return ErrGzip
	}
	n, err := io.Copy(w, io.LimitReader(r, MaxInflated+1))
	switch {
	case n > MaxInflated:
		return ErrTooLarge
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(
		err, io.ErrUnexpectedEOF,
	):
		return ErrGzip
	}
	return err
}

// inflated returns the decompressed body. It returns false if that is too large. A body that only
// begins like gzip is returned unchanged.
func inflated(body []byte) ([]byte, bool) {
	if !IsGzip(body) {
		return body, true
	}
	// The last four bytes are the size, unless somebody changed them.
	size := binary.LittleEndian.Uint32(body[max(len(body)-4, 0):])
	out := bytes.NewBuffer(make([]byte, 0, min(size, MaxInflated)+bytes.MinRead))
	switch err := Inflate(out, body); {
	case errors.Is(err, ErrTooLarge):
		return nil, false
	case err != nil:
		return body, true
	}
	return out.Bytes(), true
}
