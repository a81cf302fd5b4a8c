// Package console is the web pages for people who run a relay, and for their customers.
//
//	h, err := console.New(console.Config{API: api, Documents: documents})
//	server.Handler = h.Beside(api)
//
// The pages are rendered here and need no script. Every page calls the API in this process, with
// the rights of the session, so the console can do nothing that the API cannot. A GET changes
// nothing. What comes from outside is shown as text only; the Content-Security-Policy lets no
// script run but the one of this package.
//
// The *_templ.go files are generated: go generate ./shared/admin/console.
package console

//go:generate go tool templ generate -log-level error
