package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

const (
	// AnswerRetention is how long the answer to a request with an idempotency key is kept.
	AnswerRetention = 24 * time.Hour
	// runningFor is how long a request counts as running. The process that runs it has died if it
	// takes longer.
	runningFor = time.Minute
)

// Reasons why a request with an idempotency key is not run.
var (
	// ErrKeyReused means that the key came with another request before.
	ErrKeyReused = errors.New("access: idempotency key of another request")
	// ErrRunning means that the request is still running.
	ErrRunning = errors.New("access: the request is running")
	// ErrAnswerLarge means that the request was answered before, and the answer was too large to
	// keep.
	ErrAnswerLarge = errors.New("access: the answer was too large to keep")
)

// Idempotency remembers requests by a key that their sender chose, and the answers. Answers may
// contain a new secret, so they are sealed with the sender's own token. It is safe for concurrent
// use.
type Idempotency struct {
	documents operate.Documents
	sealer    *Sealer
	now       func() time.Time
}

// NewIdempotency returns the memory in documents, which are those beside the ledger. now is the
// clock.
func NewIdempotency(
	documents operate.Documents, sealer *Sealer, now func() time.Time,
) *Idempotency {
	return &Idempotency{documents: documents, sealer: sealer, now: now}
}

// Request is a request with an idempotency key.
type Request struct {
	Tenant string
	Sender string // the token's text, or another secret or name of the sender
	Key    string // as the sender chose it
	Body   []byte // everything by which two requests differ

	version int64 // of the document that says that it is running
}

// answerDoc is the stored form of a request and its answer.
type answerDoc struct {
	Version int       `json:"v"`
	Request string    `json:"request"`          // hash of the request
	Until   time.Time `json:"until,omitzero"`   // it is running until then at most
	Sealed  []byte    `json:"sealed,omitempty"` // the answer; nil: it is running, or was too large
}

const answerPurpose = "answer"

func answersOf(tenant string) string { return "idempotency/" + tenant }

func hexHash(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256([]byte(p))
		_, _ = h.Write(sum[:]) // writing to a hash cannot fail
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (r Request) key() string    { return hexHash(r.Sender, r.Key) }
func (r Request) secret() string { return r.Sender + "\x00" + r.Key }

// Begin notes that a request is running, and returns nil. If it was answered before, it returns the
// answer. After nil, the caller runs it and calls Finish or Forget. Errors: ErrKeyReused,
// ErrRunning, ErrAnswerLarge.
func (s *Idempotency) Begin(ctx context.Context, r *Request) (answer []byte, err error) {
	hash := hexHash(string(r.Body))
	d, err := s.documents.Document(ctx, answersOf(r.Tenant), r.key())
	if errors.Is(err, catalog.ErrNotFound) {
		return nil, s.running(ctx, r, hash, 0)
	}
	if err != nil {
		return nil, err
	}
	var doc answerDoc
	if err := format.Decode(d.Body, &doc, &doc.Version); err != nil {
		return nil, err
	}
	switch {
	case doc.Request != hash:
		return nil, ErrKeyReused
	case doc.Sealed != nil:
		return s.sealer.Open(ctx, answerPurpose, r.secret(), doc.Sealed)
	case doc.Until.IsZero():
		return nil, ErrAnswerLarge
	case s.now().Before(doc.Until):
		return nil, ErrRunning
	}
	return nil, s.running(ctx, r, hash, d.Version)
}

// running notes that a request is running, if its document has a version.
func (s *Idempotency) running(ctx context.Context, r *Request, hash string, base int64) error {
	version, err := s.put(
		ctx, *r, answerDoc{Request: hash, Until: s.now().UTC().Add(runningFor)}, base,
	)
	if errors.Is(err, catalog.ErrConflict) {
		return ErrRunning
	}
	r.version = version
	return err
}

func (s *Idempotency) put(
	ctx context.Context, r Request, doc answerDoc, base int64,
) (int64, error) {
	doc.Version = format.Version
	return s.documents.PutDocument(ctx, answersOf(r.Tenant), operate.Document{
		Key: r.key(), Body: format.Encode(doc),
		ExpiresAt: s.now().UTC().Add(AnswerRetention).Truncate(time.Second),
	}, base)
}

// Finish keeps the answer to a request that Begin let run.
func (s *Idempotency) Finish(ctx context.Context, r Request, answer []byte) error {
	sealed, err := s.sealer.Seal(ctx, answerPurpose, r.secret(), answer)
	if err != nil {
		return err
	}
	doc := answerDoc{Request: hexHash(string(r.Body)), Sealed: sealed}
	if len(sealed) > maxAnswer {
		doc.Sealed = nil
	}
	_, err = s.put(ctx, r, doc, r.version)
	return err
}

// maxAnswer is the largest answer that is kept: base64 and the rest must fit into a document.
const maxAnswer = operate.MaxDocumentBytes * 5 / 8

// Forget lets a request that Begin let run be run again: it changed nothing.
func (s *Idempotency) Forget(ctx context.Context, r Request) error {
	return s.documents.DeleteDocument(ctx, answersOf(r.Tenant), r.key(), r.version)
}
