package onaws_test

import "slices"

// calls are the kinds of AWS calls that each function may make, and those that Lambda's mappings
// make for it. A new kind must be added here, so that it is struck. If a kind is missing in a run,
// the scripts no longer cover it. Calls that are made only after a failure (counts of failures,
// holds of failed messages) occur in the runs with a fault, and are not struck themselves.
var calls = map[string][]string{
	"receive": {
		"Query catalog",
		"GetItem catalog", "GetItem learned", "PutItem learned", "UpdateItem catalog",
		"Decrypt secret", "Encrypt secret", "UpdateItem line", "GetItem line",
		"PutObject body", "SendMessage ingest", "SendMessage ordered-ingest",
	},
	"fanout": {
		"GetItem catalog", "Query catalog", "PutItem event", "PutItem hours", "GetItem event",
		"GetObject body",
		"SendMessage delivery", "SendMessageBatch delivery", "SendMessage ordered-delivery",
		"SendMessageBatch ordered-delivery",
		"SendMessage ingest-dlq",
	},
	"deliver": {
		"GetItem catalog", "Query catalog", "Decrypt secret", "GetSecretValue secret",
		"GetObject body", "PutObject body",
		"GetItem delivery", "PutItem delivery", "GetItem state", "PutItem state", "Query troubled",
		"UpdateItem line", "GetItem line", "UpdateItem claim",
		"SendMessage retry", "SendMessage ordered-delivery", "CreateSchedule retry",
		"ChangeMessageVisibilityBatch ordered-delivery", "UpdateItem event",
		"SendMessage dead", "SendMessage delivery-dlq", "SendMessage ingest",
	},
	"sweep": {
		"GetItem catalog", "Query catalog", "Query events", "Query open", "BatchGetItem ledger",
		"GetItem event",
		"PutItem delivery", "UpdateItem event", "GetItem cursor", "PutItem cursor",
		"SendMessage delivery", "SendMessage retry",
	},
	"mapping": {
		"DeleteMessageBatch ingest", "DeleteMessageBatch ordered-ingest",
		"DeleteMessageBatch delivery", "DeleteMessageBatch ordered-delivery",
		"DeleteMessageBatch retry",
	},
}

// jobCalls are the kinds of calls that admin makes for a job that sends again and for an export.
// TestAFaultAtEveryKindOfCallOfAJob strikes them.
var jobCalls = []string{
	"admin: BatchGetItem ledger", "admin: DeleteItem jobs-open", "admin: GetItem catalog",
	"admin: GetItem delivery",
	"admin: GetItem event", "admin: GetItem jobs", "admin: Invoke function",
	"admin: PutItem delivery", "admin: PutObject body", "admin: Query catalog",
	"admin: Query events", "admin: Query ledger", "admin: Query open", "admin: SendMessage retry",
	"admin: UpdateItem event", "admin: UpdateItem jobs", "admin: UpdateItem jobs-open",
}

// afterFailures are calls that a run without faults does not make, so they cannot be struck.
var afterFailures = []string{
	"fanout: UpdateItem count", "fanout: ChangeMessageVisibilityBatch ingest",
	"fanout: ChangeMessageVisibilityBatch ordered-ingest",
	"deliver: UpdateItem count", "deliver: ChangeMessageVisibilityBatch delivery",
	"deliver: ChangeMessageVisibilityBatch retry",
}

// kinds returns all kinds, as the wire names them, sorted.
func kinds() []string {
	var all []string
	for function, kinds := range calls {
		for _, kind := range kinds {
			all = append(all, function+": "+kind)
		}
	}
	slices.Sort(all)
	return all
}
