package verify

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"webhook-relay/shared/document"
)

// cloudEventsPrefix is the prefix of the headers that hold an event's attributes in binary mode.
const cloudEventsPrefix = "ce-"

// The media types of CloudEvents whose body holds the attributes too.
const (
	cloudEventsMedia = "application/cloudevents+json"
	cloudEventsBatch = "application/cloudevents-batch+json"
)

// cloudEventsValue returns the attribute in a header. It removes the quotes that senders before
// version 1.0.1 write, and then percent-decodes once (CloudEvents, HTTP binding 1.0.2, section
// 3.1.3.2). Text that is not well-formed stays as it is.
func cloudEventsValue(header string) string {
	if len(header) >= 2 && header[0] == '"' && header[len(header)-1] == '"' {
		header = unquoted(header[1 : len(header)-1])
	}
	if !strings.Contains(header, "%") {
		return header
	}
	if decoded, err := url.PathUnescape(header); err == nil {
		return decoded
	}
	return header
}

// unquoted removes the escapes of a quoted string (RFC 9110, section 5.6.4).
func unquoted(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// cloudEventsID returns the id of a request in structured mode, or of a batch. JSON of any other
// media type has no id.
func cloudEventsID(r Request) string {
	switch mediaOf(r) {
	case cloudEventsMedia:
		id, source := document.Value(r.Body, "id"), document.Value(r.Body, "source")
		if id != "" && source != "" && !isTestID(id) {
			return hash256([]byte(strconv.Quote(id) + strconv.Quote(source))) // as in binary mode
		}
	case cloudEventsBatch:
		return hash256(r.Body)
	}
	return ""
}

// cloudEventsType returns the type of a batch's first event.
func cloudEventsType(r Request) string {
	if mediaOf(r) != cloudEventsBatch {
		return ""
	}
	return document.Value(r.Body, "0", "type")
}

// mediaOf returns the media type of a request in lower case, without parameters.
func mediaOf(r Request) string {
	media, _, _ := strings.Cut(r.Header["content-type"], ";")
	return strings.ToLower(strings.TrimSpace(media))
}

// shopifyID returns the id of a Shopify Event, whose headers have other names, or of a webhook
// without an event's id.
func shopifyID(r Request) string {
	event, topic := r.Header["shopify-event-id"], r.Header["shopify-topic"]
	if event != "" && topic != "" {
		return hash256([]byte(strconv.Quote(event) + strconv.Quote(topic)))
	}
	return cmp.Or(r.Header["x-shopify-webhook-id"], r.Header["shopify-webhook-id"])
}
