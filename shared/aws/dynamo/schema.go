package dynamo

// The tables' schema: what whoever creates the tables must agree with. All keys are strings; the indexes belong to the ledger
// and project keys only.
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

// Attributes that are no keys.
const (
	docAttribute        = "doc"
	bodyAttribute       = "body"
	packedAttribute     = "packed"
	endpointsAttribute  = "endpoints"
	partsAttribute      = "parts"
	sentAttribute       = "sent"
	writeAttribute      = "write"
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
