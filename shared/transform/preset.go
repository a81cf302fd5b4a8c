package transform

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"webhook-relay/shared/document"
)

// preset is a template for a known receiver.
type preset struct {
	options []option
	// build returns the body and its content type; a nil node: the body stays as it came.
	build func(b *builder) (node, string)
	// head returns the headers of the request; nil: none.
	head func(b *builder) []parameter
}

func (p preset) headers(b *builder) []parameter {
	if p.head == nil {
		return nil
	}
	return p.head(b)
}

// option is a key of a preset.
type option struct {
	name     string
	required bool
	means    string
}

// Option describes a key of a preset.
type Option struct {
	Name     string
	Required bool
	Means    string
}

// Presets returns the options of each preset, by the preset's name.
func Presets() map[string][]Option {
	out := map[string][]Option{}
	for name, p := range presets() {
		for _, o := range p.options {
			described := Option{Name: o.name, Required: o.required, Means: o.means}
			out[name] = append(out[name], described)
		}
	}
	return out
}

// presets returns the presets by their names. They are made only when a specification names one.
func presets() map[string]preset {
	return map[string]preset{
		"slack": slack, "discord": discord, "teams": teams, "pagerduty": pagerduty,
		"cloudevents": cloudevents, "eventbridge": eventbridge,
	}
}

// style is how a receiver's texts are written.
type style struct {
	escape func(b []byte, r rune) []byte
	size   func(unit []byte) int
}

// has tells whether the specification has an option.
func (b *builder) has(name string) bool { return b.spec[name] != nil }

// in reads the text of an option in a style, shortened to a limit. fallback is the text of an
// option that is not given, and of an empty result.
func (b *builder) in(s style, name string, limit int, fallback string) *textNode {
	text := &textNode{pieces: b.pieces(name, fallback)}
	if raw := b.spec[name]; raw != nil {
		text = b.text(name, raw)
	}
	text.escape, text.size, text.limit = s.escape, s.size, limit
	return text
}

// or sets what stands for an empty text.
func (n *textNode) or(empty string) *textNode {
	n.empty = empty
	return n
}

// choice reads a text that must be one of a few words. A literal is checked at once. Another value
// at run time becomes the fallback, "" being an error.
func (b *builder) choice(name, given, fallback string, words ...string) node {
	text := &textNode{pieces: b.pieces(name, given)}
	if raw := b.spec[name]; raw != nil {
		text = b.text(name, raw)
	}
	if p := text.pieces; len(p) == 1 && p[0].expr == nil && !slices.Contains(words, p[0].literal) {
		refuse(name, "%q is not known; there are %s", p[0].literal, strings.Join(words, ", "))
	}
	return choiceNode{name: name, text: text, words: words, fallback: fallback}
}

type choiceNode struct {
	name     string
	text     *textNode
	words    []string
	fallback string
}

func (n choiceNode) write(r *run) (bool, error) {
	word, err := n.text.text(r)
	if err != nil {
		return false, err
	}
	if !slices.Contains(n.words, word) {
		if n.fallback == "" {
			return false, failf("%s: %s is not one of %s", n.name, show(textValue(word)),
				strings.Join(n.words, ", "))
		}
		word = n.fallback
	}
	r.out = document.AppendQuoted(r.out, word)
	return true, r.check()
}

// link reads an option that is a link. It is left out unless it is http or https.
func (b *builder) link(name string) node {
	if !b.has(name) {
		return absent{}
	}
	return linkNode{b.text(name, b.spec[name])}
}

type linkNode struct{ text *textNode }

func (n linkNode) write(r *run) (bool, error) {
	const longest = 2048
	text, err := n.text.text(r)
	if err != nil {
		return false, err
	}
	ok := strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
	if !ok || len(text) > longest || strings.ContainsFunc(text, func(c rune) bool {
		return c <= ' ' || c == 0x7F || c == '<' || c == '>' || c == '"'
	}) {
		return absent{}.write(r)
	}
	r.out = document.AppendQuoted(r.out, text)
	return true, r.check()
}

// absent is a value that is not there.
type absent struct{}

func (absent) write(r *run) (bool, error) {
	r.out = append(r.out, "null"...)
	return false, nil
}

// labelled reads the option fields: texts with labels, in their order.
func (b *builder) labelled(s style, most, label, value int) []field {
	var fields []field
	for name, text := range b.texts("fields") {
		if len(fields) == most {
			refuse("fields", "there are more than %d", most)
		}
		if n := utf8.RuneCountInString(name); n == 0 || n > label {
			refuse("fields."+name, "its name has %d characters; it can have 1 to %d", n, label)
		}
		text.escape, text.size, text.limit = s.escape, s.size, value
		fields = append(fields, field{label: name, text: text.or("–")})
	}
	return fields
}

// field is a text with a label. A receiver refuses an empty one, so it has a dash.
type field struct {
	label string
	text  *textNode
}

// any reads an option that may be any JSON.
func (b *builder) any(name, fallback string) node {
	if raw := b.spec[name]; raw != nil {
		return b.node(name, raw)
	}
	return leaf(&textNode{pieces: b.pieces(name, fallback)})
}

// words returns JSON for a fixed text.
func words(s string) literal { return document.AppendQuoted(nil, s) }

// bounded is a value that is replaced if it takes too many bytes.
type bounded struct {
	node  node
	bytes int
}

func (n bounded) write(r *run) (bool, error) {
	begin := len(r.out)
	present, err := n.node.write(r)
	if size := len(r.out) - begin; err == nil && size > n.bytes {
		r.out = document.AppendQuoted(r.out[:begin], fmt.Sprintf(
			"left out: it has %d bytes, at most %d fit", size, n.bytes,
		))
	}
	return present, err
}

// object makes a value an object: another value becomes its member "value".
type object struct{ node node }

func (n object) write(r *run) (bool, error) {
	begin := len(r.out)
	present, err := n.node.write(r)
	if err != nil || document.First(r.out[begin:]) == '{' {
		return present, err
	}
	inner := slices.Clone(r.out[begin:])
	r.out = append(append(append(r.out[:begin], `{"value":`...), inner...), '}')
	return true, r.check()
}

// whole is an object of one member, left out if that has no value.
type whole struct {
	begin string // the object up to the value
	value node
}

func (n whole) write(r *run) (bool, error) {
	begin := len(r.out)
	r.out = append(r.out, n.begin...)
	present, err := n.value.write(r)
	if err != nil || !present {
		r.out = r.out[:begin]
		return false, err
	}
	r.out = append(r.out, '}')
	return true, r.check()
}

// base64Body is the event's body, where it has no document.
type base64Body struct{}

func (base64Body) write(r *run) (bool, error) {
	if len(r.event.Data) > 0 || len(r.event.Body) == 0 {
		return absent{}.write(r)
	}
	if base64.StdEncoding.EncodedLen(len(r.event.Body)) > MaxOutput {
		return false, errTooLarge
	}
	r.out = append(r.out, '"')
	r.out = base64.StdEncoding.AppendEncode(r.out, r.event.Body)
	r.out = append(r.out, '"')
	return true, r.check()
}

// dataType is the content type of the event's document, or of its body if it has none.
func dataType(e *Event) value {
	if len(e.Data) > 0 {
		return textValue("application/json")
	}
	return textOrNothing(e.Header["content-type"])
}
