package transform

// cloudevents is the structured mode of CloudEvents 1.0.2, or its binary mode, in which the body
// stays as it came. https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
var cloudevents = preset{
	options: []option{
		{name: "mode", means: "structured (the default) or binary"},
		{name: "id", means: "{id} by default"},
		{name: "source", means: "the attribute source; /in/{source} by default"},
		{name: "type", means: "the attribute type; {type} by default"},
		{name: "subject", means: "what the event is about; none by default"},
		{name: "time", means: "{time} by default"},
		{name: "data", means: "any JSON, in structured mode; {data} by default"},
	},
	build: func(b *builder) (node, string) {
		if b.binary() {
			if b.has("data") {
				refuse("data", "in binary mode the body stays as it came; use the mode structured")
			}
			return nil, ""
		}
		object := objectNode{{name: "specversion", node: words("1.0")}}
		for _, a := range b.cloudAttributes() {
			object = append(object, member{name: a.name, node: a.text, optional: true})
		}
		if b.has("data") {
			object = append(object, contentType("application/json"),
				member{name: "data", node: b.any("data", "")})
		} else {
			object = append(object,
				member{
					name: "datacontenttype", node: valueNode{attribute(dataType)}, optional: true,
				},
				member{name: "data", node: b.any("data", "{data}"), optional: true},
				member{name: "data_base64", node: base64Body{}, optional: true})
		}
		return object, "application/cloudevents+json; charset=utf-8"
	},
	head: func(b *builder) []parameter {
		if !b.binary() {
			return nil
		}
		headers := []parameter{{
			name: "ce-specversion", text: &textNode{pieces: []piece{{literal: "1.0"}}},
		}}
		for _, a := range b.cloudAttributes() {
			a.text.escape = escapeCloudHeader
			headers = append(headers, parameter{name: "ce-" + a.name, text: a.text})
		}
		return headers
	},
}

func contentType(s string) member { return member{name: "datacontenttype", node: words(s)} }

func (b *builder) binary() bool {
	raw := b.spec["mode"]
	if raw == nil {
		return false
	}
	mode := b.string("mode", raw)
	if mode != "structured" && mode != "binary" {
		refuse("mode", "%q is not known; there are structured and binary", mode)
	}
	return mode == "binary"
}

// cloudAttributes are the attributes of an event. The specification demands of id, source and type
// that they are not empty.
func (b *builder) cloudAttributes() []parameter {
	const longest = 1024
	text := func(option, fallback string) *textNode {
		return b.in(plain, option, longest, fallback)
	}
	return []parameter{
		{name: "id", text: text("id", "{id}").or("–")},
		{name: "source", text: text("source", "/in/{source}").or("/")},
		{name: "type", text: text("type", "{type}").or("webhook")},
		{name: "subject", text: text("subject", "")},
		{name: "time", text: text("time", "{time}")},
	}
}

// escapeCloudHeader percent-encodes what a header of the binary mode cannot have (section 3.1.3.2
// of the HTTP binding).
func escapeCloudHeader(b []byte, r rune) []byte {
	if r > ' ' && r < 0x7F && r != '"' && r != '%' {
		return append(b, byte(r))
	}
	const digits = "0123456789ABCDEF"
	for _, c := range []byte(string(r)) {
		b = append(b, '%', digits[c>>4], digits[c&15])
	}
	return b
}

// eventbridge is an event as EventBridge hands it to its targets.
// https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html
var eventbridge = preset{
	options: []option{
		{name: "detail_type", means: "{type} by default"},
		{name: "source", means: "the field source; relay.{source} by default"},
		{name: "account", means: "an account's id; 000000000000 by default"},
		{name: "region", means: "a region; us-east-1 by default"},
		{name: "detail", means: "any JSON; {data} by default"},
	},
	build: func(b *builder) (node, string) {
		const longest = 256
		text := func(option, fallback string) *textNode {
			return b.in(plain, option, longest, fallback)
		}
		return objectNode{
			{name: "version", node: words("0")},
			{name: "id", node: &textNode{pieces: b.pieces("", "{id}")}},
			{name: "detail-type", node: text("detail_type", "{type}").or("webhook")},
			{name: "source", node: text("source", "relay.{source}").or("relay")},
			{name: "account", node: text("account", "000000000000")},
			{name: "time", node: &textNode{pieces: b.pieces("", "{time | date}")}},
			{name: "region", node: text("region", "us-east-1")},
			{name: "resources", node: literal("[]")},
			{name: "detail", node: object{b.any("detail", "{data}")}},
		}, "application/json"
	},
}
