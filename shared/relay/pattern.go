package relay

import (
	"context"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/route"
)

// Pattern is one subscription's types and filter, or a search of an operator, ready to be matched
// with recorded events. It is safe for concurrent use.
type Pattern struct {
	rule   route.Rule
	table  *route.Table
	bodies Bodies
}

// NewPattern returns a Pattern. bodies stores the bodies that are not inline; nil: a pattern that
// needs such a body does not match.
func NewPattern(rule route.Rule, bodies Bodies) *Pattern {
	return &Pattern{rule: rule, table: route.New([]route.Rule{rule}), bodies: bodies}
}

// Matches tells whether an event matches. An undecided one does not. It fetches the event's body if
// it must.
func (p *Pattern) Matches(ctx context.Context, e Event) (bool, error) {
	doc, err := p.document(ctx, e)
	if err != nil {
		return false, err
	}
	return len(p.table.Match(asSeen(e, doc)).Rules) > 0, nil
}

// Explain says why an event does not match; nil: it does.
func (p *Pattern) Explain(ctx context.Context, e Event) (*route.Mismatch, error) {
	doc, err := p.document(ctx, e)
	if err != nil {
		return nil, err
	}
	return route.Explain(p.rule, asSeen(e, doc)), nil
}

// asSeen returns an event as the filters of its tenant's catalog see it.
func asSeen(e Event, doc document.Document) route.Event {
	return filtered(e, catalog.KeyOf(e.Source), doc)
}

// document reads the document of e if the pattern needs it.
func (p *Pattern) document(ctx context.Context, e Event) (document.Document, error) {
	switch {
	case !p.table.NeedsBody(e.Type):
		return document.Document{}, nil
	case e.BodyRef != nil && p.bodies == nil:
		return document.Document{Opaque: true}, nil
	}
	body, err := e.Content(ctx, p.bodies)
	if err != nil {
		return document.Document{}, err
	}
	return e.document(body), nil
}
