package transform

import (
	"maps"
	"slices"

	"webhook-relay/shared/document"
)

// Texts are templates of texts, by name. They do not change, so they are safe for concurrent use.
type Texts struct {
	places *document.Places
	texts  map[string]*textNode
}

// Text is a template of a text.
type Text struct {
	Template string
	// Escape appends a character of a value so that it fits; nil: values stay as they are.
	Escape func(b []byte, r rune) []byte
}

// ParseTexts reads templates. Error: a *ParseError, whose At is the name.
func ParseTexts(texts map[string]Text) (t *Texts, err error) {
	defer recoverParse(&err)
	b := &builder{}
	t = &Texts{texts: map[string]*textNode{}}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		text := texts[name]
		if len(text.Template) > MaxSpec {
			refuse(name, "it has more than %d bytes", MaxSpec)
		}
		t.texts[name] = &textNode{pieces: b.pieces(name, text.Template), escape: text.Escape}
	}
	if len(b.places.list) > 0 {
		t.places = document.NewPlaces(b.places.list...)
	}
	return t, nil
}

// NeedsData tells whether the texts read Event.Data.
func (t *Texts) NeedsData() bool { return t.places != nil }

// Apply returns the texts for an event. Error: an *Error if one fails for this event.
func (t *Texts) Apply(e Event) (map[string]string, error) {
	r := &run{event: &e}
	if err := r.find(t.places); err != nil {
		return nil, err
	}
	out := make(map[string]string, len(t.texts))
	for name, node := range t.texts {
		text, err := node.text(r)
		if err != nil {
			return nil, err
		}
		out[name] = text
	}
	return out, nil
}
