package destination

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"webhook-relay/shared/document"
	"webhook-relay/shared/transform"
)

// Message is what is sent of an event.
type Message struct {
	Event transform.Event // its Data is needed for the envelope JSON
	// Once is the same for all attempts of a delivery, and another one after a replay. Services
	// that drop repeats know them by it. At most 80 of [0-9A-Za-z_-].
	Once     string
	Endpoint string // qualified name
	Attempt  int    // number, 1 for the first
	At       time.Time
	Trace    string // the traceparent of this attempt
	// Shaped is what a transform made. It is sent as it is, without an envelope; nil: there is
	// none.
	Shaped      []byte
	ContentType string            // of Shaped
	Texts       map[string]string // what ParseTexts read, applied
	claimed     bool              // Shaped is a pointer to the content
}

// Request is a request that is still to be signed.
type Request struct {
	Method string
	URL    string
	Header map[string]string // lower-case names
	Body   []byte
	// Prepare is to be sent before this request is repeated, if its Result is Unprepared; nil:
	// nothing can be prepared.
	Prepare *Request

	// For people, where Body and URL do not show it:
	Plain []byte // the content, if Body has it encoded; nil: Body shows it
	Key   string // of an object
}

// ErrTooLarge means that the service takes no message of this size.
var ErrTooLarge = errors.New("destination: too large")

// UnfitError means that the service cannot take this content. It fails until the endpoint or the
// event changes.
type UnfitError struct{ Problem string }

func (e *UnfitError) Error() string { return "destination: " + e.Problem }

// Request returns the request that sends a message. Errors: ErrTooLarge, an *UnfitError.
func (d Destination) Request(m Message, o Options) (Request, error) {
	return d.Kind.must().request(d, m, o)
}

// ParseTexts reads what is a template: the object's key in the address, and the options. Error: a
// *transform.ParseError, whose At is the key in the configuration.
func (d Destination) ParseTexts(o Options) (*transform.Texts, error) {
	texts := map[string]transform.Text{}
	for key, text := range map[string]string{
		"group": o.Group, "detail_type": o.DetailType, "bus_source": o.BusSource,
		"stream": o.Stream,
	} {
		if text != "" {
			texts[key] = transform.Text{Template: text}
		}
	}
	if d.Key != "" {
		texts[keyText] = transform.Text{Template: d.Key, Escape: escapeSegment}
	}
	parsed, err := transform.ParseTexts(texts)
	if failed, ok := errors.AsType[*transform.ParseError](err); ok && failed.At == keyText &&
		failed.Line == 1 {
		failed.Column += len(bucketScheme + d.Name + "/") // counted from the address's beginning
	}
	return parsed, err
}

// NeedsData tells whether Message.Event must have its Data.
func (d Destination) NeedsData(o Options) bool { return d.Envelope(o) == JSON }

// content returns what is sent, and whether it is the envelope.
func (d Destination) content(m Message, o Options) (content []byte, err error) {
	switch {
	case m.Shaped != nil:
		content = m.Shaped
	case d.Envelope(o) == JSON:
		return enclose(m.Event)
	default:
		content = m.Event.Body
	}
	if _, ok := document.Valid(content); d.Kind.must().onlyJSON && (!ok || !utf8.Valid(content)) {
		return nil, &UnfitError{Problem: fmt.Sprintf(
			"%s takes JSON only, and this is not JSON; set envelope: json", d.Kind,
		)}
	}
	return content, nil
}

// enclose returns the envelope JSON. A body without a document is in body, or in bodyBase64 if it
// is not text.
func enclose(e transform.Event) ([]byte, error) {
	if e.Opaque {
		return nil, &UnfitError{
			Problem: "the event's document exceeds a limit, so it was not read; set envelope: raw",
		}
	}
	b := e.JSON()
	if len(e.Data) > 0 || len(e.Body) == 0 {
		return b, nil
	}
	b = b[:len(b)-1]
	if utf8.Valid(e.Body) {
		b = append(b, `,"body":`...)
		b = document.AppendQuoted(b, string(e.Body))
	} else {
		b = append(b, `,"bodyBase64":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, e.Body), '"')
	}
	return append(b, '}'), nil
}

// tooLarge returns ErrTooLarge with its numbers if size is above the limit.
func (d Destination) tooLarge(size, limit int) error {
	if size <= limit {
		return nil
	}
	return fmt.Errorf(
		"%w: it has %d bytes, and %s takes at most %d", ErrTooLarge, size, d.Kind, limit,
	)
}

// The names of attributes, which are those of the headers that endpoints get.
const (
	attributeID       = "webhook-id"
	attributeSource   = "relay-source"
	attributeType     = "relay-event-type"
	attributeTrust    = "relay-trust"
	attributeAttempt  = "relay-attempt"
	attributeTrace    = "traceparent"
	attributeContent  = "content-type"
	attributeEncoding = "relay-encoding"
	attributeClaim    = "relay-claim"
)

// attributes returns what is known of a message beside its content. SQS takes at most ten.
func (m Message) attributes() map[string]string {
	all := map[string]string{
		attributeID: m.Event.ID, attributeSource: m.Event.Source, attributeType: m.Event.Type,
		attributeTrust: m.Event.Trust, attributeAttempt: strconv.Itoa(m.Attempt),
		attributeTrace: m.Trace, attributeContent: m.contentType(),
	}
	if m.claimed {
		all[attributeClaim] = ClaimS3
	}
	maps.DeleteFunc(all, func(_, value string) bool {
		return value == "" || !isXMLText(value)
	})
	return all
}

func (m Message) contentType() string {
	if m.Shaped != nil {
		return m.ContentType
	}
	return m.Event.Header[attributeContent]
}

// text returns content as a text that SQS and SNS take: they refuse empty texts and characters
// outside XML's range. Any other content is encoded, and the attributes say so.
func text(content []byte, attributes map[string]string) string {
	switch {
	case len(content) == 0:
		attributes[attributeEncoding] = "empty"
		return " "
	case isXMLText(string(content)):
		return string(content)
	default:
		attributes[attributeEncoding] = "base64"
		return base64.StdEncoding.EncodeToString(content)
	}
}

// isXMLText tells whether a text has only characters that SQS takes:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
func isXMLText(s string) bool {
	for i, r := range s {
		switch {
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		case r == '\t', r == '\n', r == '\r', r >= ' ' && r <= 0xD7FF, r >= 0xE000 && r <= 0xFFFD,
			r >= 0x10000:
		default:
			return false
		}
	}
	return true
}

// object writes an object in JSON, member by member.
type object []byte

func newObject() object { return object{'{'} }

func (o object) key(name string) object {
	if o[len(o)-1] != '{' {
		o = append(o, ',')
	}
	return append(document.AppendQuoted(o, name), ':')
}

func (o object) text(name, value string) object {
	return document.AppendQuoted(o.key(name), value)
}

func (o object) raw(name string, value []byte) object { return append(o.key(name), value...) }

func (o object) end() []byte { return append(o, '}') }

// sortedKeys returns the keys of a map in their order.
func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
