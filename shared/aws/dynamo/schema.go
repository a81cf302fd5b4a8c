package dynamo

// The tables' schema. The template that creates the tables must use the same names. All keys are
// strings. The indexes belong to the ledger and project keys only.
const (
	PartitionKey = "pk"
	SortKey      = "sk"

	TimeToLive = "expires_at" // of the ledger; a number, Unix seconds

	EventsIndex        = "events"
	EventsPartitionKey = "events_pk"
	EventsSortKey      = "events_sk"

	OpenIndex        = "open"
	OpenPartitionKey = "open_pk"
	OpenSortKey      = "open_sk"

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
	sentAttribute       = "sent"
	writeAttribute      = "write"
	versionAttribute    = "version"
	attemptsAttribute   = "attempts"
	statusAttribute     = "status"
	sealedAttribute     = "sealed"
	generationAttribute = "generation"
	revisionAttribute   = "revision"
	createdAttribute    = "created_at"
	retiredAttribute    = "retired_at"
	learnedAttribute    = "learned"
	learnUntilAttribute = "learn_until"
)
