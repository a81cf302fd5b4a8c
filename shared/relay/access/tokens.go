package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// CacheTTL is how long a process knows a token without asking the store. Within this time after its
// revocation a token may still be accepted.
const CacheTTL = 30 * time.Second

const (
	// tokensCollection has the tokens by hash.
	tokensCollection = "tokens"
	// maxKnown bounds the memory of the cache.
	maxKnown = 1000
)

// listOf is the collection that lists the hashes of a tenant's tokens. So the tokens of one tenant
// are found without reading those of all others.
func listOf(tenant string) string { return tokensCollection + "/" + tenant }

// Tokens keeps tokens. It is safe for concurrent use.
type Tokens struct {
	documents operate.Documents
	now       func() time.Time

	mu    sync.Mutex
	known map[string]known
}

// known is a cached answer of the store.
type known struct {
	token Token
	found bool
	until time.Time
}

// NewTokens returns the tokens in documents. now is the clock.
func NewTokens(documents operate.Documents, now func() time.Time) *Tokens {
	return &Tokens{documents: documents, now: now, known: map[string]known{}}
}

// Make makes a token of Name, Role, Tenant, CreatedBy and ExpiresAt of t. text is the token itself.
// It is stored nowhere: show it once. It is valid once it is saved. Error: ErrInvalid.
func (s *Tokens) Make(t Token) (text string, made Token, err error) {
	t.CreatedAt, t.LastUsedAt = s.now().UTC().Truncate(time.Second), time.Time{}
	t.ExpiresAt = t.ExpiresAt.UTC().Truncate(time.Second)
	if err := t.check(s.now()); err != nil {
		return "", Token{}, err
	}
	text = newText(t.Role)
	hash, err := parse(text)
	t.ID = idOf(hash)
	return text, t, err
}

// Save stores what Make has made.
func (s *Tokens) Save(ctx context.Context, text string, made Token) error {
	hash, err := parse(text)
	if err != nil {
		return err
	}
	// The list comes first: a token that is in no list could not be revoked.
	if _, err := s.documents.PutDocument(
		ctx, listOf(made.Tenant), operate.Document{Key: hash}, 0,
	); err != nil {
		return err
	}
	_, err = s.documents.PutDocument(
		ctx, tokensCollection, operate.Document{Key: hash, Body: encodeToken(made)}, 0,
	)
	return err
}

// Authenticate returns the token with a text. It records the hour of the use. Errors: ErrMalformed,
// ErrUnknown and ErrExpired; any other means that the store did not answer.
func (s *Tokens) Authenticate(ctx context.Context, text string) (Token, error) {
	hash, err := parse(text)
	if err != nil {
		return Token{}, err
	}
	return s.byHash(ctx, hash)
}

// byHash returns the token with a hash. Errors: ErrUnknown and ErrExpired, or the store's.
func (s *Tokens) byHash(ctx context.Context, hash string) (Token, error) {
	// The store finds the hash, not the token. So the time that this takes says nothing about the
	// tokens that exist.
	k, err := s.lookUp(ctx, hash)
	switch now := s.now(); {
	case err != nil:
		return Token{}, err
	case !k.found:
		return Token{}, fmt.Errorf("%w: %s", ErrUnknown, idOf(hash))
	case !k.token.ExpiresAt.IsZero() && !now.Before(k.token.ExpiresAt):
		return Token{}, fmt.Errorf("%w: %s since %s",
			ErrExpired, k.token.ID, k.token.ExpiresAt.Format(time.RFC3339))
	}
	return k.token, nil
}

