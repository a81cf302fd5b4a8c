package cost

// Usage is what a run of a relay used.
type Usage struct {
	Scenario
	Events      int                 `json:"events"`   // accepted
	Attempts    int                 `json:"attempts"` // POSTs to endpoints
	PostedBytes int                 `json:"postedBytes"`
	StoredBytes int                 `json:"storedBytes"` // in DynamoDB at the end, as it bills them
	Functions   map[string]Function `json:"functions"`   // by name in the stack: "Receive"
	Calls       map[string]Calls    `json:"calls"`       // by operation: "sqs:SendMessageBatch"
}

// Scenario is what was asked of the relay.
type Scenario struct {
	FanOut         int  `json:"fanOut"`          // endpoints that want each event
	FailingPercent int  `json:"failingPercent"`  // of attempts
	Burst          bool `json:"burst"`           // events came as fast as they were taken, else one after the other
	Quiet          int  `json:"quiet,omitempty"` // endpoints of which each event is for another; 0: each is for all of them
}

// Function is what a function used.
type Function struct {
	MemoryMiB    int     `json:"memoryMiB"`
	Invocations  int     `json:"invocations"`
	ProcessorMs  float64 `json:"processorMs"` // of all its processes, their starts included
	LoggedBytes  int     `json:"loggedBytes"` // by the function itself
	LoggedEvents int     `json:"loggedEvents"`
}

// OfCatalog marks the calls by which an instance reads the configuration: by the hour, too, as long as it is in use.
const OfCatalog = ", catalog"

// EmptyReceive is what a ReceiveMessage that brought nothing is counted as.
const EmptyReceive = "ReceiveMessage, empty"

// OfTrouble marks the calls by which an instance finds the endpoints in trouble: by the hour as well.
const OfTrouble = ", endpoints in trouble"

// Calls are those of one operation of an AWS API.
type Calls struct {
	Calls int     `json:"calls"`
	Units float64 `json:"units"` // billed: chunks of SQS, request units of DynamoDB, else as many as calls
	Fair  float64 `json:"fair,omitempty"`
}
