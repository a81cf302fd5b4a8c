package dynamo

// The tables' schema. The template that creates the tables must use the same names. All keys are
// strings. The indexes belong to the ledger. They project keys only, EventsIndex also Listed, and
// OpenIndex DueTime.
const (
	PartitionKey = "pk"
	SortKey      = "sk"

	TimeToLive = "expires_at" // of the ledger; a number, Unix seconds

	EventsIndex        = "events"
	EventsPartitionKey = "events_pk"
	EventsSortKey      = "events_sk"
	Listed             = "listed" // binary: the events of an entry

	OpenIndex        = "open" // its sort key is SortKey
	OpenPartitionKey = "open_pk"
	DueTime          = "due" // a number, Unix milliseconds

	TroubledIndex        = "troubled"
	TroubledPartitionKey = "troubled_pk"
	TroubledSortKey      = "troubled_sk"
)

// Attributes that are not keys.
const (
	docAttribute        = "doc"
	bodyAttribute       = "body"
	packedAttribute     = "packed"
	endpointsAttribute  = "endpoints"
	partsAttribute      = "parts"
	addedAttribute      = "added"
	changedAttribute    = "changed"
	placeAttribute      = "place"
	zippedAttribute     = "zipped"
	sentAttribute       = "sent"
	fitsAttribute       = "fits"
	versionAttribute    = "version"
	markAttribute       = "mark"
	attemptsAttribute   = "attempts"
	statusAttribute     = "status"
	sealedAttribute     = "sealed"
	typesAttribute      = "types" // binary: compressed JSON
	generationAttribute = "generation"
	revisionAttribute   = "revision"
	createdAttribute    = "created_at"
	retiredAttribute    = "retired_at"
	learnedAttribute    = "learned"
	learnUntilAttribute = "learn_until"
	changesAttribute    = "changes"
	orderedAttribute    = "ordered"
	namesAttribute      = "names"
	managedAttribute    = "managed_by"
	changedRevision     = "changed_rev"
	changedAtAttribute  = "changed_at"
)
