package sqlite

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// Documents is an operate.Documents. A write that has returned is on disk. It is safe for
// concurrent use.
type Documents struct{ store *Store }

// Documents returns the store's documents.
func (s *Store) Documents() *Documents { return &Documents{store: s} }

// unexpired is a condition on documents. Its parameter is the present time.
const unexpired = "(expires IS NULL OR expires > ?1)"

// Document implements operate.Documents.
func (d *Documents) Document(
	ctx context.Context, collection, key string,
) (operate.Document, error) {
	var found []operate.Document
	err := d.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(
			conn, `SELECT key, body, version, expires FROM documents
				WHERE collection = ?2 AND key = ?3 AND `+unexpired, appendDocument(&found),
			time.Now().Unix(), collection, key,
		)
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("sqlite: document %s of %s: %w", key, collection, catalog.ErrNotFound)
	}
	if err != nil {
		return operate.Document{}, err
	}
	return found[0], nil
}

// appendDocument returns a row function that appends a document.
func appendDocument(all *[]operate.Document) func(*sqlite.Stmt) error {
	return func(stmt *sqlite.Stmt) error {
		d := operate.Document{
			Key: stmt.ColumnText(0), Body: blob(stmt, 1), Version: stmt.ColumnInt64(2),
		}
		if expires := stmt.ColumnInt64(3); expires != 0 {
			d.ExpiresAt = time.Unix(expires, 0).UTC()
		}
		*all = append(*all, d)
		return nil
	}
}

// PutDocument implements operate.Documents.
func (d *Documents) PutDocument(
	ctx context.Context, collection string, doc operate.Document, base int64,
) (version int64, err error) {
	if err := operate.CheckDocument(collection, doc); err != nil {
		return 0, err
	}
	var expires any
	if !doc.ExpiresAt.IsZero() {
		expires = doc.ExpiresAt.Unix()
	}
	have := int64(0)
	err = d.store.do(ctx, onDisk, func(conn *sqlite.Conn) (err error) {
		if have, err = documentVersion(conn, collection, doc.Key); err != nil ||
			base != operate.AnyVersion && have != base {
			return err
		}
		version = have + 1
		d.store.writer.written += len(doc.Body)
		return exec(
			conn, `INSERT OR REPLACE INTO documents (collection, key, version, expires, body)
				VALUES (?, ?, ?, ?, ?)`, nil,
			collection, doc.Key, version, expires, orEmpty(doc.Body),
		)
	})
	if err == nil && version == 0 {
		err = versionConflict(collection, doc.Key, have, base)
	}
	return version, err
}

// orEmpty returns b, or no bytes: nil would be NULL.
func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// documentVersion returns the version of an unexpired document, or 0.
func documentVersion(conn *sqlite.Conn, collection, key string) (version int64, err error) {
	err = exec(
		conn, "SELECT version FROM documents WHERE collection = ?2 AND key = ?3 AND "+unexpired,
		into(&version), time.Now().Unix(), collection, key,
	)
	return version, err
}

func versionConflict(collection, key string, have, base int64) error {
	return fmt.Errorf("sqlite: document %s of %s has version %d, not %d: %w",
		key, collection, have, base, catalog.ErrConflict)
}

// DeleteDocument implements operate.Documents.
func (d *Documents) DeleteDocument(
	ctx context.Context, collection, key string, base int64,
) error {
	have, conflict := int64(0), false
	err := d.store.do(ctx, onDisk, func(conn *sqlite.Conn) (err error) {
		have, err = documentVersion(conn, collection, key)
		conflict = have != 0 && base != operate.AnyVersion && have != base
		if err != nil || conflict {
			return err
		}
		return exec(
			conn, "DELETE FROM documents WHERE collection = ? AND key = ?", nil, collection, key,
		)
	})
	if err == nil && conflict {
		err = versionConflict(collection, key, have, base)
	}
	return err
}

// DocumentsIn implements operate.Documents.
func (d *Documents) DocumentsIn(
	ctx context.Context, collection string, r operate.DocumentRange,
) (found []operate.Document, next string, err error) {
	if err := r.Check(); err != nil {
		return nil, "", err
	}
	order := "ASC"
	if r.Newest {
		order = "DESC"
	}
	err = d.store.look(ctx, func(conn *sqlite.Conn) error {
		return exec(
			conn, `SELECT key, body, version, expires FROM documents
				WHERE collection = ?2 AND key >= ?3 AND (?4 = '' OR key < ?4) AND `+unexpired+`
				ORDER BY key `+order+` LIMIT ?5`, appendDocument(&found),
			time.Now().Unix(), collection, r.From, r.Before, r.Limit,
		)
	})
	if err != nil || len(found) < r.Limit {
		return found, "", err
	}
	next = found[len(found)-1].Key
	if !r.Newest {
		next += "\x00"
	}
	return found, next, nil
}
