package admin

import (
	"net/http"

	"webhook-relay/shared/relay/access"
)

// Scope tells to whom what a route shows or changes belongs. The set is closed.
type Scope string

// The scopes.
const (
	// Everybody: it needs no token.
	Everybody Scope = "everybody"
	// Relay: it is the same for all tenants.
	Relay Scope = "relay"
	// Tenant: it belongs to the tenant of the token. A token of the operator's may name a tenant
	// with ?tenant=.
	Tenant Scope = "tenant"
	// Operator: tokens of tenants are refused.
	Operator Scope = "operator"
)

// Route is a row of the table of routes.
type Route struct {
	ID      string // as in the OpenAPI document and the audit log: "tokens.create"
	Method  string
	Path    string // as in http.ServeMux
	Role    access.Role
	Scope   Scope
	Changes bool // it changes something, so it is in the audit log
	Summary string

	group *group
}

// group is a group of routes that is registered with the first request to one of them.
type group struct {
	name     string
	register func(*registrar)
}

// Routes is the table of all routes.
var Routes = routes()

func routes() []Route {
	var all []Route
	add := func(g group, rows ...Route) {
		for _, r := range rows {
			r.group = &g
			all = append(all, r)
		}
	}
	const (
		get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
		read, run, admin    = access.Read, access.Operate, access.Admin
		yes, no             = true, false
	)
	add(group{"health", registerHealth},
		Route{"health", get, "/v1/health", "", Everybody, no, "Tell that the API answers", nil},
	)
	add(group{"openapi", registerOpenAPI},
		Route{"openapi", get, "/v1/openapi.json", "", Everybody, no, "This API as an OpenAPI 3.1 document", nil},
	)
	add(group{"tokens", registerTokens},
		Route{"tokens.list", get, "/v1/tokens", admin, Tenant, no, "List the tokens", nil},
		Route{"tokens.create", post, "/v1/tokens", admin, Tenant, yes, "Make a token, and show it once", nil},
		Route{"tokens.revoke", del, "/v1/tokens/{id}", admin, Tenant, yes, "End a token", nil},
	)
	add(group{"audit", registerAudit},
		Route{"audit.list", get, "/v1/audit", read, Tenant, no, "List the changes, newest first", nil},
		Route{"audit.verify", get, "/v1/audit/verify", read, Tenant, no, "Check that nobody has altered the list of changes", nil},
	)
	add(group{"tenants", registerTenants},
		Route{"tenants.list", get, "/v1/tenants", read, Operator, no, "List the tenants", nil},
		Route{"tenants.get", get, "/v1/tenants/{id}", read, Operator, no, "Show a tenant", nil},
		Route{"tenants.put", put, "/v1/tenants/{id}", admin, Operator, yes, "Create or replace a tenant", nil},
		Route{"tenants.delete", del, "/v1/tenants/{id}", admin, Operator, yes, "Delete a tenant", nil},
	)
	add(group{"providers", registerProviders},
		Route{"providers.list", get, "/v1/providers", read, Relay, no, "List the providers, and what a source of each needs", nil},
	)
	resources := group{"resources", registerResources}
	for _, kind := range []struct{ plural, one string }{
		{"sources", "a source"}, {"endpoints", "an endpoint"}, {"subscriptions", "a subscription"},
	} {
		list := "/v1/" + kind.plural
		add(resources,
			Route{kind.plural + ".list", get, list, read, Tenant, no, "List the " + kind.plural, nil},
			Route{kind.plural + ".get", get, list + "/{name}", read, Tenant, no, "Show " + kind.one, nil},
			Route{kind.plural + ".put", put, list + "/{name}", admin, Tenant, yes, "Create or replace " + kind.one, nil},
			Route{kind.plural + ".delete", del, list + "/{name}", admin, Tenant, yes, "Delete " + kind.one, nil},
		)
	}
	add(group{"actions", registerActions},
		Route{"endpoints.state", get, "/v1/endpoints/{name}/state", read, Tenant, no, "Show how an endpoint is now", nil},
		Route{"endpoints.rotate", post, "/v1/endpoints/{name}/secret/rotate", run, Tenant, yes, "Give an endpoint a new secret, and show it once", nil},
		Route{"endpoints.pause", post, "/v1/endpoints/{name}/pause", run, Tenant, yes, "Hold the deliveries to an endpoint", nil},
		Route{"endpoints.resume", post, "/v1/endpoints/{name}/resume", run, Tenant, yes, "Let deliveries go again to an endpoint that is paused, open or disabled", nil},
		Route{"endpoints.ping", post, "/v1/endpoints/{name}/ping", run, Tenant, yes, "Send an event of the relay's own to an endpoint", nil},
	)
	add(group{"jobs", registerJobs},
		Route{"jobs.list", get, "/v1/jobs", read, Tenant, no, "List the jobs, newest first", nil},
		Route{"jobs.plan", post, "/v1/jobs", run, Tenant, yes, "Plan a job: freeze its set, and count it", nil},
		Route{"jobs.get", get, "/v1/jobs/{id}", read, Tenant, no, "Show a job and its progress", nil},
		Route{"jobs.run", post, "/v1/jobs/{id}/run", run, Tenant, yes, "Run a planned job", nil},
		Route{"jobs.cancel", post, "/v1/jobs/{id}/cancel", run, Tenant, yes, "End a job", nil},
		Route{"jobs.file", get, "/v1/jobs/{id}/files/{number}", read, Tenant, no, "A file of an export: an event a line, as JSON", nil},
	)
	add(group{"stats", registerStats},
		Route{"stats", get, "/v1/stats", read, Tenant, no, "Count events and deliveries by the hour", nil},
	)
	add(group{"refused", registerRefused},
		Route{"refused.list", get, "/v1/refused", read, Tenant, no, "List requests that were refused", nil},
	)
	add(group{"try", registerTry},
		Route{"try", post, "/v1/try", read, Tenant, no, "Tell whether subscriptions take an event, and why not", nil},
	)
	return all
}
