package access_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/operate"
)

// clock is a clock that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock {
	return &clock{t: time.Date(2100, 1, 2, 3, 4, 5, 678_000_000, time.UTC)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func create(t *testing.T, s *access.Tokens, token access.Token) (string, access.Token) {
	t.Helper()
	text, made, err := s.Make(token)
	must(t, err)
	must(t, s.Save(t.Context(), text, made))
	return text, made
}

func TestATokenIsRecognised(t *testing.T) {
	t.Parallel()
	c, documents := newClock(), &memory.Documents{}
	s := access.NewTokens(documents, c.now)
	expires := c.t.Add(90 * 24 * time.Hour)
	for _, role := range access.Roles {
		text, made := create(t, s, access.Token{
			Name: "ci", Role: role, Tenant: "acme", CreatedBy: "somebody", ExpiresAt: expires,
		})
		if prefix := "rly_" + string(role) + "_"; !strings.HasPrefix(text, prefix) ||
			len(text) != len(prefix)+43+6 {
			t.Errorf("text of the token: %q", text)
		}
		want := access.Token{
			ID: made.ID, Name: "ci", Role: role, Tenant: "acme", CreatedBy: "somebody",
			CreatedAt: c.t.Truncate(time.Second), ExpiresAt: expires.Truncate(time.Second),
		}
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("made (-want +got):\n%s", diff)
		}
		got, err := s.Authenticate(t.Context(), text)
		want.LastUsedAt = c.t.Truncate(time.Hour)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("authenticated: %v (-want +got):\n%s", err, diff)
		}
	}
}

// TestATokenIsStoredAsAHash: whoever reads the tables cannot use the API.
func TestATokenIsStoredAsAHash(t *testing.T) {
	t.Parallel()
	documents := &memory.Documents{}
	text, _ := create(t, access.NewTokens(documents, time.Now), access.Token{
		Name: "ci", Role: access.Read,
	})
	found, _, err := documents.DocumentsIn(
		t.Context(), "tokens", operate.DocumentRange{Limit: 1000},
	)
	must(t, err)
	secret := strings.TrimPrefix(text, "rly_read_")[:43]
	for _, d := range found {
		if strings.Contains(d.Key+string(d.Body), secret[:12]) {
			t.Errorf("%s is stored as %s %s", text, d.Key, d.Body)
		}
	}
	if len(found) != 1 {
		t.Errorf("%d documents", len(found))
	}
}

