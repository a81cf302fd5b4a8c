package verify

import (
	"errors"
	"time"
)

// Header holds a request's headers: lower-case names, and for each its value. A header that was sent several times
// has its values joined by ",", as API Gateway's payload 2.0 does.
type Header map[string]string

// Request is an inbound webhook, as far as verification needs it.
type Request struct {
	Header     Header
	Body       []byte    // raw bytes
	ReceivedAt time.Time // freshness is judged against this, not against the time of processing
}

// Config says how a source's webhooks prove themselves. It is part of the catalog: names in JSON are kept.
type Config struct {
	Provider  string   `json:"provider"`            // a name of Providers
	HMAC      *HMAC    `json:"hmac,omitempty"`      // for provider "hmac", required there and refused elsewhere
	EventType *Locator `json:"eventType,omitempty"` // overrides where the provider's event type is
	EventID   *Locator `json:"eventId,omitempty"`   // overrides where the provider's delivery id is
}

// HMAC describes a signature of the form prefix + encoding(HMAC(secret, payload)) in a header.
type HMAC struct {
	Header          string        `json:"header"`                    // name of the signature's header
	Algorithm       string        `json:"algorithm,omitempty"`       // sha256 (default), sha1, sha512
	Encoding        string        `json:"encoding,omitempty"`        // hex (default), base64
	Prefix          string        `json:"prefix,omitempty"`          // before the encoded signature, such as "sha256="
	Payload         string        `json:"payload,omitempty"`         // what is signed: "{body}" (default), "{timestamp}.{body}", "{id}.{timestamp}.{body}"
	TimestampHeader string        `json:"timestampHeader,omitempty"` // Unix seconds; required if the payload names {timestamp}
	IDHeader        string        `json:"idHeader,omitempty"`        // required if the payload names {id}
	Tolerance       time.Duration `json:"tolerance,omitempty"`       // both ways; default DefaultTolerance
}

// Locator says where in a request a value is: exactly one of its fields is set.
type Locator struct {
	Header string `json:"header,omitempty"` // a header's name
	JSON   string `json:"json,omitempty"`   // a path into a JSON body, members separated by dots: "event.kind"
}

// DefaultTolerance is how far a signed timestamp may lie from the time of receipt, in either direction, where the
// provider states nothing else. Stripe's and the Standard Webhooks libraries use the same five minutes.
const DefaultTolerance = 5 * time.Minute

// Why a request was refused. Compare with errors.Is.
var (
	ErrMissing   = errors.New("verify: signature missing")               // a header that the scheme needs is absent or empty
	ErrMalformed = errors.New("verify: signature malformed")             // present, but not of the scheme's form
	ErrRepeated  = errors.New("verify: signature header repeated")       // a header that the scheme needs was sent more than once
	ErrMismatch  = errors.New("verify: signature does not match")        // no secret makes it
	ErrStale     = errors.New("verify: timestamp too old")               // older than the tolerance
	ErrFuture    = errors.New("verify: timestamp too far in the future") // further ahead than the tolerance
)

// ErrConfig: the description itself is wrong; the message says which field and how to mend it.
var ErrConfig = errors.New("verify: configuration")

// Result is what a verified request says of itself.
type Result struct {
	DeliveryID string // the provider's id of this webhook, the same when it is sent again; "" where it has none
	EventType  string // "" where it has none
}
