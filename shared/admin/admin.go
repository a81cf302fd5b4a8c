package admin

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"webhook-relay/shared/relay"
	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/relay/gate"
	"webhook-relay/shared/relay/operate"
	"webhook-relay/shared/transform"
)

// MaxBodyBytes is the largest body of a request.
const MaxBodyBytes = 1 << 20

// JQ runs and checks jq programs, as a jq.Runner does.
type JQ interface {
	transform.Runner
	Check(ctx context.Context, program string) error
}

// Config has what the API works on.
type Config struct {
	// Catalogs has the configuration of each tenant.
	Catalogs catalog.Tenants
	// CatalogDocuments are the documents beside the catalog: tokens and tenants.
	CatalogDocuments operate.Documents
	// LedgerDocuments are the documents beside the ledger: the audit log and kept answers.
	LedgerDocuments operate.Documents
	// States are the states of the endpoints, by their qualified names.
	States gate.EndpointStates
	// Notifier sends the relay's own event about a change of an endpoint's state.
	Notifier *operate.Notifier
	// Events has the recorded events and their deliveries.
	Events operate.RecordReader
	// Pinger sends pings.
	Pinger operate.Pinger
	// Replayer sends single deliveries again; zero: there are no such routes.
	Replayer operate.Replayer
	// Learned has the secrets that providers send in handshakes; nil: there are no such routes.
	Learned LearnedSecrets
	// Listening has what people need to listen; zero: listening is off.
	Listening Listening
	// Local: settings of endpoints that need AWS are refused.
	Local bool
	// Granted are the ARNs of destinations and roles that the stack grants. Endpoints with others
	// are refused, unless Local is set.
	Granted []string
	// Triggers are the sources for which the stack has a queue, and the provider that each must
	// have. A source that needs a queue and has none is refused. Local: not read
	Triggers map[string]string
	// JQ runs the jq programs of transforms that are tried, and checks those that are configured;
	// nil: it does neither.
	JQ JQ
	// Jobs plans and runs jobs; nil: there are none.
	Jobs *operate.Jobs
	// Searcher finds events and deliveries; zero: they are not listed.
	Searcher operate.Searcher
	// Statistics has the counts by the hour; zero: there are none.
	Statistics operate.Statistics
	// Queues are the relay's queues by name; nil: they are not listed.
	Queues map[string]QueueCounter
	// Bodies has large bodies, and the files of exports.
	Bodies relay.Bodies
	// Observe is called after each request; nil: never.
	Observe func(context.Context, Observation)
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// server answers the requests.
type server struct {
	Config

	tokens   *access.Tokens
	sessions *access.Sessions
	tenants  *access.Tenants
	audit    *access.Audit
	sealer   *access.Sealer
	answers  *access.Idempotency
	// publishers are the operator's sources that publish for tenants, the same for all tenants.
	publishers *catalog.Renewed[[]publisher]
	queues     *catalog.Renewed[[]Queue]

	rows   []Route        // the table
	mux    *http.ServeMux // finds the route of a request
	groups map[string]*lazyGroup
}

// New returns the handler of /v1. It calls nothing yet. Error: a port is missing.
func New(c Config) (http.Handler, error) {
	if c.Catalogs == nil || c.CatalogDocuments == nil || c.LedgerDocuments == nil ||
		c.States == nil || c.Events == nil || c.Bodies == nil || c.Notifier == nil ||
		c.Pinger.Events == nil || c.Pinger.Delivery == nil {
		return nil, errors.New("admin: a port is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(context.Context, Observation) {}
	}
	s := &server{
		Config:  c,
		tokens:  access.NewTokens(c.CatalogDocuments, c.Now),
		tenants: access.NewTenants(c.CatalogDocuments, c.Catalogs, c.Now),
		audit:   access.NewAudit(c.LedgerDocuments, c.Now),
		sealer:  access.NewSealer(c.CatalogDocuments),
		rows:    c.routes(), mux: http.NewServeMux(), groups: map[string]*lazyGroup{},
	}
	s.sessions = access.NewSessions(c.CatalogDocuments, s.tokens, c.Now)
	s.publishers = catalog.NewRenewed(s.publishing, access.CacheTTL, access.CacheTTL, c.Now)
	s.queues = catalog.NewRenewed(s.countQueues, queuesTTL, queuesTTL, c.Now)
	s.answers = access.NewIdempotency(c.LedgerDocuments, s.sealer, c.Now)
	for _, r := range s.rows {
		s.mux.Handle(r.Method+" "+r.Path, routeHandler{r})
		if s.groups[r.group.name] == nil {
			s.groups[r.group.name] = &lazyGroup{server: s, group: *r.group}
		}
	}
	return s, nil
}

// routes returns the rows of the table for which c has the ports. A path of another is answered as
// one that there is not.
func (c Config) routes() []Route {
	has := map[string]bool{
		"jobs": c.Jobs != nil, "stats": c.Statistics.Documents != nil,
		"lists": c.Searcher.Events != nil, "again": c.Replayer.Ledger != nil,
		"learned": c.Learned != nil, "queues": c.Queues != nil, keptGroup: c.Listening.Kept != nil,
	}
	return slices.DeleteFunc(slices.Clone(Routes), func(r Route) bool {
		there, optional := has[r.group.name]
		return optional && !there
	})
}

// routeHandler is a row of the table in the ServeMux. It only carries the row.
type routeHandler struct{ Route }

func (routeHandler) ServeHTTP(http.ResponseWriter, *http.Request) {}

// lazyGroup is a group of routes. Its operations are registered once they are needed.
type lazyGroup struct {
	server  *server
	group   group
	once    sync.Once
	handler http.Handler
}

func (g *lazyGroup) get() http.Handler {
	g.once.Do(func() {
		mux := http.NewServeMux()
		g.group.register(newRegistrar(g.server, mux, g.server.rows))
		g.handler = mux
	})
	return g.handler
}

// ServeHTTP answers a request: it finds out who sends it, what they may do, and whose things it is
// about, and gives it to the route's handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.Now()
	id, _ := r.Context().Value(requestIDKey{}).(string)
	c := &call{requestID: cmp.Or(id, rand.Text()), origin: "https://" + r.Host}
	if s.Local {
		c.origin = "http://" + r.Host
	}
	w.Header().Set("x-request-id", c.requestID)
	w.Header().Set("cache-control", "no-store")
	w.Header().Set("x-content-type-options", "nosniff")
	answer := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	if err := s.serve(answer, r, c); err != nil {
		c.failed(err).write(answer)
	}
	s.Observe(r.Context(), Observation{
		RequestID: c.requestID, Route: c.route.ID, Status: answer.status,
		Who: c.principal.Who, Tenant: c.tenant, Duration: s.Now().Sub(began),
		Err: c.failure,
	})
}

func (s *server) serve(w http.ResponseWriter, r *http.Request, c *call) error {
	route, allowed := s.find(r)
	c.route = route
	if route.Scope != Everybody {
		if err := s.admit(r, c); err != nil {
			return err
		}
	}
	switch {
	case route.ID == "" && len(allowed) > 0:
		return noMethod.problem("It takes %s.", strings.Join(allowed, ", ")).
			with("allow", strings.Join(allowed, ", "))
	case route.ID == "":
		return notFound.problem("There is no such path. GET /v1/openapi.json lists all paths.")
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r = r.WithContext(context.WithValue(r.Context(), callKey{}, c))
	next := s.groups[route.group.name].get()
	if key := r.Header.Get("Idempotency-Key"); key != "" && r.Method == http.MethodPost {
		return s.once(w, r, c, key, body, next)
	}
	next.ServeHTTP(w, r)
	return nil
}

// find returns the route of a request. If there is none, it returns the methods that the path
// takes. No path is redirected to a cleaner one.
func (s *server) find(r *http.Request) (route Route, allowed []string) {
	if p := r.URL.EscapedPath(); path.Clean(p) != p {
		return Route{}, nil
	}
	method := r.Method
	defer func() { r.Method = method }()
	for _, r.Method = range []string{
		method, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete,
	} {
		h, pattern := s.mux.Handler(r)
		found, ok := h.(routeHandler)
		if ok && pattern != "" && found.Method == method {
			return found.Route, nil
		}
		if ok && pattern != "" && !slices.Contains(allowed, found.Method) {
			allowed = append(allowed, found.Method)
		}
	}
	return Route{}, allowed
}

// admit finds out who sends a request, and whether they may.
func (s *server) admit(r *http.Request, c *call) error {
	principal, err := s.authenticate(r)
	if err != nil {
		return err
	}
	c.principal, c.tenant = principal, principal.Tenant
	if c.route.ID == "" {
		return nil
	}
	if err := principal.may(c.route); err != nil {
		return err
	}
	return s.chooseTenant(r, c)
}

// authenticate returns who sends a request.
func (s *server) authenticate(r *http.Request) (Principal, error) {
	if p, ok := r.Context().Value(principalKey{}).(Principal); ok {
		return p, nil
	}
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Principal{}, refused(access.ErrMalformed)
	}
	t, err := s.tokens.Authenticate(r.Context(), text)
	switch {
	case errors.Is(err, access.ErrMalformed), errors.Is(err, access.ErrUnknown),
		errors.Is(err, access.ErrExpired):
		return Principal{}, refused(err)
	case err != nil:
		return Principal{}, err
	}
	return Principal{
		Who:  access.Who{Kind: "token", ID: t.ID, Name: t.Name},
		Role: t.Role, Tenant: t.Tenant, secret: text, expires: t.ExpiresAt,
	}, nil
}

// refused is the answer to every stranger: it does not say what is wrong with the token.
func refused(cause error) *Problem {
	p := unauthorized.problem(
		"Send a token of this relay: Authorization: Bearer rly_… (relay tokens create makes one).",
	).with("www-authenticate", "Bearer")
	p.cause = cause
	return p
}

// chooseTenant reads and removes ?tenant=. Another tenant than the token's own is answered like one
// that does not exist.
func (s *server) chooseTenant(r *http.Request, c *call) error {
	query := r.URL.Query()
	named, given := query["tenant"]
	if !given || c.route.Scope != Tenant {
		return nil
	}
	if len(named) > 1 {
		return at("/query/tenant", "is given %d times", len(named))
	}
	query.Del("tenant")
	r.URL.RawQuery = query.Encode()
	id := named[0]
	switch {
	case id == c.principal.Tenant:
		return nil
	case c.principal.Tenant != "":
		return noTenant(id)
	case !catalog.IsTenant(id):
		return at("/query/tenant", "is not a tenant's id; it is %s", catalog.TenantForm)
	}
	if _, err := s.tenant(r.Context(), id); err != nil {
		return err
	}
	c.tenant = id
	return nil
}

func noTenant(id string) *Problem {
	return notFound.problem("There is no tenant %.63q.", id)
}

// readBody reads a request's body.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, tooLarge.problem("It has more than %d bytes.", MaxBodyBytes)
	case err != nil:
		return nil, badRequest.problem("The body broke off.")
	}
	return body, nil
}
