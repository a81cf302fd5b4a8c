package events

import _ "embed" // for DemoConfig

// DemoConfig is demo.yaml, the demonstration's configuration.
//
//go:embed demo.yaml
var DemoConfig []byte

// What the demonstration's host must know of its configuration.
const (
	DemoEndpointPath   = "/demo/endpoint"                                 // path of the endpoint's URL
	DemoEndpointSecret = "whsec_ZGVtby1lbmRwb2ludC1kZW1vLWVuZHBvaW50LTAx" //nolint:gosec // public: signs what the endpoint gets
)
