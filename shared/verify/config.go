package verify

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Config says how a source's webhooks prove themselves. It is part of the catalog: names in JSON are kept.
type Config struct {
	Provider  string   `json:"provider"`            // a name of Providers
	HMAC      *HMAC    `json:"hmac,omitempty"`      // for provider "hmac", required there and refused elsewhere
	EventType *Locator `json:"eventType,omitempty"` // overrides where the provider's event type is
	EventID   *Locator `json:"eventId,omitempty"`   // overrides where the provider's delivery id is
}

// HMAC describes a signature of the form prefix + encoding(HMAC(secret, payload)) in a header. What the payload does not
// sign is refused: a timestamp or an id beside it would look like protection and be none.
type HMAC struct {
	Header    string `json:"header"`              // name of the signature's header
	Algorithm string `json:"algorithm,omitempty"` // sha256 (default), sha1, sha512
	Encoding  string `json:"encoding,omitempty"`  // hex (default; lower case), base64 (standard, padded)
	Prefix    string `json:"prefix,omitempty"`    // before the encoded signature, such as "sha256="

	// Payload is what is signed: "{body}" (default), "{timestamp}.{body}", "{id}.{timestamp}.{body}" or any text around these.
	Payload         string        `json:"payload,omitempty"`
	TimestampHeader string        `json:"timestampHeader,omitempty"` // Unix seconds; goes with {timestamp}
	IDHeader        string        `json:"idHeader,omitempty"`        // goes with {id}; gives the delivery id, unless EventID does
	Tolerance       time.Duration `json:"tolerance,omitempty"`       // both ways; default DefaultTolerance; goes with {timestamp}
}

// Locator says where in a request a value is: exactly one of its fields is set.
type Locator struct {
	Header string `json:"header,omitempty"` // a header's name
	JSON   string `json:"json,omitempty"`   // a path into a JSON body, members separated by dots: "event.kind"
}

// DefaultTolerance is how far a signed timestamp may lie from the time of receipt, in either direction, where the
// provider states nothing else. Stripe's and the Standard Webhooks libraries use the same five minutes.
const DefaultTolerance = 5 * time.Minute

// ErrConfig says that the description itself is wrong; the message says which field and how to mend it.
var ErrConfig = errors.New("verify: configuration")

// wrong names a field as the configuration file does.
func wrong(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrConfig, field, fmt.Sprintf(format, args...))
}

// provider returns the table's entry with all that c adds to it.
func (c Config) provider() (provider, error) {
	p, ok := providers[c.Provider]
	switch {
	case !ok:
		return p, wrong("provider", "%q is unknown; known are %s", c.Provider, strings.Join(Providers(), ", "))
	case c.Provider == describedProvider && c.HMAC == nil:
		return p, wrong("hmac", "missing; provider hmac needs the block, with at least hmac.header")
	case c.Provider != describedProvider && c.HMAC != nil:
		return p, wrong("hmac", "is for provider hmac; provider %s has its own scheme: remove the block", c.Provider)
	}
	if c.HMAC != nil {
		p.scheme = signed{HMAC: *c.HMAC}
		if c.HMAC.IDHeader != "" {
			p.ids = []Locator{{Header: c.HMAC.IDHeader}}
		}
	}
	if c.EventID != nil {
		p.ids = []Locator{*c.EventID}
	}
	if c.EventType != nil {
		p.types = []Locator{*c.EventType}
	}
	return p, errors.Join(c.EventID.check("event_id"), c.EventType.check("event_type"))
}

func (l *Locator) check(field string) error {
	switch {
	case l == nil:
		return nil
	case (l.Header == "") == (l.JSON == ""):
		return wrong(field, "set exactly one of header and json")
	case l.Header != "":
		return checkName(field+".header", l.Header)
	case strings.Contains("."+l.JSON+".", ".."):
		return wrong(field+".json", "%q has an empty member name; write them separated by single dots, as event.kind", l.JSON)
	}
	return nil
}

// checkName refuses what no request could have as a header's name (RFC 9110, section 5.6.2).
func checkName(field, name string) error {
	const nameBytes = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	if strings.Trim(strings.ToLower(name), nameBytes) != "" {
		return wrong(field, "%q is not the name of a header", name)
	}
	return nil
}
