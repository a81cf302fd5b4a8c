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
	// Portal is what a user of a tenant's portal needs for it; "": it is not for the portal.
	Portal access.Capability

	group *group
}

// group is a group of routes that is registered with the first request to one of them.
type group struct {
	name     string
	register func(*registrar)
}

// Routes is the table of all routes.
var Routes = routes()

// portal has the routes that a user of a tenant's portal may use, by what they need.
var portal = map[access.Capability][]string{
	access.View: {
		"sources.offered", "endpoints.list", "endpoints.get", "endpoints.state",
		"endpoints.states", "subscriptions.list", "subscriptions.get", "events.list", "events.get",
		"events.lookup", "events.body", "deliveries.list", "deliveries.get",
		"deliveries.request",
	},
	access.Secret: {"endpoints.rotate"},
	access.Manage: {
		"endpoints.put", "endpoints.delete", "endpoints.pause", "endpoints.resume",
		"subscriptions.put", "subscriptions.delete",
	},
	access.Replay: {"deliveries.replay"},
	access.Ping:   {"endpoints.ping"},
}

func routes() []Route {
	var all []Route
	needs := map[string]access.Capability{}
	for capability, ids := range portal {
		for _, id := range ids {
			needs[id] = capability
		}
	}
	add := func(g group, rows ...Route) {
		for _, r := range rows {
			r.group, r.Portal = &g, needs[r.ID]
			all = append(all, r)
		}
	}
	const (
		get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
		read, run, admin    = access.Read, access.Operate, access.Admin
		yes, no             = true, false
	)
	add(group{name: "health", register: registerHealth},
		Route{
			ID: "health", Method: get, Path: "/v1/health", Role: "", Scope: Everybody, Changes: no,
			Summary: "Tell that the API answers", group: nil,
		},
	)
	add(group{name: "openapi", register: registerOpenAPI},
		Route{
			ID: "openapi", Method: get, Path: "/v1/openapi.json", Role: "", Scope: Everybody,
			Changes: no, Summary: "This API as an OpenAPI 3.1 document", group: nil,
		},
	)
	add(group{name: "tokens", register: registerTokens},
		Route{
			ID: "tokens.list", Method: get, Path: "/v1/tokens", Role: admin, Scope: Tenant,
			Changes: no, Summary: "List the tokens", group: nil,
		},
		Route{
			ID: "tokens.create", Method: post, Path: "/v1/tokens", Role: admin, Scope: Tenant,
			Changes: yes, Summary: "Make a token, and show it once", group: nil,
		},
		Route{
			ID: "tokens.revoke", Method: del, Path: "/v1/tokens/{id}", Role: admin, Scope: Tenant,
			Changes: yes, Summary: "End a token", group: nil,
		},
	)
	add(group{name: "self", register: registerSelf},
		Route{
			ID: "self", Method: get, Path: "/v1/self", Role: read, Scope: Relay, Changes: no,
			Summary: "Tell who sends the request, and what they may do", group: nil,
		},
	)
	add(group{name: "audit", register: registerAudit},
		Route{
			ID: "audit.list", Method: get, Path: "/v1/audit", Role: read, Scope: Tenant,
			Changes: no, Summary: "List the changes, newest first", group: nil,
		},
		Route{
			ID: "audit.verify", Method: get, Path: "/v1/audit/verify", Role: read, Scope: Tenant,
			Changes: no, Summary: "Check that nobody has altered the list of changes", group: nil,
		},
	)
	add(group{name: "tenants", register: registerTenants},
		Route{
			ID: "tenants.list", Method: get, Path: "/v1/tenants", Role: read, Scope: Operator,
			Changes: no, Summary: "List the tenants", group: nil,
		},
		Route{
			ID: "tenants.get", Method: get, Path: "/v1/tenants/{id}", Role: read, Scope: Operator,
			Changes: no, Summary: "Show a tenant", group: nil,
		},
		Route{
			ID: "tenants.put", Method: put, Path: "/v1/tenants/{id}", Role: admin, Scope: Operator,
			Changes: yes, Summary: "Create or replace a tenant", group: nil,
		},
		Route{
			ID: "tenants.delete", Method: del, Path: "/v1/tenants/{id}", Role: admin,
			Scope: Operator, Changes: yes, Summary: "Delete a tenant", group: nil,
		},
		Route{
			ID: "tenants.portal.link", Method: post, Path: "/v1/tenants/{id}/portal", Role: admin,
			Scope: Operator, Changes: yes, group: nil,
			Summary: "Make a link that opens a tenant's portal once",
		},
		Route{
			ID: "tenants.portal.end", Method: del, Path: "/v1/tenants/{id}/portal", Role: admin,
			Scope: Operator, Changes: yes, group: nil,
			Summary: "End all sessions and links of a tenant",
		},
	)
	add(group{name: "providers", register: registerProviders},
		Route{
			ID: "providers.list", Method: get, Path: "/v1/providers", Role: read, Scope: Relay,
			Changes: no, Summary: "List the providers, and what a source of each needs", group: nil,
		},
	)
	add(group{name: "types", register: registerTypes},
		Route{
			ID: "types.list", Method: get, Path: "/v1/types", Role: read, Scope: Tenant,
			Changes: no, Summary: "List the event types of sources, with their schemas", group: nil,
		},
	)
	resources := group{name: "resources", register: registerResources}
	for _, kind := range []struct{ plural, one string }{
		{"sources", "a source"}, {"endpoints", "an endpoint"}, {"subscriptions", "a subscription"},
	} {
		list := "/v1/" + kind.plural
		add(resources,
			Route{
				ID: kind.plural + ".list", Method: get, Path: list, Role: read, Scope: Tenant,
				Changes: no, Summary: "List the " + kind.plural, group: nil,
			},
			Route{
				ID: kind.plural + ".get", Method: get, Path: list + "/{name}", Role: read,
				Scope: Tenant, Changes: no, Summary: "Show " + kind.one, group: nil,
			},
			Route{
				ID: kind.plural + ".put", Method: put, Path: list + "/{name}", Role: admin,
				Scope: Tenant, Changes: yes, Summary: "Create or replace " + kind.one, group: nil,
			},
			Route{
				ID: kind.plural + ".delete", Method: del, Path: list + "/{name}", Role: admin,
				Scope: Tenant, Changes: yes, Summary: "Delete " + kind.one, group: nil,
			},
		)
	}
	add(group{name: "offered", register: registerOffered},
		Route{
			ID: "sources.offered", Method: get, Path: "/v1/offered", Role: read, Scope: Tenant,
			Changes: no, group: nil,
			Summary: "List the sources to which a tenant's endpoints can subscribe",
		},
	)
	add(group{name: "configuration", register: registerPlan},
		Route{
			ID: "plan", Method: post, Path: "/v1/plan", Role: admin, Scope: Tenant, Changes: no,
			Summary: "Tell what a configuration file would change", group: nil,
		},
		Route{
			ID: "apply", Method: post, Path: "/v1/apply", Role: admin, Scope: Tenant, Changes: yes,
			Summary: "Make a configuration file the one in force: all of it or nothing", group: nil,
		},
		Route{
			ID: "export", Method: get, Path: "/v1/export", Role: read, Scope: Tenant, Changes: no,
			Summary: "The configuration as a file, without secrets", group: nil,
		},
	)
	add(group{name: "lists", register: registerLists},
		Route{
			ID: "events.list", Method: get, Path: "/v1/events", Role: read, Scope: Tenant,
			Changes: no, Summary: "List events, newest first", group: nil,
		},
		Route{
			ID: "deliveries.list", Method: get, Path: "/v1/deliveries", Role: read, Scope: Tenant,
			Changes: no, Summary: "List deliveries by endpoint, newest first", group: nil,
		},
	)
	add(group{name: "events", register: registerEvents},
		Route{
			ID: "events.get", Method: get, Path: "/v1/events/{id}", Role: read, Scope: Tenant,
			Changes: no,
			Summary: "Show what became of an event: received, matched and why not, delivered",
			group:   nil,
		},
		Route{
			ID: "events.lookup", Method: get, Path: "/v1/events/lookup", Role: read, Scope: Tenant,
			Changes: no, Summary: "Find an event by the provider's id of its webhook", group: nil,
		},
		Route{
			ID: "events.body", Method: get, Path: "/v1/events/{id}/body", Role: read, Scope: Tenant,
			Changes: no, Summary: "The body of an event, as it came", group: nil,
		},
		Route{
			ID: "deliveries.get", Method: get, Path: "/v1/deliveries/{event}/{endpoint}",
			Role: read, Scope: Tenant, Changes: no, Summary: "Show a delivery and its attempts",
			group: nil,
		},
		Route{
			ID: "deliveries.request", Method: get,
			Path: "/v1/deliveries/{event}/{endpoint}/request", Role: read, Scope: Tenant,
			Changes: no, Summary: "The request of a delivery, without what proves who sends it",
			group: nil,
		},
	)
	add(group{name: "actions", register: registerActions},
		Route{
			ID: "endpoints.state", Method: get, Path: "/v1/endpoints/{name}/state", Role: read,
			Scope: Tenant, Changes: no, Summary: "Show how an endpoint is now", group: nil,
		},
		Route{
			ID: "endpoints.states", Method: get, Path: "/v1/states", Role: read, Scope: Tenant,
			Changes: no, Summary: "List the endpoints, and how each is now", group: nil,
		},
		Route{
			ID: "endpoints.troubled", Method: get, Path: "/v1/troubled", Role: read,
			Scope: Tenant, Changes: no, Summary: "List the endpoints that are not healthy",
			group: nil,
		},
		Route{
			ID: "endpoints.rotate", Method: post, Path: "/v1/endpoints/{name}/secret/rotate",
			Role: run, Scope: Tenant, Changes: yes,
			Summary: "Give an endpoint a new secret, and show it once", group: nil,
		},
		Route{
			ID: "endpoints.pause", Method: post, Path: "/v1/endpoints/{name}/pause", Role: run,
			Scope: Tenant, Changes: yes, Summary: "Hold the deliveries to an endpoint", group: nil,
		},
		Route{
			ID: "endpoints.resume", Method: post, Path: "/v1/endpoints/{name}/resume", Role: run,
			Scope: Tenant, Changes: yes,
			Summary: "Let deliveries go again to an endpoint that is paused, open or disabled",
			group:   nil,
		},
		Route{
			ID: "endpoints.disable", Method: post, Path: "/v1/endpoints/{name}/disable", Role: run,
			Scope: Tenant, Changes: yes,
			Summary: "Stop an endpoint. Its deliveries die until it is resumed", group: nil,
		},
		Route{
			ID: "endpoints.preview", Method: post, Path: "/v1/endpoints/{name}/preview", Role: run,
			Scope: Tenant, Changes: no,
			Summary: "The request that an endpoint would get for an event, signed for now",
			group:   nil,
		},
		Route{
			ID: "endpoints.ping", Method: post, Path: "/v1/endpoints/{name}/ping", Role: run,
			Scope: Tenant, Changes: yes, Summary: "Send an event of the relay's own to an endpoint",
			group: nil,
		},
	)
	add(group{name: "again", register: registerAgain},
		Route{
			ID: "deliveries.replay", Method: post,
			Path: "/v1/deliveries/{event}/{endpoint}/replay", Role: run, Scope: Tenant,
			Changes: yes, Summary: "Send a delivery again that is delivered or dead", group: nil,
		},
		Route{
			ID: "events.route", Method: post, Path: "/v1/events/{id}/route", Role: run,
			Scope: Tenant, Changes: yes,
			Summary: "Send an event to the endpoints that have subscribed to it since", group: nil,
		},
	)
	add(group{name: "learned", register: registerLearned},
		Route{
			ID: "sources.secret.show", Method: post, Path: "/v1/sources/{name}/secret/show",
			Role: admin, Scope: Tenant, Changes: yes,
			Summary: "Show the secret that the provider sent in its handshake", group: nil,
		},
		Route{
			ID: "sources.secret.forget", Method: del, Path: "/v1/sources/{name}/secret",
			Role: admin, Scope: Tenant, Changes: yes,
			Summary: "Forget the secret that the provider sent in its handshake", group: nil,
		},
		Route{
			ID: "sources.secret.accept", Method: post, Path: "/v1/sources/{name}/secret/accept",
			Role: admin, Scope: Tenant, Changes: yes,
			Summary: "Accept a secret from the next handshake", group: nil,
		},
	)
	add(group{name: "jobs", register: registerJobs},
		Route{
			ID: "jobs.list", Method: get, Path: "/v1/jobs", Role: read, Scope: Tenant, Changes: no,
			Summary: "List the jobs, newest first", group: nil,
		},
		Route{
			ID: "jobs.plan", Method: post, Path: "/v1/jobs", Role: run, Scope: Tenant, Changes: yes,
			Summary: "Plan a job: freeze its set, and count it", group: nil,
		},
		Route{
			ID: "jobs.get", Method: get, Path: "/v1/jobs/{id}", Role: read, Scope: Tenant,
			Changes: no, Summary: "Show a job and its progress", group: nil,
		},
		Route{
			ID: "jobs.run", Method: post, Path: "/v1/jobs/{id}/run", Role: run, Scope: Tenant,
			Changes: yes, Summary: "Run a planned job", group: nil,
		},
		Route{
			ID: "jobs.cancel", Method: post, Path: "/v1/jobs/{id}/cancel", Role: run, Scope: Tenant,
			Changes: yes, Summary: "End a job", group: nil,
		},
		Route{
			ID: "jobs.file", Method: get, Path: "/v1/jobs/{id}/files/{number}", Role: read,
			Scope: Tenant, Changes: no, Summary: "A file of an export: an event a line, as JSON",
			group: nil,
		},
	)
	add(group{name: "stats", register: registerStats},
		Route{
			ID: "stats", Method: get, Path: "/v1/stats", Role: read, Scope: Tenant, Changes: no,
			Summary: "Count events and deliveries by the hour", group: nil,
		},
	)
	add(group{name: "queues", register: registerQueues},
		Route{
			ID: "queues.list", Method: get, Path: "/v1/queues", Role: read, Scope: Operator,
			Changes: no, Summary: "Count the messages in each queue", group: nil,
		},
	)
	add(group{name: "refused", register: registerRefused},
		Route{
			ID: "refused.list", Method: get, Path: "/v1/refused", Role: read, Scope: Tenant,
			Changes: no, Summary: "List requests that were refused", group: nil,
		},
	)
	add(group{name: "try", register: registerTry},
		Route{
			ID: "try", Method: post, Path: "/v1/try", Role: read, Scope: Tenant, Changes: no,
			Summary: "Tell whether subscriptions take an event, and why not", group: nil,
		},
	)
	listeners := group{name: "listeners", register: registerListeners}
	const listener = "/v1/listeners/{id}"
	add(listeners,
		Route{
			ID: "listeners.list", Method: get, Path: "/v1/listeners", Role: read, Scope: Tenant,
			Changes: no, Summary: "List who listens to events", group: nil,
		},
		Route{
			ID: "listeners.create", Method: post, Path: "/v1/listeners", Role: run, Scope: Tenant,
			Changes: yes, Summary: "Listen to events: make a temporary queue for copies of them",
			group: nil,
		},
		Route{
			ID: "listeners.renew", Method: post, Path: listener + "/renew", Role: run,
			Scope: Tenant, Changes: yes,
			Summary: "Let a listener last, and give it new credentials", group: nil,
		},
		Route{
			ID: "listeners.delete", Method: del, Path: listener, Role: run, Scope: Tenant,
			Changes: yes, Summary: "End a listener, with its queue", group: nil,
		},
		Route{
			ID: "listeners.send", Method: post, Path: listener + "/events", Role: run,
			Scope: Tenant, Changes: yes,
			Summary: "Put events on record into the queue of a listener", group: nil,
		},
	)
	add(group{name: keptGroup, register: registerKept},
		Route{
			ID: "listeners.receive", Method: post, Path: listener + "/receive", Role: run,
			Scope: Tenant, Changes: no,
			Summary: "Wait for events of a listener. Only a relay on one machine has this",
			group:   nil,
		},
		Route{
			ID: "listeners.settle", Method: post, Path: listener + "/settle", Role: run,
			Scope: Tenant, Changes: no,
			Summary: "Delete received events, or let them be received again. Only a relay on one machine has this",
			group:   nil,
		},
	)
	return all
}

// keptGroup are the routes by which a listener receives from a relay on one machine.
const keptGroup = "kept"

// Local tells whether only a relay on one machine has the route.
func (r Route) Local() bool { return r.group.name == keptGroup }
