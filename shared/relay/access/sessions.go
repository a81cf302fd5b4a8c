package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/format"
	"webhook-relay/shared/relay/operate"
)

const (
	// SessionTTL is how long a session lasts, at most.
	SessionTTL = 8 * time.Hour
	// MinSessionTTL is the shortest session of a link.
	MinSessionTTL = time.Minute

	sessionsCollection = "sessions"
	linksCollection    = "links"
	endingsCollection  = "sessions-ended" // by tenant
	sessionPrefix      = "ses_"
)

// PortalUser is the kind of Who that is a user of a tenant's portal.
const PortalUser = "portal"

// Capability is a thing that a tenant's user may do in the portal. The set is closed.
type Capability string

// The capabilities.
const (
	View   Capability = "view"   // see endpoints, events and attempts
	Secret Capability = "secret" // give an endpoint a new secret, and see it once
	Manage Capability = "manage" // add, change, pause and delete endpoints, choose event types
	Replay Capability = "replay" // send again
	Ping   Capability = "ping"   // send a test event
)

// Capabilities are all capabilities.
var Capabilities = []Capability{View, Secret, Manage, Replay, Ping}

// Errors of sessions.
var (
	// ErrNoSession means that a session is not known, has expired, or was ended.
	ErrNoSession = errors.New("access: no session")
	// ErrLink means that a link is not known, has expired, or was used before.
	ErrLink = errors.New("access: the link is not valid: it was used, or has expired")
	// ErrCapability means that a link cannot be made: of a wrong capability or time.
	ErrCapability = errors.New("access: link cannot be made")
)

// Session is a sign-in of a person. It ends by itself, by sign-out, with the token by which it was
// opened, or with all sessions of its tenant.
type Session struct {
	ID     string // ses_ and 20 characters
	Who    Who
	Role   Role   // of the portal: ""
	Tenant string // "": the operator's
	// Capabilities are what a session of the portal may do.
	Capabilities []Capability
	CreatedAt    time.Time
	ExpiresAt    time.Time
	Next         string // the page to begin with; "": the first one
}

// OfPortal reports whether it is a session of a tenant's portal, and so of no use in the console.
func (s Session) OfPortal() bool { return s.Who.Kind == PortalUser }

// Link opens one session.
type Link struct {
	Session

	// TTL is how long the session lasts; 0: SessionTTL.
	TTL time.Duration
	// Valid is how long the link can be used.
	Valid time.Duration
}

// sessionDoc is the stored form of a session, and of one that a link opens.
type sessionDoc struct {
	Version      int           `json:"v"`
	Token        string        `json:"token,omitempty"` // hash of the token that opened it
	Who          Who           `json:"who,omitzero"`
	Role         Role          `json:"role,omitempty"`
	Tenant       string        `json:"tenant,omitempty"`
	Capabilities []Capability  `json:"capabilities,omitempty"`
	CreatedAt    time.Time     `json:"createdAt"`
	ExpiresAt    time.Time     `json:"expiresAt"`
	TTL          time.Duration `json:"ttl,omitempty"` // of a link: of its session, in nanoseconds
	Next         string        `json:"next,omitempty"`
}

// endingDoc tells when all sessions of a tenant were ended.
type endingDoc struct {
	Version int       `json:"v"`
	At      time.Time `json:"at"`
}

// Sessions keeps the sessions of the console and the portal. Of the text by which a browser shows
// that it has a session only a hash is stored. A session that was ended is refused at once by the
// process that ended it, and after CacheTTL by every other. It is safe for concurrent use.
type Sessions struct {
	documents operate.Documents
	tokens    *Tokens
	now       func() time.Time

	mu    sync.Mutex
	known map[string]knownSession // by hash
	ended map[string]knownEnding  // by tenant
}

type knownSession struct {
	doc   sessionDoc
	found bool
	until time.Time
}

type knownEnding struct{ at, until time.Time }

// NewSessions returns the sessions in documents, beside the tokens. now is the clock.
func NewSessions(documents operate.Documents, tokens *Tokens, now func() time.Time) *Sessions {
	return &Sessions{
		documents: documents, tokens: tokens, now: now, known: map[string]knownSession{},
		ended: map[string]knownEnding{},
	}
}

// newSessionText returns a new random text of a session or a link, and its hash.
func newSessionText() (text, hash string) {
	text = rand.Text() + rand.Text()
	return text, sessionHash(text)
}

func sessionHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Open opens a session for the holder of a token. secret is its text, for the browser. Errors:
// those of Tokens.Authenticate.
func (s *Sessions) Open(
	ctx context.Context, token string,
) (secret string, made Session, err error) {
	t, err := s.tokens.Authenticate(ctx, token)
	if err != nil {
		return "", Session{}, err
	}
	hash, err := parse(token)
	if err != nil {
		return "", Session{}, err
	}
	return s.open(ctx, sessionDoc{
		Token: hash, Who: Who{Kind: "token", ID: t.ID, Name: t.Name}, Role: t.Role,
		Tenant: t.Tenant,
	}, SessionTTL)
}

func (s *Sessions) open(
	ctx context.Context, doc sessionDoc, ttl time.Duration,
) (secret string, made Session, err error) {
	secret, hash := newSessionText()
	doc.Version, doc.CreatedAt = format.Version, s.now().UTC().Truncate(time.Millisecond)
	doc.ExpiresAt, doc.TTL = doc.CreatedAt.Add(ttl).Truncate(time.Second), 0
	_, err = s.documents.PutDocument(ctx, sessionsCollection, operate.Document{
		Key: hash, Body: format.Encode(doc), ExpiresAt: doc.ExpiresAt,
	}, 0)
	return secret, sessionOf(hash, doc), err
}

func sessionOf(hash string, doc sessionDoc) Session {
	return Session{
		ID: sessionPrefix + hash[:idLength], Who: doc.Who, Role: doc.Role, Tenant: doc.Tenant,
		Capabilities: doc.Capabilities, CreatedAt: doc.CreatedAt, ExpiresAt: doc.ExpiresAt,
		Next: doc.Next,
	}
}

// Link makes a link that opens one session as l describes, and returns its code. Error:
// ErrCapability.
func (s *Sessions) Link(ctx context.Context, l Link) (code string, until time.Time, err error) {
	if l.TTL == 0 {
		l.TTL = SessionTTL
	}
	if l.TTL < MinSessionTTL || l.TTL > SessionTTL {
		return "", until, fmt.Errorf("%w: a session of %v, want %v to %v", ErrCapability, l.TTL,
			MinSessionTTL, SessionTTL)
	}
	for _, c := range l.Capabilities {
		if !slices.Contains(Capabilities, c) {
			return "", until, fmt.Errorf("%w: capability %.40q, want some of %v", ErrCapability, c,
				Capabilities)
		}
	}
	code, hash := newSessionText()
	now := s.now().UTC().Truncate(time.Millisecond)
	until = now.Add(l.Valid).Truncate(time.Second)
	_, err = s.documents.PutDocument(ctx, linksCollection, operate.Document{
		Key: hash, ExpiresAt: until, Body: format.Encode(sessionDoc{
			Version: format.Version, Who: l.Who, Role: l.Role, Tenant: l.Tenant,
			Capabilities: l.Capabilities, CreatedAt: now, ExpiresAt: until, TTL: l.TTL,
			Next: l.Next,
		}),
	}, 0)
	return code, until, err
}

// Enter opens the session of a link, once. Error: ErrLink.
func (s *Sessions) Enter(
	ctx context.Context, code string,
) (secret string, made Session, err error) {
	hash := sessionHash(code)
	d, err := s.documents.Document(ctx, linksCollection, hash)
	if errors.Is(err, catalog.ErrNotFound) {
		return "", made, ErrLink
	}
	if err != nil {
		return "", made, err
	}
	var doc sessionDoc
	if err := format.Decode(d.Body, &doc, &doc.Version); err != nil {
		return "", made, err
	}
	if !s.now().Before(doc.ExpiresAt) {
		return "", made, ErrLink
	}
	if ended, err := s.endedAt(ctx, doc.Tenant); err != nil || !doc.CreatedAt.After(ended) {
		return "", made, errors.Join(err, ErrLink)
	}
	// Of two who use it at the same time one marks it as used. The other gets no session.
	_, err = s.documents.PutDocument(ctx, linksCollection, operate.Document{
		Key: hash, ExpiresAt: d.ExpiresAt, Body: format.Encode(sessionDoc{
			Version: format.Version, CreatedAt: doc.CreatedAt, ExpiresAt: doc.CreatedAt,
		}),
	}, d.Version)
	if errors.Is(err, catalog.ErrConflict) {
		return "", made, ErrLink
	}
	if err != nil {
		return "", made, err
	}
	return s.open(ctx, doc, doc.TTL)
}

