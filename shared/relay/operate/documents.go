package operate

import (
	"context"
	"time"
)

// AnyVersion as a base means that a write does not depend on the document's version.
const AnyVersion int64 = -1

// Document is a small document of a collection.
type Document struct {
	Key     string // 1 to 512 bytes, in the collection's order
	Body    []byte // at most 256 KiB
	Version int64  // 1 for the first write, one more for each further write
	// UTC, whole seconds; it counts as absent from then on; zero: it is kept for ever
	ExpiresAt time.Time
}

// DocumentRange selects documents of a collection.
type DocumentRange struct {
	From   string // keys from here on, this one included; "": from the first
	Before string // keys before this one; "": to the last
	Newest bool   // the last key first
	Limit  int    // 1 to 1,000
}

// Documents keeps small documents of the relay's own bookkeeping: tokens, tenants, jobs, the audit
// log, statistics. A collection's name is 1 to 128 characters of [a-z0-9-/]; what belongs to a
// tenant has the tenant's name in it. A collection with many writes at the same time is spread over
// several names by its user: one takes some 1,000 writes a second. It is safe for concurrent use.
type Documents interface {
	// Document returns a document as the last write left it. Error: ErrNotFound, also if it has
	// expired.
	Document(ctx context.Context, collection, key string) (Document, error)
	// PutDocument writes a document if the stored one has the version base; 0: there is none, or it
	// has expired; AnyVersion: in any case. d.Version is ignored. It returns the new version.
	// Error: ErrConflict, and nothing was written.
	PutDocument(
		ctx context.Context, collection string, d Document, base int64,
	) (version int64, err error)
	// DeleteDocument deletes a document of version base, or AnyVersion. It is no error if there is
	// none. Error: ErrConflict.
	DeleteDocument(ctx context.Context, collection, key string, base int64) error
	// DocumentsIn lists documents in the order of their keys. next is where to go on: the From of
	// the next range, or its Before with Newest; "": the end.
	DocumentsIn(
		ctx context.Context, collection string, r DocumentRange,
	) (found []Document, next string, err error)
}
