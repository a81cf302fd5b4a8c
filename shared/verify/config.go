package verify

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"webhook-relay/shared/document"
)

// Config says how a source's webhooks are verified. The catalog stores it: do not rename the JSON
// fields.
type Config struct {
	Provider string `json:"provider"` // a name of Providers
	// for provider "hmac", required there and refused elsewhere
	HMAC *HMAC `json:"hmac,omitempty"`
	// replaces the place of the provider's event type
	EventType *Locator `json:"eventType,omitempty"`
	// replaces the place of the provider's delivery id
	EventID *Locator `json:"eventId,omitempty"`
	// OnceBody: the signed bytes identify a webhook, whatever its delivery id; "": the id does
	Once string `json:"once,omitempty"`
	// the source's URL as the provider knows it; required if the provider signs it, refused
	// otherwise
	URL string `json:"url,omitempty"`
	// addresses or CIDR ranges that may send; the proof is checked as well; none: all
	AllowedIPs []string `json:"allowedIps,omitempty"`

	// Settings are further values that the provider needs, by the names in its Description. They
	// may hold secrets: a catalog must encrypt them as it does the secrets.
	Settings map[string]string `json:"settings,omitempty"`
}

// HMAC describes a signature of the form prefix + encoding(HMAC(secret, payload)) in a header. A
// timestamp or an id that the payload does not sign is refused, because it would look like
// protection and be none.
type HMAC struct {
	Header    string `json:"header"`              // name of the signature's header
	Algorithm string `json:"algorithm,omitempty"` // sha256 (default), sha1, sha512
	// hex (default), base64 (standard, padded), base64url (not padded), upper-hex; hex is read in
	// either case
	Encoding string `json:"encoding,omitempty"`
	// how a secret carries the key: its bytes (default), hex, base64, whsec
	Key    string `json:"key,omitempty"`
	Prefix string `json:"prefix,omitempty"` // before the encoded signature, such as "sha256="

	// Payload is the signed text: "{body}" (default), "{timestamp}.{body}",
	// "{id}.{timestamp}.{body}" or any text around these. {url} is Config.URL, whose query the
	// request must have. {method} is the request's method.
	Payload         string `json:"payload,omitempty"`
	TimestampHeader string `json:"timestampHeader,omitempty"` // required with {timestamp}
	// path of a time in the body, which is signed with the body; in place of TimestampHeader
	TimestampJSON string `json:"timestampJson,omitempty"`
	// s (default: Unix seconds), ms (Unix milliseconds), rfc3339, utc (the same without offset),
	// unix (seconds or milliseconds, by their length), http (as the header Date)
	TimestampFormat string `json:"timestampFormat,omitempty"`
	// required with {id}; it is the delivery id, unless EventID is set
	IDHeader string `json:"idHeader,omitempty"`
	// in both directions; default DefaultTolerance; Unlimited: any age; only with a timestamp
	Tolerance time.Duration `json:"tolerance,omitempty"`
}

// Locator says where a value is in a request. Exactly one of its fields is set.
type Locator struct {
	Header string `json:"header,omitempty"` // a header's name
	// a path into a JSON body: "event.kind", or "/event.kind" for one member with a dot in its
	// name; "0" is an array's first element
	JSON string `json:"json,omitempty"`
	// the hash of the whole body, for a delivery id: the same body twice is one webhook
	Body bool `json:"body,omitempty"`
}

// OnceBody is the value of Config.Once for providers that sign neither the delivery id nor the
// time. Requests with the same signed bytes are one webhook, so a copy cannot be sent again under
// another id. If the provider sends a new webhook with the same body, it counts as a copy too.
const OnceBody = "body"

// DefaultTolerance is how far a signed timestamp may differ from the time of receipt, in either
// direction, if the provider states nothing else. Stripe and the Standard Webhooks libraries use
// the same five minutes.
const DefaultTolerance = 5 * time.Minute

// Unlimited is the tolerance for senders that keep the first signature when they send again hours
// later. A time in the future is still refused, beyond DefaultTolerance.
const Unlimited = time.Duration(math.MaxInt64)

// ErrConfig says that the configuration is wrong. The message names the field and how to correct
// it.
var ErrConfig = errors.New("verify: configuration")

// wrong returns an ErrConfig that names the field as the configuration file does.
func wrong(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrConfig, field, fmt.Sprintf(format, args...))
}

