// Package admin serves the relay's API under /v1, for operators and for tenants.
//
//	handler, err := admin.New(admin.Config{…})
//
// [Routes] is the one table of all routes. Each route says which role it needs and whether it
// belongs to a tenant. The requests of strangers, of lower roles and of other tenants are refused
// before a handler runs, so no handler can forget to. Tests and the page docs/api.md are made from
// the same table.
//
// A handler gets its tenant's stores from the request, never by a name that the request brings. So
// it cannot read what belongs to another tenant.
//
// The operations of a group of routes are registered when the group gets its first request. A cold
// start of a function pays for the groups that it uses only. The OpenAPI document is made by a test
// and embedded.
//
// The handler needs no state of its own between requests and is safe for concurrent use.
package admin
