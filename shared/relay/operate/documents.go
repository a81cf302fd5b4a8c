package operate

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
	"unicode/utf8"
)

// AnyVersion as a base means that a write does not depend on the document's version.
const AnyVersion int64 = -1

// Document is a small document of a collection.
type Document struct {
	Key     string // 1 to MaxDocumentKey bytes of UTF-8; a collection is in the order of the bytes
	Body    []byte // at most MaxDocumentBytes
	Version int64  // 1 for the first write, one more for each further write
	// UTC, whole seconds; it counts as absent from then on; zero: it is kept for ever
	ExpiresAt time.Time
}

// Limits of documents.
const (
	MaxDocumentKey   = 512
	MaxDocumentBytes = 256 << 10
	MaxDocuments     = 1000 // of one answer of DocumentsIn
)

// ErrDocument means that a collection's name, a document or a range breaks the limits above.
// Nothing was written.
var ErrDocument = errors.New("relay: not a document")

// DocumentRange selects documents of a collection.
type DocumentRange struct {
	From   string // keys from here on, this one included; "": from the first
	Before string // keys before this one; "": to the last
	Newest bool   // the last key first
	Limit  int    // 1 to MaxDocuments
}

const maxCollectionBytes = 128

// collectionName is the form of a collection's name without its length: a counted repetition would
// be compiled at the start of every function as so many patterns.
var collectionName = regexp.MustCompile(`^[A-Za-z0-9_/-]+$`)

// CheckDocument returns ErrDocument if a document cannot be stored in a collection. Adapters call
// it before each write.
func CheckDocument(collection string, d Document) error {
	switch {
	case len(collection) > maxCollectionBytes || !collectionName.MatchString(collection):
		return fmt.Errorf("%w: collection %.200q is not 1 to %d of [A-Za-z0-9_/-]",
			ErrDocument, collection, maxCollectionBytes)
	case d.Key == "" || len(d.Key) > MaxDocumentKey || !utf8.ValidString(d.Key):
		return fmt.Errorf("%w: key %.600q of %s is not 1 to %d bytes of UTF-8",
			ErrDocument, d.Key, collection, MaxDocumentKey)
	case len(d.Body) > MaxDocumentBytes:
		return fmt.Errorf("%w: %s of %s has %d bytes, at most %d",
			ErrDocument, d.Key, collection, len(d.Body), MaxDocumentBytes)
	}
	return nil
}

// Check returns ErrDocument if the range's limit is out of bounds.
func (r DocumentRange) Check() error {
	if r.Limit < 1 || r.Limit > MaxDocuments {
		return fmt.Errorf("%w: a range of %d, want 1 to %d", ErrDocument, r.Limit, MaxDocuments)
	}
	return nil
}

// Documents keeps small documents of the relay's own bookkeeping: tokens, tenants, jobs, the audit
// log, statistics. A collection's name is 1 to 128 characters of [A-Za-z0-9_/-]; what belongs to a
// tenant has the tenant's name in it. A collection with many writes at the same time is spread over
// several names by its user: one takes some 1,000 writes a second. It is safe for concurrent use.
type Documents interface {
	// Document returns a document as the last write left it. Error: ErrNotFound, also if it has
	// expired.
	Document(ctx context.Context, collection, key string) (Document, error)
	// PutDocument writes a document if the stored one has the version base; 0: there is none, or it
	// has expired; AnyVersion: in any case. d.Version is ignored. It returns the new version, which
	// may be more than 1 where another document of that key has expired or was deleted. Errors:
	// ErrConflict and ErrDocument, and nothing was written. ErrConflict may also mean that the
	// document was written, the answer was lost, and somebody else has written it since.
	PutDocument(
		ctx context.Context, collection string, d Document, base int64,
	) (version int64, err error)
	// DeleteDocument deletes a document of version base, or AnyVersion. It is no error if there is
	// none. Error: ErrConflict.
	DeleteDocument(ctx context.Context, collection, key string, base int64) error
	// DocumentsIn lists documents in the order of their keys. next is where to go on: the From of
	// the next range, or its Before with Newest; "": the end. There may be fewer documents than
	// Limit, or none, and still a next. Error: ErrDocument.
	DocumentsIn(
		ctx context.Context, collection string, r DocumentRange,
	) (found []Document, next string, err error)
}
