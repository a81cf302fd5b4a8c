package admin

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"

	"webhook-relay/shared/relay/access"
)

// maxIdempotencyKey is the largest number of bytes of an Idempotency-Key.
const maxIdempotencyKey = 255

// keptAnswer is the form in which an answer is kept for a repeat of its request.
type keptAnswer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   []byte      `json:"body"`
}

// once answers a request with an idempotency key. It runs the request, unless it was run before.
func (s *server) once(
	w http.ResponseWriter, r *http.Request, c *call, key string, body []byte, next http.Handler,
) error {
	if len(key) > maxIdempotencyKey {
		return at(
			"/header/Idempotency-Key", "has %d bytes, at most %d", len(key), maxIdempotencyKey,
		)
	}
	request := access.Request{
		Tenant: c.tenant, Sender: c.principal.secret, Key: key,
		Body: append([]byte(r.Method+" "+r.URL.RequestURI()+"\x00"), body...),
	}
	kept, err := s.answers.Begin(r.Context(), &request)
	switch {
	case errors.Is(err, access.ErrKeyReused):
		return keyReused.problem("Use another Idempotency-Key for another request.")
	case errors.Is(err, access.ErrRunning):
		return keyRunning.problem("Send it again in a moment to get its answer.").
			with("retry-after", "2")
	case errors.Is(err, access.ErrAnswerLarge):
		return keyLost.problem("It was run, and is not run again.")
	case err != nil:
		return err
	case kept != nil:
		return replay(w, kept)
	}
	answer := NewRecorder(w.Header().Clone())
	next.ServeHTTP(answer, r)
	// Only what was done is kept. What was refused may be sent again, corrected or not.
	if answer.Status < http.StatusOK || answer.Status >= http.StatusMultipleChoices {
		err = s.answers.Forget(r.Context(), request)
	} else {
		var doc []byte
		if doc, err = json.Marshal(keptAnswer{
			Status: answer.Status, Header: answer.Header(), Body: answer.Body.Bytes(),
		}); err == nil {
			err = s.answers.Finish(r.Context(), request, doc)
		}
	}
	// The request was run, whatever became of the note of it.
	c.failure = errors.Join(c.failure, err)
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body.Bytes()) // the client may have gone
	return nil
}

// replay writes an answer that was kept. It has the request id of the first request.
func replay(w http.ResponseWriter, kept []byte) error {
	var answer keptAnswer
	if err := json.Unmarshal(kept, &answer); err != nil {
		return err
	}
	maps.Copy(w.Header(), answer.Header)
	w.Header().Set("idempotency-replayed", "true")
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // the client may have gone
	return nil
}