func TestATokenIsRefused(t *testing.T) {
	t.Parallel()
	c := newClock()
	s := access.NewTokens(&memory.Documents{}, c.now)
	other := access.NewTokens(&memory.Documents{}, c.now)
	good, _ := create(t, s, access.Token{Name: "ci", Role: access.Operate})
	foreign, _ := create(t, other, access.Token{Name: "ci", Role: access.Admin})
	brief, _ := create(t, s, access.Token{
		Name: "brief", Role: access.Read, ExpiresAt: c.t.Add(time.Minute),
	})
	gone, revoked := create(t, s, access.Token{Name: "gone", Role: access.Read})
	_, err := s.Authenticate(t.Context(), gone)
	must(t, err)
	_, err = s.Revoke(t.Context(), "", revoked.ID)
	must(t, err)
	flip := func(i int) string {
		b := []byte(good)
		b[i] = map[bool]byte{true: 'b', false: 'a'}[b[i] == 'a']
		return string(b)
	}
	c.t = c.t.Add(time.Minute)
	for name, tt := range map[string]struct {
		text string
		want error
	}{
		"nothing":                 {"", access.ErrMalformed},
		"a password":              {"hunter2", access.ErrMalformed},
		"truncated":               {good[:len(good)-1], access.ErrMalformed},
		"truncated to the prefix": {"rly_operate_", access.ErrMalformed},
		"longer":                  {good + "a", access.ErrMalformed},
		"with a newline":          {good + "\n", access.ErrMalformed},
		"another secret":          {flip(20), access.ErrMalformed},
		"another checksum":        {flip(len(good) - 1), access.ErrMalformed},
		"another role": {
			strings.Replace(good, "_operate_", "_admin_", 1), access.ErrMalformed,
		},
		"a role that there is not": {
			strings.Replace(good, "_operate_", "_root_", 1), access.ErrMalformed,
		},
		"of another relay":     {foreign, access.ErrUnknown},
		"expired":              {brief, access.ErrExpired},
		"revoked a moment ago": {gone, access.ErrUnknown},
	} {
		if got, err := s.Authenticate(t.Context(), tt.text); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, %v, want %v", name, got, err, tt.want)
		} else if len(tt.text) > 40 && strings.Contains(err.Error(), tt.text[12:40]) {
			t.Errorf("%s: the error has the token: %v", name, err)
		}
	}
	if _, err := s.Authenticate(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestARevocationIsInForceElsewhereAfterTheCache(t *testing.T) {
	t.Parallel()
	c, documents := newClock(), &memory.Documents{}
	here, there := access.NewTokens(documents, c.now), access.NewTokens(documents, c.now)
	text, token := create(t, here, access.Token{Name: "ci", Role: access.Read})
	_, err := there.Authenticate(t.Context(), text)
	must(t, err)
	_, err = here.Revoke(t.Context(), "", token.ID)
	must(t, err)
	c.t = c.t.Add(access.CacheTTL - time.Second)
	if _, err := there.Authenticate(t.Context(), text); err != nil {
		t.Errorf("within the time of the cache: %v", err)
	}
	c.t = c.t.Add(time.Second)
	if _, err := there.Authenticate(t.Context(), text); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("after the time of the cache: %v", err)
	}
}

func TestTokensOfATenantAreListedAndRevokedApart(t *testing.T) {
	t.Parallel()
	s := access.NewTokens(&memory.Documents{}, time.Now)
	names := map[string][]string{"": {"a", "b", "c"}, "acme": {"d"}}
	ids := map[string]string{}
	for tenant, all := range names {
		for _, name := range all {
			_, token := create(t, s, access.Token{Name: name, Role: access.Read, Tenant: tenant})
			ids[name] = token.ID
		}
	}
	list := func(tenant string) (found []string) {
		for from := ""; ; {
			tokens, next, err := s.List(t.Context(), tenant, from, 2)
			must(t, err)
			for _, token := range tokens {
				found = append(found, token.Name)
			}
			if from = next; next == "" {
				slices.Sort(found)
				return found
			}
		}
	}
	for tenant, want := range names {
		if diff := cmp.Diff(want, list(tenant)); diff != "" {
			t.Errorf("tokens of %q (-want +got):\n%s", tenant, diff)
		}
	}
	for name, tt := range map[string]struct{ tenant, id string }{
		"of the operator": {"acme", ids["a"]}, "of a tenant": {"", ids["d"]},
		"of nobody": {
			"", "tok_00000000000000000000",
		}, "no id": {"", "a"}, "cut": {"", ids["a"][:9]},
	} {
		if _, err := s.Revoke(t.Context(), tt.tenant, tt.id); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("revoke one %s: %v", name, err)
		}
		if _, err := s.Token(t.Context(), tt.tenant, tt.id); !errors.Is(err, catalog.ErrNotFound) {
			t.Errorf("one %s: %v", name, err)
		}
	}
	was, err := s.Revoke(t.Context(), "", ids["b"])
	if err != nil || was.Name != "b" {
		t.Errorf("revoke: %v, %v", was, err)
	}
	if diff := cmp.Diff([]string{"a", "c"}, list("")); diff != "" {
		t.Errorf("after a revocation (-want +got):\n%s", diff)
	}
}

