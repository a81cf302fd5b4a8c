package console

// routes registers the pages, by their paths below the base.
func (s *server) routes() {
	for pattern, page := range map[string]pageHandler{
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

		"GET /events":             (*visit).events,
		"GET /events/{id}":        (*visit).event,
		"GET /events/{id}/body":   (*visit).eventBody,
		"GET /events/{id}/again":  (*visit).askAgain,
		"POST /events/{id}/again": (*visit).again,

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
	} {
		s.pages.Handle(pattern, page)
	}
	for _, k := range kinds {
		k.routes(s)
	}
}
