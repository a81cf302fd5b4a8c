// Package events holds samples: webhooks as providers send them, and the events by which Lambda starts each function.
//
//	body, eventType, err := events.Sample("github", "")   // a push
//
// The webhooks are made up, and true to the providers' documented shapes: names are of example.com, addresses are of the ranges
// that RFC 5737 keeps for documentation. Lambda's events lie beside them, as files; this package's tests make them of the
// webhooks (-update) and feed each to the handler that it is for. README.md says what each file is, and how to invoke a
// function with it.
package events