// TestAFaultLeavesNoTokenThatCannotBeRevoked: each call of Create and of Revoke fails in turn.
func TestAFaultLeavesNoTokenThatCannotBeRevoked(t *testing.T) {
	t.Parallel()
	for k := 1; ; k++ {
		documents := &memory.Documents{}
		broken := &breaking{Documents: documents, left: k}
		s, whole := access.NewTokens(broken, time.Now), access.NewTokens(documents, time.Now)
		text, token, err := s.Make(access.Token{Name: "ci", Role: access.Read})
		must(t, err)
		if err = s.Save(t.Context(), text, token); err == nil {
			_, err = s.Revoke(t.Context(), "", token.ID)
		}
		if err == nil {
			if k < 3 {
				t.Errorf("only %d calls", k)
			}
			return
		}
		_, err = whole.Authenticate(t.Context(), text)
		switch _, revokeErr := whole.Revoke(t.Context(), "", token.ID); {
		case err == nil && revokeErr != nil:
			t.Errorf("call %d failed: the token is valid and cannot be revoked: %v", k, revokeErr)
		case revokeErr != nil && !errors.Is(revokeErr, catalog.ErrNotFound):
			t.Errorf("call %d failed: %v", k, revokeErr)
		}
		if _, err := access.NewTokens(documents, time.Now).Authenticate(
			t.Context(), text,
		); !errors.Is(err, access.ErrUnknown) {
			t.Errorf("call %d failed: after a revocation: %v", k, err)
		}
	}
}

// breaking fails every call from one on.
type breaking struct {
	operate.Documents
	left int
}

var errBroken = errors.New("broken")

func (b *breaking) fails() bool {
	b.left--
	return b.left < 0
}

func (b *breaking) Document(ctx context.Context, c, k string) (operate.Document, error) {
	if b.fails() {
		return operate.Document{}, errBroken
	}
	return b.Documents.Document(ctx, c, k)
}

func (b *breaking) PutDocument(
	ctx context.Context, c string, d operate.Document, base int64,
) (int64, error) {
	if b.fails() {
		return 0, errBroken
	}
	return b.Documents.PutDocument(ctx, c, d, base)
}

func (b *breaking) DeleteDocument(ctx context.Context, c, k string, base int64) error {
	if b.fails() {
		return errBroken
	}
	return b.Documents.DeleteDocument(ctx, c, k, base)
}

func (b *breaking) DocumentsIn(
	ctx context.Context, c string, r operate.DocumentRange,
) ([]operate.Document, string, error) {
	if b.fails() {
		return nil, "", errBroken
	}
	return b.Documents.DocumentsIn(ctx, c, r)
}