// provider returns the table's entry, changed by what c sets.
func (c Config) provider() (provider, error) {
	p, ok := lookUp(c.Provider)
	switch {
	case !ok:
		return p, unknownProvider(c.Provider)
	case c.Provider == describedProvider && c.HMAC == nil:
		return p, wrong("hmac", "missing; provider hmac needs the block, with at least hmac.header")
	case p.onceBy && c.EventID != nil:
		return p, wrong("event_id",
			"%s signs the delivery id in place of the event, so with another id copies of a webhook could come with "+
				"any event; remove it", p.title)
	case c.Provider != describedProvider && c.HMAC != nil:
		return p, wrong(
			"hmac", "is for provider hmac; provider %s has its own scheme: remove the block",
			c.Provider,
		)
	}
	if c.HMAC != nil {
		p.scheme = signed{HMAC: *c.HMAC}
		if c.HMAC.IDHeader != "" {
			p.ids = []Locator{{Header: c.HMAC.IDHeader}}
		}
		if strings.Contains(c.HMAC.Payload, placeURL) {
			p.needsURL = "signs {url}"
		}
	}
	if c.EventID != nil {
		p.ids, p.allIDs, p.idBy = []Locator{*c.EventID}, false, nil
	}
	if c.EventType != nil {
		p.types, p.orType, p.typeBy = []Locator{*c.EventType}, Locator{}, typeBy{}
	}
	return p, errors.Join(
		c.EventID.check("event_id"), c.EventType.check("event_type"), c.EventType.checkNoBody(),
		p.checkSettings(c), p.checkOnce(c.Once),
	)
}

// checkOnce refuses a Config.Once that has no effect or does harm.
func (p provider) checkOnce(once string) error {
	covers := p.scheme.covers()
	switch {
	case once == "":
		return nil
	case once != OnceBody:
		return wrong("once", "%q is unknown; there is %s", once, OnceBody)
	case covers.hasAll(p.ids):
		return wrong(
			"once",
			"%s makes its delivery ids from what it signs, so copies are recognised already; remove it",
			p.title,
		)
	case !covers.body:
		return wrong("once",
			"%s does not sign the body, so a copy can come with another body; remove it, or use event_id: {body: true} "+
				"against webhooks that are sent twice", p.title)
	}
	return nil
}

func unknownProvider(name string) error {
	all := Providers()
	near := slices.DeleteFunc(slices.Clone(all), func(p string) bool {
		return len(name) < 2 || p[:min(2, len(p))] != name[:2]
	})
	if len(near) > 0 {
		return wrong(
			"provider", "%q is unknown; similar names are %s; all %d are in docs/providers.md",
			name,
			strings.Join(near, ", "), len(all),
		)
	}
	return wrong("provider", "%q is unknown; all %d are in docs/providers.md", name, len(all))
}

// allowedIPs parses AllowedIPs. A single address is a range of one.
func (c Config) allowedIPs() ([]netip.Prefix, error) {
	var allowed []netip.Prefix
	for i, text := range c.AllowedIPs {
		p, err := netip.ParsePrefix(text)
		if ip, single := netip.ParseAddr(text); single == nil {
			p, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return nil, wrong(
				fmt.Sprintf("allowed_ips[%d]", i),
				"%q is neither an address nor a range such as 192.0.2.0/24", text,
			)
		}
		allowed = append(allowed, p.Masked())
	}
	return allowed, nil
}

func (l *Locator) check(field string) error {
	switch {
	case l == nil:
		return nil
	case l.count() != 1:
		return wrong(field, "set exactly one of header and json")
	case l.Header != "":
		return checkName(field+".header", l.Header)
	case document.CheckPath(l.JSON) != nil && !l.Body:
		return wrong(field+".json", "%v", document.CheckPath(l.JSON))
	}
	return nil
}

// count returns how many of the fields are set.
func (l *Locator) count() (n int) {
	for _, set := range []bool{l.Header != "", l.JSON != "", l.Body} {
		if set {
			n++
		}
	}
	return n
}

func (l *Locator) checkNoBody() error {
	if l != nil && l.Body {
		return wrong("event_type.body", "a hash cannot be an event type; set header or json")
	}
	return nil
}

// checkName refuses a text that cannot be the name of a header (RFC 9110, section 5.6.2).
func checkName(field, name string) error {
	const nameBytes = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	if strings.Trim(strings.ToLower(name), nameBytes) != "" {
		return wrong(field, "%q is not the name of a header", name)
	}
	return nil
}
