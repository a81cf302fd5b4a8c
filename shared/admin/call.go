package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/relay/access"
	"webhook-relay/shared/relay/catalog"
)

// Principal is who sends a request, and what they may do.
type Principal struct {
	access.Who

	Role   access.Role
	Tenant string // "": the operator
	// Capabilities are what a user of a tenant's portal may do. They have no role.
	Capabilities []access.Capability
	// by which answers are sealed that are kept for a repeat of the request: the token, or the name
	secret  string
	expires time.Time // of the token; zero: never
}

// May reports whether the principal may use the route with an id.
func (p Principal) May(id string) bool {
	i := slices.IndexFunc(Routes, func(r Route) bool { return r.ID == id })
	return i >= 0 && p.may(Routes[i]) == nil
}

// inPortal reports whether the principal is a user of a tenant's portal.
func (p Principal) inPortal() bool { return p.Kind == access.PortalUser }

// manager is who manages what the principal creates.
func (p Principal) manager() catalog.Manager {
	if p.inPortal() {
		return catalog.ManagedByPortal
	}
	return catalog.ManagedByAPI
}

// may returns the problem for a route that the principal may not use.
func (p Principal) may(r Route) error {
	if p.inPortal() {
		return p.mayInPortal(r)
	}
	if r.Scope == Operator && p.Tenant != "" {
		return forbidden.problem(
			"This is for the operator of the relay. The token belongs to the tenant %s.", p.Tenant,
		)
	}
	if r.Scope != Everybody && !p.Role.Includes(r.Role) {
		return forbidden.problem(
			"It needs the role %s. The token has the role %s.", r.Role, p.Role,
		)
	}
	return nil
}

// mayInPortal is may for a user of a tenant's portal.
func (p Principal) mayInPortal(r Route) error {
	switch {
	case r.Portal == "" || p.Tenant == "":
		return forbidden.problem("This is not for users of the portal.")
	case !slices.Contains(p.Capabilities, r.Portal):
		return forbidden.problem(
			"It needs the capability %s. The link by which you came gives: %s.", r.Portal,
			joined(p.Capabilities),
		)
	}
	return nil
}

func joined(all []access.Capability) string {
	return strings.Join(mapped(all, func(c access.Capability) string { return string(c) }), ", ")
}

// call is a request that is being answered.
type call struct {
	route     Route
	principal Principal
	tenant    string // whose things the request is about
	requestID string
	origin    string // the scheme and host by which the request came
	failure   error  // for the log
}

type callKey struct{}

// failed notes for the log why the request is not done, and returns the answer.
func (c *call) failed(err error) *Problem {
	p := problemOf(err)
	if p.Status != http.StatusUnauthorized { // that answer is the same for every stranger
		p.RequestID = c.requestID
	}
	c.failure = err
	if p.cause != nil {
		c.failure = p.cause
	}
	return p
}

// callOf returns the request that a handler answers.
func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

type principalKey struct{}

// WithPrincipal returns a context for a request whose sender was authenticated before: by API
// Gateway, by a session of the console, or by the process itself. Such a request needs no token.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	if p.secret == "" {
		p.secret = p.Kind + " " + p.ID
	}
	return context.WithValue(ctx, principalKey{}, p)
}

// WithIdentity is WithPrincipal for an AWS identity, by its ARN. It has the role admin.
func WithIdentity(ctx context.Context, arn string) context.Context {
	return WithPrincipal(ctx, Principal{Who: access.Who{Kind: "iam", ID: arn}, Role: access.Admin})
}

type requestIDKey struct{}

// WithRequestID returns a context for a request that the gateway in front has given an id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// Observation is what is logged of a request.
type Observation struct {
	RequestID string
	Route     string // its id; "": none
	Status    int
	Who       access.Who
	Tenant    string
	Duration  time.Duration
	Err       error // why it was refused or failed; never a token
}

// problemOf returns the answer for an error of a handler. It is the one place that turns errors of
// the core into problems.
func problemOf(err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, catalog.ErrNotFound):
		p = notFound.problem("%s", textOf(err))
	case errors.Is(err, catalog.ErrManaged):
		p = managed.problem("%s", textOf(err))
	case errors.Is(err, catalog.ErrInUse):
		p = inUse.problem("%s", textOf(err))
	case errors.Is(err, catalog.ErrSecretsConfigured), errors.Is(err, catalog.ErrTooManySecrets),
		errors.Is(err, access.ErrTampered):
		p = stateConflict.problem("%s", textOf(err))
	case errors.Is(err, catalog.ErrKeep), errors.Is(err, access.ErrInvalid),
		errors.Is(err, access.ErrCapability):
		p = at("/body", "%s", textOf(err))
	case errors.Is(err, catalog.ErrConflict):
		p = conflict.problem("Read it again, and send the request again.")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p = unavailable.problem("The answer took too long. Send the request again later.").
			with("retry-after", retryAfterSeconds)
	default:
		p = internal.problem(
			"Send the request again later. The log has more under the request id.",
		).
			with("retry-after", retryAfterSeconds)
	}
	p.cause = err
	return p
}

const retryAfterSeconds = "10"

// textOf returns the text of an error of the core, which is made for people.
func textOf(err error) string { return err.Error() }

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader writes the status.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