func TestAStoreThatFailsIsNoRefusal(t *testing.T) {
	t.Parallel()
	documents := &memory.Documents{}
	text, _ := create(t, access.NewTokens(documents, time.Now), access.Token{
		Name: "ci", Role: access.Read,
	})
	s := access.NewTokens(&breaking{Documents: documents}, time.Now)
	if _, err := s.Authenticate(t.Context(), text); !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

func TestATokenThatCannotBeMade(t *testing.T) {
	t.Parallel()
	s := access.NewTokens(&memory.Documents{}, time.Now)
	for name, token := range map[string]access.Token{
		"no name":      {Role: access.Read},
		"blank name":   {Role: access.Read, Name: " "},
		"long name":    {Role: access.Read, Name: strings.Repeat("n", 101)},
		"no role":      {Name: "ci"},
		"another role": {Name: "ci", Role: "root"},
		"expired":      {Name: "ci", Role: access.Read, ExpiresAt: time.Now().Add(-time.Second)},
	} {
		if _, _, err := s.Make(token); !errors.Is(err, access.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for role, want := range map[access.Role]string{
		access.Read: "read", access.Operate: "read operate", access.Admin: "read operate admin",
		"": "", "root": "",
	} {
		var includes []string
		for _, other := range access.Roles {
			if role.Includes(other) {
				includes = append(includes, string(other))
			}
		}
		if got := strings.Join(includes, " "); got != want {
			t.Errorf("%s includes %q, want %q", role, got, want)
		}
		if role.Includes("root") {
			t.Errorf("%s includes a role that there is not", role)
		}
	}
}

// TestTheLastUseIsWrittenOnceAnHour: a write for each request would cost more than the request.
func TestTheLastUseIsWrittenOnceAnHour(t *testing.T) {
	t.Parallel()
	c, documents := newClock(), &memory.Documents{}
	text, made := create(t, access.NewTokens(documents, c.now), access.Token{
		Name: "ci", Role: access.Read,
	})
	for range 5 {
		s := access.NewTokens(documents, c.now)
		_, err := s.Authenticate(t.Context(), text)
		must(t, err)
		c.t = c.t.Add(20 * time.Minute)
	}
	s := access.NewTokens(documents, c.now)
	got, err := s.Token(t.Context(), "", made.ID)
	if want := time.Date(2100, 1, 2, 4, 0, 0, 0, time.UTC); err != nil ||
		!got.LastUsedAt.Equal(want) {
		t.Errorf("last used at %s, %v, want %s", got.LastUsedAt, err, want)
	}
	found, _, err := documents.DocumentsIn(t.Context(), "tokens", operate.DocumentRange{Limit: 9})
	must(t, err)
	if found[0].Version != 3 { // made, used at 3 h, used at 4 h
		t.Errorf("written %d times", found[0].Version)
	}
}

func entry(action string) access.Entry {
	return access.Entry{
		Who: access.Who{Kind: "token", ID: "tok_1", Name: "ci"}, Action: action,
		Target: "endpoint/shipping", RequestID: "r", Before: json.RawMessage(`{"url":"a"}`),
		After: json.RawMessage(`{"url":"b"}`),
	}
}

func TestTheAuditLogIsAChain(t *testing.T) {
	t.Parallel()
	c, documents := newClock(), &memory.Documents{}
	a := access.NewAudit(documents, c.now)
	var all []access.Entry
	for i := range 5 {
		e, err := a.Append(t.Context(), "acme", entry(fmt.Sprint("action.", i)))
		must(t, err)
		all = append(all, e)
		c.t = c.t.Add(-time.Minute) // a clock that goes back does not turn the order around
	}
	_, err := a.Append(t.Context(), "", entry("of.the.operator"))
	must(t, err)
	slices.Reverse(all)
	var listed []access.Entry
	for before := int64(0); ; {
		entries, next, err := a.List(t.Context(), "acme", before, 2)
		must(t, err)
		listed = append(listed, entries...)
		if before = next; next == 0 {
			break
		}
	}
	if diff := cmp.Diff(all, listed); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	v, err := a.Verify(t.Context(), "acme", access.Entry{}, 3)
	if err != nil || v.Entries != 3 || !v.More || v.First.Number != 1 {
		t.Errorf("verified: %+v, %v", v, err)
	}
	v, err = a.Verify(t.Context(), "acme", v.Last, 1000)
	if err != nil || v.Entries != 2 || v.More || v.Last.Number != 5 {
		t.Errorf("verified: %+v, %v", v, err)
	}
}

func TestAnAuditLogThatWasTamperedWith(t *testing.T) {
	t.Parallel()
	const collection = "audit/acme"
	key := func(n int) string { return fmt.Sprintf("%019d", n) }
	for name, tamper := range map[string]func(*memory.Documents) error{
		"changed": func(d *memory.Documents) error {
			doc, err := d.Document(t.Context(), collection, key(2))
			if err != nil {
				return err
			}
			doc.Body = []byte(strings.Replace(string(doc.Body), "shipping", "billing", 1))
			_, err = d.PutDocument(t.Context(), collection, doc, doc.Version)
			return err
		},
		"removed": func(d *memory.Documents) error {
			return d.DeleteDocument(t.Context(), collection, key(2), operate.AnyVersion)
		},
		"moved": func(d *memory.Documents) error {
			doc, err := d.Document(t.Context(), collection, key(1))
			if err != nil {
				return err
			}
			doc.Key = key(2)
			_, err = d.PutDocument(t.Context(), collection, doc, operate.AnyVersion)
			return err
		},
	} {
		documents := &memory.Documents{}
		a := access.NewAudit(documents, time.Now)
		for range 3 {
			_, err := a.Append(t.Context(), "acme", entry("x"))
			must(t, err)
		}
		must(t, tamper(documents))
		if v, err := a.Verify(t.Context(), "acme", access.Entry{}, 1000); !errors.Is(
			err, access.ErrTampered,
		) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func TestWritersOfTheAuditLogAtOnce(t *testing.T) {
	t.Parallel()
	a := access.NewAudit(&memory.Documents{}, time.Now)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for range 5 {
				if _, err := a.Append(t.Context(), "", entry("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if v, err := a.Verify(t.Context(), "", access.Entry{}, 1000); err != nil || v.Entries != 20 {
		t.Errorf("%d entries, %v", v.Entries, err)
	}
}

// TestTheFirstEntriesExpire: what is left is still a chain, and numbers go on.
func TestTheFirstEntriesExpire(t *testing.T) {
	t.Parallel()
	documents := &memory.Documents{}
	long := access.NewAudit(documents, func() time.Time {
		return time.Now().Add(-access.AuditRetention).Add(-time.Hour)
	})
	a := access.NewAudit(documents, time.Now)
	_, err := long.Append(t.Context(), "", entry("old"))
	must(t, err)
	_, err = a.Append(t.Context(), "", entry("new"))
	must(t, err)
	_, err = a.Append(t.Context(), "", entry("newer"))
	must(t, err)
	v, err := a.Verify(t.Context(), "", access.Entry{}, 1000)
	if err != nil || v.Entries != 2 || v.First.Action != "new" {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestFingerprints(t *testing.T) {
	t.Parallel()
	a, b := access.Fingerprint("whsec_a"), access.Fingerprint("whsec_b")
	if a == b || a != access.Fingerprint("whsec_a") || len(a) != 12 {
		t.Errorf("%s and %s", a, b)
	}
}

func TestASealedValueOpensForItsPurposeOnly(t *testing.T) {
	t.Parallel()
	documents := &memory.Documents{}
	s := access.NewSealer(documents)
	sealed, err := s.Seal(t.Context(), "cursor", "secret", []byte("plain"))
	must(t, err)
	again := access.NewSealer(documents)
	plain, err := again.Open(t.Context(), "cursor", "secret", sealed)
	if err != nil || string(plain) != "plain" {
		t.Errorf("%q, %v", plain, err)
	}
	other := access.NewSealer(&memory.Documents{})
	changed := slices.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another purpose": func() ([]byte, error) {
			return s.Open(t.Context(), "answer", "secret", sealed)
		},
		"another secret": func() ([]byte, error) {
			return s.Open(t.Context(), "cursor", "", sealed)
		},
		"another relay": func() ([]byte, error) {
			return other.Open(t.Context(), "cursor", "secret", sealed)
		},
		"changed": func() ([]byte, error) {
			return s.Open(t.Context(), "cursor", "secret", changed)
		},
		"cut": func() ([]byte, error) {
			return s.Open(t.Context(), "cursor", "secret", sealed[:9])
		},
		"nothing": func() ([]byte, error) { return s.Open(t.Context(), "cursor", "secret", nil) },
	} {
		if plain, err := open(); !errors.Is(err, access.ErrSealed) {
			t.Errorf("%s: %q, %v", name, plain, err)
		}
	}
}

// TestSealersThatStartAtOnceUseOneKey: the first requests to a new relay may come together.
func TestSealersThatStartAtOnceUseOneKey(t *testing.T) {
	t.Parallel()
	documents := &memory.Documents{}
	sealed := make([][]byte, 8)
	var starting sync.WaitGroup
	for i := range sealed {
		starting.Go(func() {
			var err error
			if sealed[i], err = access.NewSealer(documents).Seal(
				t.Context(), "p", "", []byte("x"),
			); err != nil {
				t.Error(err)
			}
		})
	}
	starting.Wait()
	s := access.NewSealer(documents)
	for _, b := range sealed {
		if _, err := s.Open(t.Context(), "p", "", b); err != nil {
			t.Error(err)
		}
	}
}

func TestARequestIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	c, documents := newClock(), &memory.Documents{}
	s := access.NewIdempotency(documents, access.NewSealer(documents), c.now)
	request := func(sender, key, body string) *access.Request {
		return &access.Request{Tenant: "acme", Sender: sender, Key: key, Body: []byte(body)}
	}
	begin := func(r *access.Request) (string, error) {
		answer, err := s.Begin(t.Context(), r)
		return string(answer), err
	}
	first := request("rly_a", "k", "{}")
	if answer, err := begin(first); answer != "" || err != nil {
		t.Fatalf("first: %q, %v", answer, err)
	}
	if _, err := begin(request("rly_a", "k", "{}")); !errors.Is(err, access.ErrRunning) {
		t.Errorf("while it runs: %v", err)
	}
	must(t, s.Finish(t.Context(), *first, []byte(`{"secret":"whsec_x"}`)))
	if answer, err := begin(request("rly_a", "k", "{}")); answer != `{"secret":"whsec_x"}` ||
		err != nil {
		t.Errorf("again: %q, %v", answer, err)
	}
	if _, err := begin(request("rly_a", "k", "[]")); !errors.Is(err, access.ErrKeyReused) {
		t.Errorf("with another body: %v", err)
	}
	for name, r := range map[string]*access.Request{
		"another key": request("rly_a", "l", "{}"), "another sender": request("rly_b", "k", "{}"),
		"another tenant": {Tenant: "other", Sender: "rly_a", Key: "k", Body: []byte("{}")},
	} {
		if answer, err := begin(r); answer != "" || err != nil {
			t.Errorf("%s: %q, %v", name, answer, err)
		}
	}
	found, _, err := documents.DocumentsIn(
		t.Context(), "idempotency/acme", operate.DocumentRange{Limit: 9},
	)
	must(t, err)
	for _, d := range found {
		if strings.Contains(string(d.Body), "whsec") || strings.Contains(d.Key, "rly_") {
			t.Errorf("stored: %s %s", d.Key, d.Body)
		}
		if want := c.t.Add(24 * time.Hour).Truncate(time.Second); !d.ExpiresAt.Equal(want) {
			t.Errorf("expires at %s, want %s", d.ExpiresAt, want)
		}
	}
}

func TestARequestThatWasCutShortIsRunAgain(t *testing.T) {
	t.Parallel()
	c, documents := newClock(), &memory.Documents{}
	s := access.NewIdempotency(documents, access.NewSealer(documents), c.now)
	request := func() *access.Request {
		return &access.Request{Sender: "rly_a", Key: "k", Body: []byte("{}")}
	}
	forgotten := request()
	_, err := s.Begin(t.Context(), forgotten)
	must(t, err)
	must(t, s.Forget(t.Context(), *forgotten))
	died := request()
	if answer, err := s.Begin(t.Context(), died); answer != nil || err != nil {
		t.Errorf("after one that changed nothing: %q, %v", answer, err)
	}
	c.t = c.t.Add(time.Minute)
	again := request()
	if answer, err := s.Begin(t.Context(), again); answer != nil || err != nil {
		t.Errorf("after one that died: %q, %v", answer, err)
	}
	if err := s.Finish(t.Context(), *died, nil); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("the one that had died after all: %v", err)
	}
	must(t, s.Finish(t.Context(), *again, make([]byte, operate.MaxDocumentBytes)))
	if _, err := s.Begin(t.Context(), request()); !errors.Is(err, access.ErrAnswerLarge) {
		t.Errorf("after a large answer: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	s := access.NewTokens(&memory.Documents{}, time.Now)
	text, made, err := s.Make(access.Token{Name: "ci", Role: access.Read})
	if err := errors.Join(err, s.Save(f.Context(), text, made)); err != nil {
		f.Fatal(err)
	}
	f.Add("rly_read_")
	f.Add(text[:20])
	f.Add("rly_admin_" + strings.Repeat("0", 49))
	f.Fuzz(func(t *testing.T, other string) {
		if _, err := s.Authenticate(t.Context(), other); err == nil && other != text {
			t.Errorf("%q is accepted", other)
		}
	})
}
