package admin

import (
	"bytes"
	"net/http"
)

// Recorder is an http.ResponseWriter that keeps an answer. It is for one goroutine.
type Recorder struct {
	Status int // 200 unless the handler has set another one
	Body   bytes.Buffer

	header http.Header
}

// NewRecorder returns a recorder of an answer that has some headers already.
func NewRecorder(header http.Header) *Recorder {
	return &Recorder{Status: http.StatusOK, header: header}
}

// Header implements http.ResponseWriter.
func (r *Recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *Recorder) WriteHeader(status int) { r.Status = status }

// Write implements http.ResponseWriter.
func (r *Recorder) Write(b []byte) (int, error) { return r.Body.Write(b) }
