package access_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/operate"
)

func newSessions(c *clock) (*access.Sessions, *access.Tokens, *memory.Documents) {
	documents := &memory.Documents{}
	tokens := access.NewTokens(documents, c.now)
	return access.NewSessions(documents, tokens, c.now), tokens, documents
}

func TestASessionIsThatOfItsToken(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, tokens, documents := newSessions(c)
	text, token := create(t, tokens, access.Token{
		Name: "me", Role: access.Operate, Tenant: "acme",
	})
	secret, made, err := s.Open(t.Context(), text)
	must(t, err)
	want := access.Session{
		ID: made.ID, Who: access.Who{Kind: "token", ID: token.ID, Name: "me"},
		Role: access.Operate, Tenant: "acme", CreatedAt: c.t.Truncate(time.Millisecond),
		ExpiresAt: c.t.Add(8 * time.Hour).Truncate(time.Second),
	}
	other := access.NewSessions(documents, access.NewTokens(documents, c.now), c.now)
	for _, in := range []*access.Sessions{s, other} {
		got, err := in.Session(t.Context(), secret)
		if diff := cmp.Diff(want, got); diff != "" || err != nil ||
			!strings.HasPrefix(got.ID, "ses_") {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	stored, _, err := documents.DocumentsIn(
		t.Context(), "sessions", operate.DocumentRange{Limit: 10},
	)
	if err != nil || len(stored) != 1 || strings.Contains(
		stored[0].Key+string(stored[0].Body), secret,
	) || strings.Contains(string(stored[0].Body), text) {
		t.Errorf("stored: %v, %v", err, stored)
	}
	if _, _, err := s.Open(t.Context(), text+"x"); !errors.Is(err, access.ErrMalformed) {
		t.Errorf("opened with what is no token: %v", err)
	}
	if _, err := s.Session(t.Context(), secret+"x"); !errors.Is(err, access.ErrNoSession) {
		t.Errorf("another text: %v", err)
	}
}

// TestASessionEnds in each of the ways. Another process may take CacheTTL to notice.
func TestASessionEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*clock, *access.Sessions, *access.Tokens, string) error{
		"by itself": func(c *clock, _ *access.Sessions, _ *access.Tokens, _ string) error {
			c.t = c.t.Add(access.SessionTTL)
			return nil
		},
		"by sign-out": func(_ *clock, s *access.Sessions, _ *access.Tokens, secret string) error {
			return s.End(t.Context(), secret)
		},
		"with its token": func(
			_ *clock, _ *access.Sessions, tokens *access.Tokens, _ string,
		) error {
			return tokens.RevokeAll(t.Context(), "acme")
		},
		"with all of its tenant": func(
			c *clock, s *access.Sessions, _ *access.Tokens, _ string,
		) error {
			c.t = c.t.Add(time.Millisecond)
			return s.EndAll(t.Context(), "acme")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			s, tokens, documents := newSessions(c)
			other := access.NewSessions(documents, access.NewTokens(documents, c.now), c.now)
			text, _ := create(t, tokens, access.Token{
				Name: "me", Role: access.Read, Tenant: "acme",
			})
			secret, _, err := s.Open(t.Context(), text)
			must(t, err)
			_, err = s.Session(t.Context(), secret)
			must(t, err)
			_, err = other.Session(t.Context(), secret)
			must(t, err)
			must(t, end(c, s, tokens, secret))
			if _, err := s.Session(t.Context(), secret); !errors.Is(err, access.ErrNoSession) {
				t.Errorf("where it was ended: %v", err)
			}
			c.t = c.t.Add(access.CacheTTL)
			if _, err := other.Session(t.Context(), secret); !errors.Is(err, access.ErrNoSession) {
				t.Errorf("elsewhere: %v", err)
			}
		})
	}
}

// TestANewSessionOfATenantWhoseSessionsWereEnded is one like any other.
func TestANewSessionOfATenantWhoseSessionsWereEnded(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, tokens, _ := newSessions(c)
	must(t, s.EndAll(t.Context(), "acme"))
	c.t = c.t.Add(time.Millisecond)
	text, _ := create(t, tokens, access.Token{Name: "me", Role: access.Read, Tenant: "acme"})
	secret, _, err := s.Open(t.Context(), text)
	must(t, err)
	_, err = s.Session(t.Context(), secret)
	must(t, err)
}

func portalLink() access.Link {
	return access.Link{
		Session: access.Session{
			Who: access.Who{Kind: "portal", Name: "acme"}, Role: access.Admin, Tenant: "acme",
			Capabilities: []access.Capability{access.View, access.Ping}, Next: "/portal/events",
		},
		TTL: time.Hour, Valid: time.Minute,
	}
}

func TestALinkOpensOneSession(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, _, documents := newSessions(c)
	code, until, err := s.Link(t.Context(), portalLink())
	if err != nil || !until.Equal(c.t.Add(time.Minute).Truncate(time.Second)) {
		t.Fatalf("%v, until %v", err, until)
	}
	stored, _, err := documents.DocumentsIn(
		t.Context(), "links", operate.DocumentRange{Limit: 10},
	)
	if err != nil || len(stored) != 1 || strings.Contains(stored[0].Key, code) {
		t.Errorf("stored: %v, %v", err, stored)
	}
	var opened []access.Session
	var refused int
	var mu sync.Mutex
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			secret, made, err := s.Enter(t.Context(), code)
			mu.Lock()
			defer mu.Unlock()
			if errors.Is(err, access.ErrLink) {
				refused++
				return
			}
			got, err := s.Session(t.Context(), secret)
			if err != nil || got.ID != made.ID {
				t.Errorf("%v: %+v, want %+v", err, got, made)
			}
			opened = append(opened, made)
		})
	}
	all.Wait()
	if len(opened) != 1 || refused != 7 {
		t.Fatalf("%d sessions, %d refused", len(opened), refused)
	}
	got := opened[0]
	if got.Tenant != "acme" || got.Next != "/portal/events" || got.Who.Kind != "portal" ||
		!slices.Equal(got.Capabilities, portalLink().Capabilities) ||
		!got.ExpiresAt.Equal(c.t.Add(time.Hour).Truncate(time.Second)) {
		t.Errorf("%+v", got)
	}
}

func TestLinksThatAreNotValid(t *testing.T) {
	t.Parallel()
	c := newClock()
	s, _, _ := newSessions(c)
	enter := func(name, code string) {
		t.Helper()
		if _, _, err := s.Enter(t.Context(), code); !errors.Is(err, access.ErrLink) {
			t.Errorf("%s: %v", name, err)
		}
	}
	enter("of nobody", "x")
	late, _, err := s.Link(t.Context(), portalLink())
	must(t, err)
	c.t = c.t.Add(time.Minute)
	enter("too late", late)
	ended, _, err := s.Link(t.Context(), portalLink())
	must(t, err)
	must(t, s.EndAll(t.Context(), "acme"))
	enter("whose tenant's sessions were ended", ended)

	for name, change := range map[string]func(*access.Link){
		"too long":  func(l *access.Link) { l.TTL = 9 * time.Hour },
		"too short": func(l *access.Link) { l.TTL = time.Second },
		"a capability unknown": func(l *access.Link) {
			l.Capabilities = []access.Capability{"all"}
		},
	} {
		l := portalLink()
		change(&l)
		if _, _, err := s.Link(t.Context(), l); !errors.Is(err, access.ErrCapability) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
