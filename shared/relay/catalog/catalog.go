package catalog

import (
	"time"

	"webhook-relay/shared/destination"
	"webhook-relay/shared/verify"
)

// Source is one partner that sends us webhooks: a provider or the operator's own application.
type Source struct {
	Name   string        // [a-z0-9][a-z0-9-]{0,62}; the last part of its URL, /in/{name}
	Verify verify.Config // how its webhooks are verified, and where their id and type are
	// Secrets are the accepted secrets, newest first. It is empty only for provider "none", or for
	// a provider that sends its secret in a handshake.
	Secrets []string
	// to whom its events belong; nil: to whom the source belongs
	Tenant *TenantOf

	Types      []EventType // what it sends, by name; none: they are not described
	Validation Validation  // what happens to an event that the schema of its type does not allow
	// Expect is how long the source may be silent before the relay announces it, MinExpect to
	// MaxExpect. Zero: that is learned from how often its webhooks come.
	Expect time.Duration

	// LearnUntil is the end of the window in which a handshake may bring the secret. Zero: no
	// window is open, or there is a secret already. It is not part of the configuration: Sources
	// sets it, and Store neither reads nor writes it.
	LearnUntil time.Time

	ManagedBy Manager // "": ManagedByFile
	Changed   Stamp
}

// MinExpect and MaxExpect are the bounds of Source.Expect. The sweep looks for silent sources once
// an hour.
const (
	MinExpect = time.Hour
	MaxExpect = 30 * 24 * time.Hour
)

// Learns tells whether the source's provider sends its secret in a handshake.
func (s Source) Learns() bool {
	d, _ := verify.Describe(s.Verify.Provider)
	return d.Learns
}

// Endpoint is a URL to which webhooks are POSTed.
type Endpoint struct {
	Name string // [a-z0-9][a-z0-9-]{0,62}
	// absolute, http or https, without userinfo or fragment; or the ARN of a destination
	URL string
	// what package destination needs to know beside the ARN; nil: URL is not an ARN. Otherwise Auth
	// signs with SigV4.
	Destination *destination.Options
	// Standard Webhooks secrets (whsec_… or whsk_…), at least one; each signs every request
	Secrets []string
	Header  map[string]string // static headers, lower-case names, added to every request
	// of one attempt, from dialling to the last byte read; zero: DefaultEndpointTimeout
	Timeout time.Duration
	// waits between attempts; nil: retry.DefaultSchedule; empty: a single attempt
	Schedule []time.Duration

	// counted from acceptance; an older delivery dies; zero: only the schedule decides
	MaxAge time.Duration
	// answers after which no attempt follows: a status ("404") or a class ("4xx")
	Final     []string
	RateLimit int           // attempts in each RatePer, over all instances; 0: no limit
	RatePer   time.Duration // at most an hour; zero: a second

	Concurrency int   // attempts in flight, over all instances; 0: no limit
	TLS         *TLS  // nil: the system's authorities, no client certificate
	Auth        *Auth // authentication beside the signature of Standard Webhooks; nil: none
	Order       Order // whether deliveries keep the order of acceptance

	// the relay made Secrets, and Rotate may change them; false: they are in the operator's file
	SecretsMade bool
	// replaced secrets, the last to end first; each signs every request until its end
	Retiring []RetiringSecret
	Prove    ProofKind // the proof that it must give before its first delivery; "": none
	// Sends are the transforms of what the endpoint gets, by source: specifications of package
	// transform. The webhooks of a source without one are sent as they came.
	Sends map[string]string

	ManagedBy Manager // "": ManagedByFile
	Changed   Stamp
}

// DefaultEndpointTimeout is the timeout of an attempt if the endpoint sets none. Standard Webhooks
// recommends 15 to 30 s.
const DefaultEndpointTimeout = 15 * time.Second

// MaxEndpointTimeout is the longest timeout of an endpoint. One such attempt and its record fit
// into the timeout of the deliver function.
const MaxEndpointTimeout = 30 * time.Second

// Subscription sends a source's events to an endpoint.
type Subscription struct {
	// [a-z0-9][a-z0-9-]{0,62}; unique in its catalog; "" in what is given to Store.ReplaceCatalog
	// means the name that NameSubscriptions gives it
	Name     string
	Source   string
	Endpoint string
	Types    []string // event types, "*" matches any characters; empty: all types
	Filter   string   // a filter of package route, JSON; "": none
	Order    Order    // that of its endpoint; SubscriptionsTo alone sets it

	ManagedBy Manager // "": ManagedByFile
	Changed   Stamp
}

// Catalog is the whole configuration of a relay.
type Catalog struct {
	Sources       []Source
	Endpoints     []Endpoint
	Subscriptions []Subscription // in the operator's order
}
