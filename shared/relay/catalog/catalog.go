package catalog

import (
	"time"

	"webhook-relay/shared/verify"
)

// Source is who sends us webhooks: a provider or the operator's own application.
type Source struct {
	Name    string        // [a-z0-9][a-z0-9-]{0,62}; the last part of its URL, /in/{name}
	Verify  verify.Config // how its webhooks prove themselves, and where their id and type are
	Secrets []string      // the secrets that are accepted, newest first; empty only for provider "none"
	Order   Order         // what its ordered endpoints have in common, see Catalog.SetOrder

	// LearnUntil is when the window ends in which a handshake may bring the secret. Zero: there is none, or a secret is
	// there already. It is no part of the configuration: Sources sets it, and Store neither reads nor writes it.
	LearnUntil time.Time
}

// Learns tells whether the source's provider hands over its secret in a handshake.
func (s Source) Learns() bool {
	d, _ := verify.Describe(s.Verify.Provider)
	return d.Learns
}

// Endpoint is where webhooks are POSTed to.
type Endpoint struct {
	Name     string            // [a-z0-9][a-z0-9-]{0,62}
	URL      string            // absolute, http or https, without userinfo or fragment
	Secrets  []string          // Standard Webhooks secrets (whsec_… or whsk_…), each signs every request; at least one
	Header   map[string]string // static headers, lower-case names, added to every request
	Timeout  time.Duration     // for one attempt, from dialling to the last byte read; zero: DefaultEndpointTimeout
	Schedule []time.Duration   // waits between attempts; nil: retry.DefaultSchedule; empty: a single attempt

	MaxAge    time.Duration // after acceptance; then a delivery dies and is not tried again; zero: the schedule alone decides
	Final     []string      // answers that no further attempt follows: a status ("404") or a class of them ("4xx")
	RateLimit int           // attempts in each RatePer, over all instances together; 0: no limit
	RatePer   time.Duration // at most an hour; zero: a second

	Concurrency int   // attempts under way at once, over all instances together; 0: no limit
	TLS         *TLS  // nil: the system's authorities, no certificate of the relay's own
	Auth        *Auth // what it wants beside the signature of Standard Webhooks; nil: nothing
	Order       Order // whether its deliveries are made in the order of acceptance

	SecretsMade bool             // Secrets are the relay's own making, which Rotate may change; false: they stand in the operator's file
	Retiring    []RetiringSecret // those that were replaced, the last to end first: each signs every request too, until its time
	Prove       ProofKind        // how it proves itself before it gets anything; "": it need not
}

// DefaultEndpointTimeout is how long an attempt may take at an endpoint that sets no timeout of its own. Standard Webhooks
// recommends 15 to 30 s.
const DefaultEndpointTimeout = 15 * time.Second

// MaxEndpointTimeout bounds an endpoint's timeout: the deliver function's own timeout leaves room for one such attempt
// and its record.
const MaxEndpointTimeout = 30 * time.Second

// Subscription joins a source to an endpoint.
type Subscription struct {
	Source   string
	Endpoint string
	Types    []string // event types, "*" stands for any run of characters; empty: all
	Filter   string   // a filter of package route, JSON; "": none
	Order    Order    // its endpoint's, see Catalog.SetOrder
}

// Catalog is the whole configuration of a relay.
type Catalog struct {
	Sources       []Source
	Endpoints     []Endpoint
	Subscriptions []Subscription // in the operator's order
}
