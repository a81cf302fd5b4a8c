package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"webhook-relay/shared/admin"
	"webhook-relay/shared/local/memory"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/operate"
)

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// rig is a relay in memory with its API.
type rig struct {
	t       *testing.T
	clock   *clock
	config  admin.Config
	handler http.Handler
	tokens  *access.Tokens
	audit   *access.Audit

	catalog  *memory.Catalog
	states   *memory.States
	ingest   *memory.Queue
	delivery *memory.Queue
	ledger   memory.Ledger
	retry    memory.Queue
	started  []string // ids of jobs whose work was started
	sync     bool     // work is done at once
	broken   bool     // the queue is

	mu       sync.Mutex
	observed []admin.Observation
}

// newRig returns the API of an empty relay with the tenants acme and other.
func newRig(t *testing.T, change ...func(*admin.Config)) *rig {
	t.Helper()
	r := &rig{
		t: t, clock: &clock{t: time.Now().UTC().Truncate(time.Millisecond)},
		catalog: &memory.Catalog{}, states: &memory.States{},
		ingest: &memory.Queue{}, delivery: &memory.Queue{},
	}
	r.config = admin.Config{
		Catalogs: r.catalog, Events: &r.ledger, States: r.states,
		Notifier:         operate.NewNotifier(nil, r.ingest),
		Pinger:           operate.Pinger{Events: &r.ledger, Delivery: r.delivery},
		CatalogDocuments: &memory.Documents{},
		LedgerDocuments:  &memory.Documents{}, Now: r.clock.now,
		Queues: map[string]admin.QueueCounter{
			"ingest": func(context.Context) (int, error) { return r.ingest.Len(), nil },
		},
		Observe: func(_ context.Context, o admin.Observation) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.observed = append(r.observed, o)
		},
	}
	r.addLedger()
	r.addListeners()
	for _, c := range change {
		c(&r.config)
	}
	var err error
	r.handler, err = admin.New(r.config)
	must(t, err)
	r.tokens = access.NewTokens(r.config.CatalogDocuments, r.clock.now)
	r.audit = access.NewAudit(r.config.LedgerDocuments, r.clock.now)
	tenants := access.NewTenants(r.config.CatalogDocuments, r.catalog, r.clock.now)
	for _, id := range []string{"acme", "other"} {
		_, err := tenants.Put(t.Context(), access.Tenant{ID: id, Name: id + " Inc."}, 0)
		must(t, err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// token returns a new token of a role and a tenant.
func (r *rig) token(role access.Role, tenant string) string {
	r.t.Helper()
	text, made, err := r.tokens.Make(access.Token{
		Name: string(role) + " of " + tenant, Role: role, Tenant: tenant,
	})
	must(r.t, errors.Join(err, r.tokens.Save(r.t.Context(), text, made)))
	return text
}

// request is a request to the API.
type request struct {
	method, path string // "GET", "/v1/tokens?limit=1"
	token        string
	as           *admin.Principal // in place of a token
	body         any              // nil: none; a string is sent as it is, anything else as JSON
	header       map[string]string
}

// answer is an answer of the API.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

// send sends a request, and checks what is true of every answer: see check.
func (r *rig) send(q request) answer {
	r.t.Helper()
	var body io.Reader = http.NoBody
	switch b := q.body.(type) {
	case nil:
	case string:
		body = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		must(r.t, err)
		body = bytes.NewReader(text)
	}
	req := httptest.NewRequestWithContext(r.t.Context(), q.method, q.path, body)
	if q.as != nil {
		req = req.WithContext(admin.WithPrincipal(req.Context(), *q.as))
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	changesBefore := r.changes()
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	a := answer{t: r.t, status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	r.check(q, a, r.changes()-changesBefore)
	return a
}

// changes returns how many entries the audit log has.
func (r *rig) changes() int {
	r.t.Helper()
	n := 0
	for _, tenant := range []string{"", "acme", "other"} {
		v, err := r.audit.Verify(r.t.Context(), tenant, access.Entry{}, 1000)
		must(r.t, err)
		n += v.Entries
	}
	return n
}

// wants checks the status, and decodes the body into v, unless it is nil.
func (a answer) wants(status int, v any) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	if v != nil {
		if err := json.Unmarshal(a.body, v); err != nil {
			a.t.Fatalf("%v: %s", err, a.body)
		}
	}
	return a
}

// problem checks that the answer is a problem of a kind, and returns it.
func (a answer) problem(status int, name string) admin.Problem {
	a.t.Helper()
	var p admin.Problem
	a.wants(status, &p)
	if want := "urn:webhook-relay:problem:" + name; p.Type != want || p.Status != status ||
		a.header.Get("content-type") != "application/problem+json" {
		a.t.Errorf("%s, want %s", a.body, want)
	}
	return p
}

// pointers returns where a problem says that something is wrong.
func pointers(p admin.Problem) string {
	var all []string
	for _, e := range p.Errors {
		all = append(all, e.Pointer)
	}
	return strings.Join(all, " ")
}

// with returns a request with some headers more.
func (q request) with(header map[string]string) request {
	q.header = maps.Clone(q.header)
	if q.header == nil {
		q.header = map[string]string{}
	}
	maps.Copy(q.header, header)
	return q
}

// raw is send without the checks of the audit log: for requests at the same time, and for a log
// that is broken.
func (r *rig) raw(q request) answer {
	var body io.Reader = http.NoBody
	if q.body != nil {
		text, _ := json.Marshal(q.body)
		body = bytes.NewReader(text)
	}
	req := httptest.NewRequestWithContext(r.t.Context(), q.method, q.path, body)
	req.Header.Set("Authorization", "Bearer "+q.token)
	req.Header.Set("Content-Type", "application/json")
	for name, value := range q.header {
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, req)
	return answer{t: r.t, status: w.Code, header: w.Header(), body: w.Body.Bytes()}
}

var errFails = errors.New("the store fails")

// failing is documents whose writes to the collections of a prefix fail.
type failing struct {
	operate.Documents
	collection string // "": none
}

func (f *failing) PutDocument(
	ctx context.Context, c string, d operate.Document, base int64,
) (int64, error) {
	if f.collection != "" && strings.HasPrefix(c, f.collection) {
		return 0, errFails
	}
	return f.Documents.PutDocument(ctx, c, d, base)
}

// slow is documents that keep the writer of a token called slow waiting.
type slow struct {
	operate.Documents
	inside, goOn chan struct{}
}

func (s *slow) PutDocument(
	ctx context.Context, c string, d operate.Document, base int64,
) (int64, error) {
	if c == "tokens" && strings.Contains(string(d.Body), `"slow"`) && base == 0 {
		s.inside <- struct{}{}
		<-s.goOn
	}
	return s.Documents.PutDocument(ctx, c, d, base)
}
