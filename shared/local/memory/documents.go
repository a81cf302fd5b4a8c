package memory

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// Documents keeps documents.
type Documents struct {
	mu          sync.Mutex
	collections map[string]map[string]operate.Document
}

// Document returns a document.
func (s *Documents) Document(
	_ context.Context, collection, key string,
) (operate.Document, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.find(collection, key)
	if !ok {
		return operate.Document{},
			fmt.Errorf("document %s of %s: %w", key, collection, catalog.ErrNotFound)
	}
	return d, nil
}

// find returns a copy of an unexpired document. The caller must hold the lock.
func (s *Documents) find(collection, key string) (operate.Document, bool) {
	d, ok := s.collections[collection][key]
	if !ok || !d.ExpiresAt.IsZero() && !d.ExpiresAt.After(time.Now()) {
		return operate.Document{}, false
	}
	d.Body = bytes.Clone(d.Body)
	return d, true
}

// PutDocument writes a document if the stored one has the version base.
func (s *Documents) PutDocument(
	_ context.Context, collection string, d operate.Document, base int64,
) (int64, error) {
	if err := operate.CheckDocument(collection, d); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	have, _ := s.find(collection, d.Key)
	if base != operate.AnyVersion && have.Version != base {
		return 0, fmt.Errorf("document %s of %s has version %d, not %d: %w",
			d.Key, collection, have.Version, base, catalog.ErrConflict)
	}
	if s.collections == nil {
		s.collections = map[string]map[string]operate.Document{}
	}
	if s.collections[collection] == nil {
		s.collections[collection] = map[string]operate.Document{}
	}
	d.Body, d.Version = bytes.Clone(d.Body), have.Version+1
	s.collections[collection][d.Key] = d
	return d.Version, nil
}

// DeleteDocument deletes a document of version base.
func (s *Documents) DeleteDocument(
	_ context.Context, collection, key string, base int64,
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.find(collection, key)
	if ok && base != operate.AnyVersion && have.Version != base {
		return fmt.Errorf("document %s of %s has version %d, not %d: %w",
			key, collection, have.Version, base, catalog.ErrConflict)
	}
	delete(s.collections[collection], key)
	return nil
}

// DocumentsIn lists documents in the order of their keys.
func (s *Documents) DocumentsIn(
	_ context.Context, collection string, r operate.DocumentRange,
) (found []operate.Document, next string, err error) {
	if err := r.Check(); err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	keys := slices.Sorted(maps.Keys(s.collections[collection]))
	if r.Newest {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		d, ok := s.find(collection, key)
		if !ok || key < r.From || r.Before != "" && key >= r.Before {
			continue
		}
		if len(found) == r.Limit {
			return found, goOn(r, found[len(found)-1].Key), nil
		}
		found = append(found, d)
	}
	return found, "", nil
}

// goOn returns where a listing goes on after its last key.
func goOn(r operate.DocumentRange, last string) string {
	if r.Newest {
		return last
	}
	return last + "\x00"
}