// lookUp returns what is known of a hash, from the cache or the store.
func (s *Tokens) lookUp(ctx context.Context, hash string) (known, error) {
	now := s.now()
	s.mu.Lock()
	k, cached := s.known[hash]
	s.mu.Unlock()
	if cached && now.Before(k.until) {
		return k, nil
	}
	k, err := s.read(ctx, hash)
	if err != nil {
		return known{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[hash] = k
	return k, nil
}

// read reads a token from the store, and records its use if that is the first one of this hour.
func (s *Tokens) read(ctx context.Context, hash string) (known, error) {
	now := s.now().UTC()
	k := known{until: now.Add(CacheTTL)}
	d, err := s.documents.Document(ctx, tokensCollection, hash)
	if errors.Is(err, catalog.ErrNotFound) {
		return k, nil
	}
	if err != nil {
		return known{}, err
	}
	if k.token, err = decodeToken(hash, d.Body); err != nil {
		return known{}, err
	}
	k.found = true
	if hour := now.Truncate(time.Hour); k.token.LastUsedAt.Before(hour) {
		k.token.LastUsedAt = hour
		d.Body = encodeToken(k.token)
		// Whether this is recorded matters to nobody's request. If it was revoked at this moment,
		// the write is refused.
		_, _ = s.documents.PutDocument(ctx, tokensCollection, d, d.Version)
	}
	return k, nil
}

// List lists a tenant's tokens in no particular order, from a position on, at most limit of them.
// next is where to go on; "": the end.
func (s *Tokens) List(
	ctx context.Context, tenant, from string, limit int,
) (tokens []Token, next string, err error) {
	listed, next, err := s.documents.DocumentsIn(
		ctx, listOf(tenant), operate.DocumentRange{From: from, Limit: limit},
	)
	for _, l := range listed {
		d, readErr := s.documents.Document(ctx, tokensCollection, l.Key)
		if errors.Is(readErr, catalog.ErrNotFound) { // half made, or half revoked
			continue
		}
		if readErr != nil {
			return nil, "", readErr
		}
		t, readErr := decodeToken(l.Key, d.Body)
		if readErr != nil {
			return nil, "", readErr
		}
		tokens = append(tokens, t)
	}
	return tokens, next, err
}

// Token returns a token of a tenant by its id. Error: catalog.ErrNotFound.
func (s *Tokens) Token(ctx context.Context, tenant, id string) (Token, error) {
	_, t, err := s.find(ctx, tenant, id)
	return t, err
}

func (s *Tokens) find(ctx context.Context, tenant, id string) (hash string, t Token, err error) {
	start, ok := strings.CutPrefix(id, idPrefix)
	if !ok || len(start) != idLength {
		return "", Token{}, fmt.Errorf("access: token %.40q: %w", id, catalog.ErrNotFound)
	}
	listed, _, err := s.documents.DocumentsIn(
		ctx, listOf(tenant), operate.DocumentRange{From: start, Limit: 1},
	)
	if err != nil {
		return "", Token{}, err
	}
	if len(listed) == 0 || idOf(listed[0].Key) != id {
		return "", Token{}, fmt.Errorf("access: token %s: %w", id, catalog.ErrNotFound)
	}
	hash = listed[0].Key
	d, err := s.documents.Document(ctx, tokensCollection, hash)
	if err != nil {
		return hash, Token{}, err
	}
	t, err = decodeToken(hash, d.Body)
	return hash, t, err
}

// Revoke ends a token of a tenant and returns what it was. This process refuses it from now on,
// every other after CacheTTL. Error: catalog.ErrNotFound.
func (s *Tokens) Revoke(ctx context.Context, tenant, id string) (Token, error) {
	hash, t, err := s.find(ctx, tenant, id)
	if hash == "" {
		return Token{}, err
	}
	// A token that is gone may still be in the list: its revocation was cut short.
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return Token{}, err
	}
	if err := s.documents.DeleteDocument(
		ctx, tokensCollection, hash, operate.AnyVersion,
	); err != nil {
		return Token{}, err
	}
	s.mu.Lock()
	s.known[hash] = known{until: s.now().Add(CacheTTL)}
	s.mu.Unlock()
	return t, errors.Join(err, s.documents.DeleteDocument(
		ctx, listOf(tenant), hash, operate.AnyVersion,
	))
}

// RevokeAll ends all tokens of a tenant.
func (s *Tokens) RevokeAll(ctx context.Context, tenant string) error {
	for {
		listed, _, err := s.documents.DocumentsIn(
			ctx, listOf(tenant), operate.DocumentRange{Limit: revokedAtOnce},
		)
		if err != nil || len(listed) == 0 {
			return err
		}
		for _, l := range listed {
			if _, err := s.Revoke(ctx, tenant, idOf(l.Key)); err != nil &&
				!errors.Is(err, catalog.ErrNotFound) {
				return err
			}
		}
	}
}

// revokedAtOnce is how many tokens RevokeAll lists at a time.
const revokedAtOnce = 100