// Session returns the session of a text. Its role is that of its token now. Error: ErrNoSession;
// any other means that the store did not answer.
func (s *Sessions) Session(ctx context.Context, secret string) (Session, error) {
	hash := sessionHash(secret)
	k, err := s.lookUp(ctx, hash)
	switch {
	case err != nil:
		return Session{}, err
	case !k.found, !s.now().Before(k.doc.ExpiresAt):
		return Session{}, ErrNoSession
	}
	made := sessionOf(hash, k.doc)
	if k.doc.Token != "" {
		t, err := s.tokens.byHash(ctx, k.doc.Token)
		if errors.Is(err, ErrUnknown) || errors.Is(err, ErrExpired) {
			return Session{}, fmt.Errorf("%w: %w", ErrNoSession, err)
		}
		if err != nil {
			return Session{}, err
		}
		made.Role, made.Tenant = t.Role, t.Tenant
	}
	ended, err := s.endedAt(ctx, made.Tenant)
	if err != nil {
		return Session{}, err
	}
	if !made.CreatedAt.After(ended) {
		return Session{}, fmt.Errorf("%w: all of the tenant were ended", ErrNoSession)
	}
	return made, nil
}

// lookUp returns what is known of a session, from the cache or the store.
func (s *Sessions) lookUp(ctx context.Context, hash string) (knownSession, error) {
	now := s.now()
	s.mu.Lock()
	k, cached := s.known[hash]
	s.mu.Unlock()
	if cached && now.Before(k.until) {
		return k, nil
	}
	k = knownSession{until: now.Add(CacheTTL)}
	d, err := s.documents.Document(ctx, sessionsCollection, hash)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return k, nil // not cached: strangers could fill the cache
	case err != nil:
		return knownSession{}, err
	}
	if err := format.Decode(d.Body, &k.doc, &k.doc.Version); err != nil {
		return knownSession{}, err
	}
	k.found = true
	s.keep(hash, k)
	return k, nil
}

func (s *Sessions) keep(hash string, k knownSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known)
	}
	s.known[hash] = k
}

// endedAt returns when all sessions of a tenant were ended; zero: never. Those of the operator
// never are.
func (s *Sessions) endedAt(ctx context.Context, tenant string) (time.Time, error) {
	if tenant == "" {
		return time.Time{}, nil
	}
	now := s.now()
	s.mu.Lock()
	k, cached := s.ended[tenant]
	s.mu.Unlock()
	if cached && now.Before(k.until) {
		return k.at, nil
	}
	k = knownEnding{until: now.Add(CacheTTL)}
	d, err := s.documents.Document(ctx, endingsCollection, tenant)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
	case err != nil:
		return time.Time{}, err
	default:
		var doc endingDoc
		if err := format.Decode(d.Body, &doc, &doc.Version); err != nil {
			return time.Time{}, err
		}
		k.at = doc.At
	}
	s.keepEnding(tenant, k)
	return k.at, nil
}

func (s *Sessions) keepEnding(tenant string, k knownEnding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ended) >= maxKnown {
		clear(s.ended)
	}
	s.ended[tenant] = k
}

// End ends a session. It is no error if there is none.
func (s *Sessions) End(ctx context.Context, secret string) error {
	hash := sessionHash(secret)
	s.keep(hash, knownSession{until: s.now().Add(CacheTTL)})
	return s.documents.DeleteDocument(ctx, sessionsCollection, hash, operate.AnyVersion)
}

// EndAll ends all sessions and links of a tenant.
func (s *Sessions) EndAll(ctx context.Context, tenant string) error {
	now := s.now().UTC()
	// None that was opened before lasts longer than that.
	_, err := s.documents.PutDocument(ctx, endingsCollection, operate.Document{
		Key: tenant, Body: format.Encode(endingDoc{Version: format.Version, At: now}),
		ExpiresAt: now.Add(2 * SessionTTL).Truncate(time.Second),
	}, operate.AnyVersion)
	if err == nil {
		s.keepEnding(tenant, knownEnding{at: now, until: now.Add(CacheTTL)})
	}
	return err
}
