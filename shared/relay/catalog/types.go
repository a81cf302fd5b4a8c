package catalog

import "context"

// EventType describes a type of event that a source sends. It is stored: do not rename the JSON
// fields.
type EventType struct {
	Name        string `json:"name"` // exactly as events have it
	Description string `json:"description,omitempty"`
	Schema      string `json:"schema,omitempty"`  // JSON Schema 2020-12 of the document; "": none
	Example     string `json:"example,omitempty"` // JSON; "": none
	Deprecated  bool   `json:"deprecated,omitempty"`
}

// Validation tells what happens to an event that its type's schema does not allow. The set is
// closed.
type Validation string

// The validations.
const (
	// Flag marks the event. The zero Validation means this too.
	Flag Validation = "flag"
	// Refuse lets the event's deliveries die, after it was accepted.
	Refuse Validation = "refuse"
	// Reject answers the sender with 422. Nothing is accepted.
	Reject Validation = "reject"
)

// EventTypes are the types of a source.
type EventTypes struct {
	Types      []EventType
	Validation Validation
}

// Types reads the types of sources. Only sources of the operator have some: a schema is work for
// the stages that all tenants share.
type Types interface {
	Generations
	// EventTypes returns the types of the operator's source of a name, in a generation of the
	// operator's catalog. It decrypts nothing. Error: ErrNotFound.
	EventTypes(ctx context.Context, g Generation, source string) (EventTypes, error)
}
