package cost

// Usage is what a run of a relay used.
type Usage struct {
	Scenario
	Events      int                 `json:"events"`   // accepted
	Attempts    int                 `json:"attempts"` // POSTs to endpoints
	PostedBytes int                 `json:"postedBytes"`
	StoredBytes int                 `json:"storedBytes"` // in DynamoDB at the end, as it is billed
	ObjectBytes int                 `json:"objectBytes"` // in S3 at the end
	Functions   map[string]Function `json:"functions"`   // by name in the stack: "Receive"
	Calls       map[string]Calls    `json:"calls"`       // by operation: "sqs:SendMessageBatch"
}

// Minus returns what was used between two moments of a run.
func Minus(after, before Usage) Usage {
	u := after
	u.Events -= before.Events
	u.Attempts -= before.Attempts
	u.PostedBytes -= before.PostedBytes
	u.StoredBytes -= before.StoredBytes
	u.ObjectBytes -= before.ObjectBytes
	u.Functions = map[string]Function{}
	for name, f := range after.Functions {
		was := before.Functions[name]
		f.Invocations -= was.Invocations
		f.ProcessorMs -= was.ProcessorMs
		f.LoggedBytes -= was.LoggedBytes
		f.LoggedEvents -= was.LoggedEvents
		u.Functions[name] = f
	}
	u.Calls = map[string]Calls{}
	for name, c := range after.Calls {
		was := before.Calls[name]
		c.Calls -= was.Calls
		c.Units -= was.Units
		c.Fair -= was.Fair
		if c.Calls > 0 {
			u.Calls[name] = c
		}
	}
	return u
}

// Scenario is the load of a run.
type Scenario struct {
	FanOut         int `json:"fanOut"`         // endpoints that get each event
	FailingPercent int `json:"failingPercent"` // of attempts
	// events were sent as fast as they were accepted, else one after the other
	Burst bool `json:"burst"`
	// number of endpoints that get the events in turn, one each; 0: all endpoints get each event
	Quiet int `json:"quiet,omitempty"`
	// size of the bodies, of JSON; 0: they are GitHub's published examples
	BodyKiB int `json:"bodyKiB,omitempty"`
}

// Function is what a function used.
type Function struct {
	MemoryMiB   int `json:"memoryMiB"`
	Invocations int `json:"invocations"`
	// of all its processes, without the starts before it was counted
	ProcessorMs  float64 `json:"processorMs"`
	LoggedBytes  int     `json:"loggedBytes"` // by the function itself
	LoggedEvents int     `json:"loggedEvents"`
}

// OfCatalog marks the calls by which an instance reads the configuration. They are made by the
// hour, as long as the instance is in use.
const OfCatalog = ", catalog"

// EmptyReceive is the operation for a ReceiveMessage that returned no message.
const EmptyReceive = "ReceiveMessage, empty"

// OfTrouble marks the calls by which an instance finds the endpoints in trouble. They are made by
// the hour too.
const OfTrouble = ", endpoints in trouble"

// Calls counts the calls of one operation of an AWS API.
type Calls struct {
	Calls int `json:"calls"`
	// billed: chunks for SQS, request units for DynamoDB, else the number of calls
	Units float64 `json:"units"`
	Fair  float64 `json:"fair,omitempty"`
}
