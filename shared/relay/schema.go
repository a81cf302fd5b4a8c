package relay

import (
	"context"
	"errors"
	"fmt"

	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/schema"
)

// ErrSchema means that a webhook is not as the schema of its type wants it, and its source rejects
// such ones. The message names the place, and no value.
var ErrSchema = errors.New("relay: the webhook does not fit the schema of its type")

// SchemaResult is the result of checking an event against the schema of its type. It is stored: do
// not rename the JSON fields.
type SchemaResult struct {
	Status  schema.Status `json:"status"`
	At      string        `json:"at,omitempty"` // JSON pointer of the place
	Problem string        `json:"problem,omitempty"`
	// Refused tells that its deliveries die, because of catalog.Refuse. An operator who sends them
	// again has decided otherwise.
	Refused bool `json:"refused,omitempty"`
}

// status returns the result's status; "": there is no result.
func (r *SchemaResult) status() string {
	if r == nil {
		return ""
	}
	return string(r.Status)
}

// Decided returns whether the event fits: schema.Passed or schema.Failed; "": that is not known.
func (r *SchemaResult) Decided() schema.Status {
	if r == nil || r.Status == schema.Unchecked {
		return ""
	}
	return r.Status
}

// text tells what is wrong, and where.
func (r SchemaResult) text() string {
	if r.At == "" {
		return "the document " + r.Problem
	}
	return r.At + " " + r.Problem
}

// Allowed returns the event without the mark that lets its deliveries die.
func (e Event) Allowed() Event {
	if e.Schema != nil && e.Schema.Refused {
		result := *e.Schema
		result.Refused = false
		e.Schema = &result
	}
	return e
}

// checks are the schemas of a source, by event type, and what its events die of.
type checks struct {
	schemas    map[string]*schema.Schema
	validation catalog.Validation
	size       int
}

func (c checks) Bytes() int  { return routeBytes + c.size }
func (checks) Lasting() bool { return true }

// newChecks compiles the schemas of types. A configuration was checked before it was stored.
func newChecks(of catalog.EventTypes) (checks, error) {
	c := checks{validation: of.Validation, schemas: map[string]*schema.Schema{}}
	for _, t := range of.Types {
		if t.Schema == "" {
			continue
		}
		compiled, err := schema.Compile([]byte(t.Schema))
		if err != nil {
			return checks{}, fmt.Errorf("type %s: %w", t.Name, err)
		}
		c.schemas[t.Name] = compiled
		c.size += compiled.Bytes()
	}
	return c, nil
}

// check checks an event whose body is given; nil: its type has no schema.
func (c checks) check(e Event, body []byte) *SchemaResult {
	s := c.schemas[e.Type]
	if s == nil {
		return nil
	}
	doc := e.document(body)
	found := s.Check(doc.Text)
	if doc.Opaque {
		found = schema.Result{Status: schema.Unchecked, Problem: "is too large or too deep to be read"}
	}
	return &SchemaResult{
		Status: found.Status, At: found.At, Problem: found.Problem,
		Refused: found.Status == schema.Failed && c.validation == catalog.Refuse,
	}
}

// checker checks events against the schemas of their types. It is safe for concurrent use.
type checker struct {
	bodies Bodies
	checks *catalog.Cache[checks]
	large  chan struct{} // held while a document of more than smallDocument is in memory
}

// smallDocument is the largest body, in bytes, of which a batch may hold ten parsed at once.
const smallDocument = 64 << 10

func newChecker(states *catalog.States, types catalog.Types, bodies Bodies) *checker {
	return &checker{
		bodies: bodies, large: make(chan struct{}, 1),
		checks: catalog.NewCache(catalog.CacheConfig[checks]{
			States: states,
			Load: func(ctx context.Context, s catalog.State, k catalog.Key) (checks, error) {
				found, err := types.EventTypes(ctx, s.Generation, k.Name)
				if errors.Is(err, catalog.ErrNotFound) {
					return checks{}, nil // it was removed; its events are still routed
				}
				if err != nil {
					return checks{}, err
				}
				c, err := newChecks(found)
				if err != nil {
					err = fmt.Errorf("source %s: %w", k.Name, err)
				}
				return c, err
			},
			Depends: func(name string) []string { return []string{catalog.SourceChange(name)} },
		}),
	}
}

// check checks an event. Only the operator's sources have types.
func (c *checker) check(ctx context.Context, e Event) (*SchemaResult, error) {
	if tenant, _ := catalog.SplitName(e.Source); c == nil || tenant != "" ||
		e.Source == catalog.OwnSource {
		return nil, nil //nolint:nilnil // none, and no error
	}
	found, err := c.checks.Get(ctx, catalog.KeyOf(e.Source))
	if err != nil || found.schemas[e.Type] == nil {
		return nil, err
	}
	size := e.size()
	if size > schema.MaxDocument {
		return &SchemaResult{Status: schema.Unchecked, Problem: "is too large to be checked"}, nil
	}
	if size > smallDocument {
		select {
		case c.large <- struct{}{}:
			defer func() { <-c.large }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	body, err := e.Content(ctx, c.bodies)
	if err != nil {
		return nil, err
	}
	return found.check(e, body), nil
}
