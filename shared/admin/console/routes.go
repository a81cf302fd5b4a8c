package console

import "net/http"

// pages returns a site's pages by their patterns below the root.
func pages(all map[string]pageHandler) *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, page := range all {
		mux.Handle(pattern, page)
	}
	return mux
}

// portalPages are those of the portals.
func portalPages() *http.ServeMux {
	return pages(map[string]pageHandler{
		"GET /{$}":     (*visit).portalEndpoints,
		"POST /logout": (*visit).logout,

		"GET /endpoints":                (*visit).portalEndpoints,
		"POST /endpoints":               (*visit).createPortalEndpoint,
		"GET /endpoints/new":            (*visit).newPortalEndpoint,
		"GET /endpoints/{name}":         (*visit).portalEndpoint,
		"GET /endpoints/{name}/edit":    (*visit).editPortalEndpoint,
		"POST /endpoints/{name}/edit":   (*visit).savePortalEndpoint,
		"GET /endpoints/{name}/delete":  (*visit).askDeletePortalEndpoint,
		"POST /endpoints/{name}/delete": (*visit).deletePortalEndpoint,
		"GET /endpoints/{name}/rotate":  (*visit).askRotate,
		"POST /endpoints/{name}/rotate": (*visit).rotate,
		"POST /endpoints/{name}/pause":  act("pause", "paused"),
		"POST /endpoints/{name}/resume": act("resume", "resumed"),
		"POST /endpoints/{name}/ping":   act("ping", "pinged"),

		"GET /events":                (*visit).events,
		"GET /events/{id}":           (*visit).event,
		"GET /events/{id}/body":      (*visit).eventBody,
		"GET /events/{id}/to/{name}": (*visit).request,
		"GET /events/{id}/again":     (*visit).askAgain,
		"POST /events/{id}/again":    (*visit).again,
	})
}

// consolePages are those of the console.
func consolePages() *http.ServeMux {
	mux := pages(map[string]pageHandler{
		"GET /{$}":            (*visit).overview,
		"POST /logout":        (*visit).logout,
		"GET /changes":        (*visit).changes,
		"GET /changes/verify": (*visit).verifyChanges,

		"GET /sources":        (*visit).sources,
		"POST /sources":       (*visit).createSource,
		"GET /sources/new":    (*visit).newSource,
		"GET /sources/{name}": (*visit).source,

		"GET /endpoints":                (*visit).endpoints,
		"POST /endpoints":               (*visit).createEndpoint,
		"GET /endpoints/new":            (*visit).newEndpoint,
		"GET /endpoints/{name}":         (*visit).endpoint,
		"GET /endpoints/{name}/edit":    (*visit).editEndpoint,
		"POST /endpoints/{name}/edit":   (*visit).saveEndpoint,
		"GET /endpoints/{name}/rotate":  (*visit).askRotate,
		"POST /endpoints/{name}/rotate": (*visit).rotate,
		"POST /endpoints/{name}/pause":  act("pause", "paused"),
		"POST /endpoints/{name}/resume": act("resume", "resumed"),
		"POST /endpoints/{name}/ping":   act("ping", "pinged"),

		"GET /subscriptions":              (*visit).subscriptions,
		"POST /subscriptions":             (*visit).createSubscription,
		"GET /subscriptions/new":          (*visit).newSubscription,
		"GET /subscriptions/{name}":       (*visit).subscription,
		"GET /subscriptions/{name}/edit":  (*visit).editSubscription,
		"POST /subscriptions/{name}/edit": (*visit).saveSubscription,
		"GET /subscriptions/{name}/try":   (*visit).try,

		"GET /events":                (*visit).events,
		"GET /events/{id}":           (*visit).event,
		"GET /events/{id}/body":      (*visit).eventBody,
		"GET /events/{id}/to/{name}": (*visit).request,
		"GET /events/{id}/again":     (*visit).askAgain,
		"POST /events/{id}/again":    (*visit).again,

		"GET /dead":                     (*visit).dead,
		"GET /replay":                   (*visit).replay,
		"GET /jobs":                     (*visit).jobs,
		"POST /jobs":                    (*visit).planJob,
		"GET /jobs/{id}":                (*visit).job,
		"GET /jobs/{id}/run":            (*visit).askJob,
		"POST /jobs/{id}/run":           jobAction("run", "running"),
		"POST /jobs/{id}/cancel":        jobAction("cancel", "cancelled"),
		"GET /jobs/{id}/files/{number}": (*visit).jobFile,

		"GET /configuration":        (*visit).configuration,
		"POST /configuration":       (*visit).planConfiguration,
		"POST /configuration/apply": (*visit).applyConfiguration,
		"GET /configuration/file":   (*visit).exportFile,

		"GET /listeners":           (*visit).listeners,
		"GET /listeners/{id}/end":  (*visit).askEndListener,
		"POST /listeners/{id}/end": (*visit).endListener,

		"GET /tokens":              (*visit).tokens,
		"POST /tokens":             (*visit).createToken,
		"GET /tokens/{id}/revoke":  (*visit).askRevoke,
		"POST /tokens/{id}/revoke": (*visit).revoke,

		"GET /tenants":              (*visit).tenants,
		"POST /tenants":             (*visit).createTenant,
		"GET /tenants/{id}":         (*visit).tenantPage,
		"POST /tenants/{id}":        (*visit).saveTenant,
		"GET /tenants/{id}/delete":  (*visit).askDeleteTenant,
		"POST /tenants/{id}/delete": (*visit).deleteTenant,
		"POST /tenants/{id}/portal": (*visit).linkToPortal,
		"GET /tenants/{id}/end":     (*visit).askEndPortal,
		"POST /tenants/{id}/end":    (*visit).endPortal,
	})
	for _, k := range kinds {
		k.register(mux)
	}
	return mux
}
